package usestest

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mishap"
)

// seed is a probe for these tests alone, whose work and whose declaration need not
// agree.
type seed struct {
	uses    mishap.Uses
	observe func()
}

func (s seed) kind() mishap.ProbeKind {
	return mishap.ProbeKind{
		Kind: mishap.Kind{Name: "seed"},
		New:  func(mishap.ProbeSpec) (mishap.Probe, error) { return s, nil },
		Uses: func(mishap.ProbeSpec) (mishap.Uses, error) { return s.uses, nil },
	}
}

// Observe does the work.
func (s seed) Observe(context.Context) mishap.Observation {
	s.observe()
	return mishap.Observation{Result: mishap.Met}
}

// find traces one observation of a seed.
func find(t *testing.T, s seed) (undeclared, unused []string) {
	t.Helper()
	kind := s.kind()
	spec := mishap.ProbeSpec{With: json.RawMessage(`{}`)}
	declared, err := kind.Uses(spec)
	if err != nil {
		t.Fatal(err)
	}
	return trace(t, Case{Kind: "probe " + kind.Name, Declared: declared, Granted: mishap.Uses{Files: []string{"/etc/pass*"}}, Work: func() {
		p, err := kind.New(spec)
		if err != nil {
			t.Fatal(err)
		}
		p.Observe(t.Context())
	}})
}

