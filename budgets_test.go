package mishap_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A budget is the most that there may be of something. Whoever gets below one
// lowers it; nobody raises one.
const (
	fewFiles    = 18 // of a package, with platform variants
	manyFiles   = 42 // of one that is left whole
	fewMethods  = 66 // of a type
	smallCircle = 12 // of files that use each other all ways round
	largeCircle = 32 // in a package that is left whole; each verb is a file of one
	importDepth = 10 // packages on the longest way down through imports
)

// leftWhole are the packages that had grown before there were budgets, and are
// not about to be split.
func leftWhole() []string {
	return []string{
		"mishap", "mishap/cmd/mishap", "mishap/experiments", "mishap/internal/analysis", "mishap/internal/forward",
		"mishap/internal/ledger", "mishap/internal/metrics",
	}
}

// fileBudgets are of packages that are about to be split, and of catalogs.
func fileBudgets() map[string]int {
	return map[string]int{
		"mishap/injectors":            1,
		"mishap/internal/awsfake":     24,
		"mishap/injectors/aws":        49, // a file each fault
		"mishap/injectors/proxy":      24,
		"mishap/internal/app":         3,
		"mishap/internal/proxy":       6,
		"mishap/internal/proxy/fault": 26,
		"mishap/internal/report":      22,
	}
}

func methodBudgets() map[string]int {
	return map[string]int{
		"mishap/cmd/mishap.cli":         94,
		"mishap/internal/app.App":       4,
		"mishap/internal/awsfake.Cloud": 75,
		"mishap/internal/ledger.Memory": 68,
		"mishap/internal/server.Server": 15,
	}
}

// built is what go list says of a package.
type built struct {
	ImportPath, Dir, Export string
	GoFiles, IgnoredGoFiles []string
	Imports                 []string
	Module                  *struct{ Main bool }
}

// listed are this module's packages, and where the export data of each import is.
func listed(t *testing.T) (own map[string]built, exports map[string]string) {
	t.Helper()
	var stderr bytes.Buffer
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,IgnoredGoFiles,Imports,Module", "./...")
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list packages: %v: %s", err, stderr.String())
	}
	own, exports = map[string]built{}, map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p built
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return own, exports
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if p.Module != nil && p.Module.Main {
			own[p.ImportPath] = p
		}
	}
}

func TestPackagesTypesAndCirclesOfFilesStayWithinTheirBudgets(t *testing.T) {
	own, exports := listed(t)
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", open)
	for _, path := range slices.Sorted(maps.Keys(own)) {
		p := own[path]
		within(t, "files of "+path, len(p.GoFiles)+sources(p.IgnoredGoFiles), limit(fileBudgets(), path, fewFiles, manyFiles))
		files, uses := usesOfFiles(t, fset, imports, p)
		for name, n := range methods(files) {
			within(t, "methods of "+path+"."+name, n, limit(methodBudgets(), path+"."+name, fewMethods, fewMethods))
		}
		circle := largestCircle(uses)
		within(t, "files of "+path+" in one circle ("+strings.Join(circle, " ")+")", len(circle), limit(nil, path, smallCircle, largeCircle))
	}
}

func TestImportsAreNoDeeperThanTheirBudget(t *testing.T) {
	own, _ := listed(t)
	var depth func(path string) int
	depth = func(path string) int {
		deepest := 0
		for _, i := range own[path].Imports {
			if _, is := own[i]; is {
				deepest = max(deepest, depth(i))
			}
		}
		return deepest + 1
	}
	for path := range own {
		within(t, "import depth of "+path, depth(path), importDepth)
	}
}

// limit is the budget by that name; else that of what is left whole, or of others.
func limit(budgets map[string]int, name string, others, whole int) int {
	if n, ok := budgets[name]; ok {
		return n
	}
	if slices.Contains(leftWhole(), name) {
		return whole
	}
	return others
}

func within(t *testing.T, what string, is, budget int) {
	t.Helper()
	if is > budget {
		t.Errorf("%s: %d, the budget is %d", what, is, budget)
	}
}

// sources counts the files that are not tests.
func sources(names []string) (n int) {
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			n++
		}
	}
	return n
}

// usesOfFiles says which files of a package use what another of them declares.
func usesOfFiles(t *testing.T, fset *token.FileSet, imports types.Importer, p built) ([]*ast.File, map[string][]string) {
	t.Helper()
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	checked, err := (&types.Config{Importer: imports}).Check(p.ImportPath, fset, files, info)
	if err != nil {
		t.Fatalf("check %s: %v", p.ImportPath, err)
	}
	uses := map[string][]string{}
	for id, object := range info.Uses {
		if object.Pkg() != checked || object.Parent() != checked.Scope() && object.Parent() != nil {
			continue // of another package, or local
		}
		from, to := fset.Position(id.Pos()).Filename, fset.Position(object.Pos()).Filename
		if from, to = filepath.Base(from), filepath.Base(to); from != to && !slices.Contains(uses[from], to) {
			uses[from] = append(uses[from], to)
		}
	}
	return files, uses
}

// methods counts the methods of each type.
func methods(files []*ast.File) map[string]int {
	count := map[string]int{}
	for _, file := range files {
		for _, d := range file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is || f.Recv == nil {
				continue
			}
			of := f.Recv.List[0].Type
			if star, is := of.(*ast.StarExpr); is {
				of = star.X
			}
			if index, is := of.(*ast.IndexExpr); is {
				of = index.X
			}
			if index, is := of.(*ast.IndexListExpr); is {
				of = index.X
			}
			if name, is := of.(*ast.Ident); is {
				count[name.Name]++
			}
		}
	}
	return count
}

// largestCircle finds the most files of which each leads to each.
func largestCircle(uses map[string][]string) []string {
	reach := func(from string) map[string]bool {
		seen, next := map[string]bool{}, []string{from}
		for len(next) > 0 {
			file := next[0]
			next = next[1:]
			for _, to := range uses[file] {
				if !seen[to] {
					seen[to] = true
					next = append(next, to)
				}
			}
		}
		return seen
	}
	reached := map[string]map[string]bool{}
	for file := range uses {
		reached[file] = reach(file)
	}
	var largest []string
	for file := range uses {
		var circle []string
		for to := range reached[file] {
			if reached[to][file] {
				circle = append(circle, to)
			}
		}
		if len(circle) > len(largest) {
			largest = circle
		}
	}
	slices.Sort(largest)
	return largest
}
