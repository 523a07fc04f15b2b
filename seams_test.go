package mishap_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What a kind declares can be held only if there is one way out for each use:
// spawn starts, outside reads, and what dials is handed in. Everything else that
// would reach out is refused in the packages of kinds.
func TestKindsMeetTheOutsideOnlyThroughSeams(t *testing.T) {
	ways := map[string][]string{
		"os":         {"Open", "OpenFile", "ReadFile", "ReadDir", "Create", "StartProcess", "DirFS", "OpenRoot", "Getenv", "LookupEnv"},
		"os/exec":    {"Command", "CommandContext", "Cmd", "LookPath"},
		"net":        {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer", "DefaultResolver", "LookupHost", "LookupIP"},
		"net/http":   {"Get", "Post", "PostForm", "Head", "DefaultClient", "DefaultTransport"},
		"syscall":    {"Open", "Exec", "ForkExec", "Connect"},
		"crypto/tls": {"Dial", "DialWithDialer", "Dialer", "LoadX509KeyPair"},
	}
	own := []string{ // reads /proc and what the kernel says of this machine
		"injectors/host/process_linux.go: os.ReadFile", "injectors/host/process_linux.go: os.ReadDir",
		// what is dialled and looked up with where nobody hands anything in
		"probes/catalog.go: net.Dialer", "safeguards/catalog.go: net.Dialer", "internal/metrics/catalog.go: net.Dialer",
		"probes/catalog.go: os.LookupEnv", "internal/metrics/catalog.go: os.LookupEnv",
	}
	for _, folder := range []string{"injectors", "probes", "safeguards", "internal/metrics"} {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			imports := map[string]string{}
			for _, i := range file.Imports {
				name, _ := strconv.Unquote(i.Path.Value)
				as := name[strings.LastIndex(name, "/")+1:]
				if i.Name != nil {
					as = i.Name.Name
				}
				imports[as] = name
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if isPath(n) {
					return false
				}
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, ok := s.X.(*ast.Ident)
				if !ok || !slices.Contains(ways[imports[pkg.Name]], s.Sel.Name) {
					return true
				}
				if use := path + ": " + pkg.Name + "." + s.Sel.Name; !slices.Contains(own, use) {
					t.Errorf("%s reaches out beside what the kind declares; use spawn, outside, or what Deps hands in", use)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// isPath tells whether a node is os.Getenv("PATH"), which is where commands are
// looked for.
func isPath(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return false
	}
	name, ok := call.Args[0].(*ast.BasicLit)
	s, is := call.Fun.(*ast.SelectorExpr)
	return ok && is && s.Sel.Name == "Getenv" && name.Value == `"PATH"`
}