// listen is a server on loopback, and its address.
func listen(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func get(address string) {
	if answer, err := (&http.Client{Transport: &http.Transport{}}).Get("http://" + address); err == nil {
		_ = answer.Body.Close()
	}
}

func start(environ []string, argv ...string) {
	c := exec.Command(argv[0], argv[1:]...)
	c.Env = append(os.Environ(), environ...)
	_ = c.Run()
}

func TestWhatAKindDoesNotDeclareIsFound(t *testing.T) {
	address := listen(t)
	_, port, _ := net.SplitHostPort(address)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	commands := func(c ...mishap.Command) mishap.Uses { return mishap.Uses{Commands: c} }
	for name, c := range map[string]struct {
		seed
		want string // empty: it is declared
	}{
		"a file":                       {seed{mishap.Uses{Files: []string{file + "x"}}, func() { _, _ = os.ReadFile(file) }}, "it opens "},
		"a declared file":              {seed{mishap.Uses{Files: []string{file}}, func() { _, _ = os.ReadFile(file) }}, ""},
		"a file that is not there":     {seed{mishap.Uses{}, func() { _, _ = os.ReadFile("/etc/shadow.not-there") }}, "it opens /etc/shadow.not-there, which Files of its Uses does not have (openat)"},
		"a relative path":              {seed{mishap.Uses{Files: []string{"doc.go"}}, func() { _, _ = os.ReadFile("doc.go"); _, _ = os.ReadFile("./check.go") }}, "/usestest/check.go, which Files"},
		"a folder, and a file in it":   {seed{mishap.Uses{Files: []string{dir}}, func() { r, _ := os.OpenRoot(dir); _, _ = r.ReadFile("file") }}, "/file, which Files"},
		"another path to a file":       {seed{mishap.Uses{Files: []string{file}}, func() { _, _ = os.ReadFile(filepath.Join(dir, "link")) }}, "/link, which Files"},
		"a file by another thread":     {seed{mishap.Uses{}, func() { done := make(chan int); go func() { _, _ = os.ReadFile(file); close(done) }(); <-done }}, "it opens "},
		"a file that is granted":       {seed{mishap.Uses{}, func() { _, _ = os.ReadFile("/etc/passwd") }}, ""},
		"a file with odd signs":        {seed{mishap.Uses{}, func() { _, _ = os.ReadFile("/a\"b, <c>\n\xff") }}, "it opens /a\"b, <c>\n\xff, which"},
		"a change":                     {seed{mishap.Uses{Files: []string{file}}, func() { _ = os.Chmod(file, 0o644) }}, "it changes "},
		"a command":                    {seed{commands(mishap.Command{Program: "true"}), func() { start(nil, "false") }}, `it starts ["false"] as "`},
		"a command that is not there":  {seed{mishap.Uses{}, func() { _ = syscall.Exec("/not/there", []string{"x"}, nil) }}, `it starts ["x"] as "/not/there"`},
		"a declared command":           {seed{commands(mishap.Command{Program: "true"}), func() { start(nil, "true", "x") }}, ""},
		"what that one starts":         {seed{commands(mishap.Command{Program: "sh"}), func() { start(nil, "sh", "-c", "/bin/true; cat /etc/shells; exec ls") }}, ""},
		"a shell":                      {seed{commands(mishap.Command{Shell: "exit 0"}), func() { start(nil, "/bin/sh", "-c", "exit 1") }}, `it starts ["/bin/sh" "-c" "exit 1"]`},
		"a declared shell":             {seed{commands(mishap.Command{Shell: "exit 0"}), func() { start(nil, "/bin/sh", "-c", "exit 0") }}, ""},
		"a shell instead of a program": {seed{commands(mishap.Command{Program: "exit 0"}), func() { start(nil, "/bin/sh", "-c", "exit 0") }}, `it starts ["/bin/sh"`},
		"a variable":                   {seed{commands(mishap.Command{Program: "true", Env: []string{"A"}}), func() { start([]string{"A=1", "LD_PRELOAD=/x.so"}, "true") }}, "with the variable LD_PRELOAD"},
		"a variable that is changed":   {seed{commands(mishap.Command{Program: "true"}), func() { start([]string{"PATH=/x"}, "true") }}, "with the variable PATH"},
		"a declared variable":          {seed{commands(mishap.Command{Program: "true", Env: []string{"A"}}), func() { start([]string{"A=1"}, "true") }}, ""},
		"a host":                       {seed{mishap.Uses{Hosts: []string{"127.0.0.1:1"}}, func() { get(address) }}, "it connects to 127.0.0.1:"},
		"a declared host":              {seed{mishap.Uses{Hosts: []string{address}}, func() { get(address) }}, ""},
		"a declared name":              {seed{mishap.Uses{Hosts: []string{"localhost:" + port}}, func() { get("localhost:" + port) }}, ""},
		"another port of a host":       {seed{mishap.Uses{Hosts: []string{"localhost:1"}}, func() { get("localhost:" + port) }}, "it connects to "},
		"an address of IPv6":           {seed{mishap.Uses{}, func() { get("[::1]:1") }}, "it connects to [::1]:1"},
		"a server of names":            {seed{mishap.Uses{}, func() { _, _ = net.Dial("udp", "127.0.0.1:53") }}, "it connects to 127.0.0.1:53"},
		"a datagram": {seed{mishap.Uses{}, func() {
			c, _ := net.ListenPacket("udp", "127.0.0.1:0")
			_, _ = c.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})
		}}, "it connects to 127.0.0.1:9"},
		"a socket":           {seed{mishap.Uses{}, func() { _, _ = net.Dial("unix", "/not/there.sock") }}, "it connects to unix:/not/there.sock"},
		"a socket's name":    {seed{mishap.Uses{}, func() { _, _ = net.Dial("unix", "@there") }}, "it connects to unix:@there"},
		"a kind without any": {seed{mishap.Uses{}, func() {}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			undeclared, _ := find(t, c.seed)
			found := strings.Join(undeclared, "\n")
			if (found == "") != (c.want == "") || !strings.Contains(found, c.want) || found != "" && !strings.HasPrefix(found, "probe seed: ") {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}

func TestWhatIsDeclaredAndNotUsedIsListed(t *testing.T) {
	_, unused := find(t, seed{
		mishap.Uses{Commands: []mishap.Command{{Program: "true"}, {Shell: "exit"}}, Files: []string{"/a", "/b"}, Hosts: []string{"a:1"}},
		func() { _, _ = os.ReadFile("/b") },
	})
	if got := strings.Join(unused, ", "); got != `command true, shell "exit", file /a, host a:1` {
		t.Errorf("unused: %s", got)
	}
}

func TestATraceWithoutItsMarksIsNone(t *testing.T) {
	for _, log := range []string{"", `1 openat(AT_FDCWD<\x2f>, "\x2f\x61", O_RDONLY) = 3<\x2f\x61>` + "\n"} {
		if used, err := between([]byte(log)); err == nil {
			t.Errorf("it is taken for the trace of %v", used)
		}
	}
}
