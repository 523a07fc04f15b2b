package mishap_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

// uses finds where the sources outside of tests and tools use a name of a package.
func uses(t *testing.T, path string, names ...string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		name := ""
		for _, i := range source.Imports {
			if i.Path.Value == strconv.Quote(path) {
				name = filepath.Base(path)
				if i.Name != nil {
					name = i.Name.Name
				}
			}
		}
		ast.Inspect(source, func(n ast.Node) bool {
			s, is := n.(*ast.SelectorExpr)
			if !is {
				return true
			}
			if x, is := s.X.(*ast.Ident); is && name != "" && x.Name == name && (names == nil || slices.Contains(names, s.Sel.Name)) {
				found = append(found, file)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestOnePlaceStartsProcesses(t *testing.T) {
	kit := "internal/pgtest/" // for tests alone
	for path, names := range map[string][]string{
		"os/exec": {"Command", "CommandContext"}, "os": {"StartProcess"}, "syscall": {"ForkExec", "StartProcess", "Exec"}, "golang.org/x/sys/unix": {"Exec"},
	} {
		for _, file := range uses(t, path, names...) {
			if !strings.HasPrefix(file, "internal/spawn/") && !strings.HasPrefix(file, kit) {
				t.Errorf("%s starts a process by itself: mishap/internal/spawn does that", file)
			}
		}
	}
	for _, file := range uses(t, "os/exec", "Cmd") {
		if !strings.HasPrefix(file, "internal/spawn/") && !strings.HasPrefix(file, kit) {
			t.Errorf("%s uses an exec.Cmd: take a spawn.Cmd", file)
		}
	}
}

// TestNoClientOfAWSBuildsSchemasAtStart: releases of the SDK's clients from late
// October 2026 on do, in keepers too. Take the last one before its change log says
// "schema-based".
func TestNoClientOfAWSBuildsSchemasAtStart(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./cmd/mishap").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		if strings.HasPrefix(path, "github.com/aws/") && strings.HasSuffix(path, "/schemas") {
			t.Errorf("%s is linked", path)
		}
	}
}

func TestOnePlaceTakesSignals(t *testing.T) {
	if got := uses(t, "os/signal"); len(got) != 1 || got[0] != "cmd/mishap/signals.go" {
		t.Errorf("signals are taken in %v: cmd/mishap/signals.go has the table", got)
	}
}

func TestWhatIsForTestsAloneIsNotLinked(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./cmd/mishap").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"awsfake", "formattest", "freeport", "gittest", "injectortest", "pgtest", "usestest", "worlds"} {
		if strings.Contains(string(out), "mishap/internal/"+p+"\n") {
			t.Errorf("the program links mishap/internal/%s, which is for tests", p)
		}
	}
}

// People are told times in one form, see [mishap.Moment]; that of machines stands in JSON and in addresses alone.
func TestPeopleAreToldTimesInOneForm(t *testing.T) {
	machines := map[string]bool{
		"cmd/mishap/schedule.go":       true, // takes --after
		"injectors/aws/statement.go":   true, // writes policies
		"internal/cloud/assume.go":     true, // reads what AWS says
		"internal/console/calendar.go": true, // asks the API
		"internal/console/render.go":   true, // of <time datetime>
	}
	for _, file := range uses(t, "time", "RFC3339") {
		if !machines[file] && !strings.HasPrefix(file, "internal/awsfake/") {
			t.Errorf("%s writes times as machines do: people are told mishap.Moment", file)
		}
	}
}
