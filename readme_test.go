package mishap_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestGuaranteesNameTestsThatExist(t *testing.T) {
	var guarantees []byte
	for _, page := range []string{"README.md", "docs/guarantees.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		guarantees = append(guarantees, text...)
	}
	sources, err := exec.Command("grep", "-rhoE", "--include=*_test.go", "^func Test[A-Za-z0-9]+", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)(?:/([a-z]+))?`").FindAllStringSubmatch(string(guarantees), -1)
	if len(named) < 100 {
		t.Fatalf("the pages name only %d tests", len(named))
	}
	for _, n := range named {
		if !strings.Contains(string(sources), "func "+n[1]+"\n") {
			t.Errorf("there is no %s", n[1])
		}
		if n[2] != "" {
			if _, err := os.Stat(filepath.Join("cmd/mishap/testdata/script", n[2]+".txtar")); err != nil {
				t.Errorf("there is no script of %s: %v", n[0], err)
			}
		}
	}
}
