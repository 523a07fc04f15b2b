package proxy_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// limitNames are the constants that are limits.
var limitNames = regexp.MustCompile(`^(max|Max|most|longest|min[A-Z])|(Limit|Timeout|Within|Clients|Idle|Budget|Attempts)$`)

// notLimits are named like limits.
var notLimits = map[string]bool{"MaxArmShare": true, "minFetch": true} // half of all; a size of reads

// TestThePageHasEveryLimit compares the table of limits in docs/proxy.md with the constants of the code, both ways.
func TestThePageHasEveryLimit(t *testing.T) {
	page, err := os.ReadFile("../../docs/proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{} // constant → value
	row := regexp.MustCompile("(?m)^\\|[^|]*\\| ([^|]*) \\|[^|]*\\| `(\\w+)` \\|$")
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		told[m[2]] = m[1]
	}
	found := map[string]string{}
	for _, dir := range []string{".", "attempts", "control", "fault", "listener", "registry", "stream", "../forward"} {
		limitsOf(t, dir, told, found)
	}
	for name, value := range found {
		if told[name] != value {
			t.Errorf("docs/proxy.md says %q of %s, which is %q", told[name], name, value)
		}
	}
	for name := range told {
		if found[name] == "" {
			t.Errorf("docs/proxy.md tells of %s, which does not exist", name)
		}
	}
}

// limitsOf finds the constants of a package that are limits by their names, or that the page tells of.
func limitsOf(t *testing.T, dir string, told, found map[string]string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.CONST {
				for _, s := range d.Specs {
					s := s.(*ast.ValueSpec)
					for i, value := range s.Values {
						name := s.Names[i].Name
						if _, ok := told[name]; ok || limitNames.MatchString(name) && !notLimits[name] {
							found[name] = inWords(value)
						}
					}
				}
			}
		}
	}
}

// inWords writes the value of an expression as the page does.
func inWords(e ast.Expr) string {
	units := map[string]string{"Millisecond": "ms", "Second": "s", "Minute": "min", "Hour": "h"}
	switch e := e.(type) {
	case *ast.BasicLit:
		return thousands(e.Value)
	case *ast.SelectorExpr:
		return "1 " + units[e.Sel.Name]
	case *ast.CallExpr: // a conversion
		return inWords(e.Args[0])
	case *ast.BinaryExpr:
		if unit, ok := e.Y.(*ast.SelectorExpr); ok && e.Op == token.MUL {
			return inWords(e.X) + " " + units[unit.Sel.Name]
		}
		if by, ok := e.Y.(*ast.BasicLit); ok && e.Op == token.SHL {
			if unit := map[string]string{"10": "KiB", "20": "MiB", "30": "GiB"}[by.Value]; unit != "" {
				return inWords(e.X) + " " + unit
			}
			n, _ := strconv.Atoi(by.Value)
			return thousands(fmt.Sprint(1 << n))
		}
	}
	return fmt.Sprintf("an expression (%T) that the test cannot put in words", e)
}

func thousands(digits string) string {
	digits = strings.ReplaceAll(digits, "_", "")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
