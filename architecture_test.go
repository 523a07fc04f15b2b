package mishap_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// allowed reads the import table of ARCHITECTURE.md: package → prefixes.
func allowed(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	table := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`mishap") {
			continue
		}
		name := strings.Trim(strings.TrimSpace(cells[1]), "`")
		table[name] = []string{}
		for _, cell := range cells[2:4] {
			if strings.TrimSpace(cell) == "everything" {
				table[name] = append(table[name], "")
			}
			for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
				table[name] = append(table[name], m[1])
			}
		}
	}
	return table
}

func TestImportsFollowTheTable(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	table, found := allowed(t), []string{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		found = append(found, p.ImportPath)
		prefixes, ok := table[p.ImportPath]
		if !ok {
			t.Errorf("ARCHITECTURE.md has no row for %s", p.ImportPath)
		}
		for _, i := range p.Imports {
			if own(i) && !permits(prefixes, i) {
				t.Errorf("%s imports %s, which ARCHITECTURE.md does not allow", p.ImportPath, i)
			}
		}
	}
	for name := range table {
		if !slices.Contains(found, name) {
			t.Errorf("ARCHITECTURE.md has a row for %s, which does not exist", name)
		}
	}
}

// own reports whether the import is not of the standard library.
func own(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return first == "mishap" || strings.Contains(first, ".")
}

func permits(prefixes []string, path string) bool {
	for _, p := range prefixes {
		if p == path || p == "" || p != "mishap" && strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}
