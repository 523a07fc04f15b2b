package differential

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// fine is what a call is that went as its caller wants.
var fine = regexp.MustCompile(`^(grpc OK|stream Canceled|succeeded|status [1234]\d\d body \d+( .*)?|\S+: .*(ended|exit 0))$`)

func (o outcome) errors() (n int) {
	for kind, count := range o {
		if !fine.MatchString(kind) {
			n += count
		}
	}
	return n
}

func (o outcome) String() string {
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(o)) {
		all = append(all, fmt.Sprintf("%d × %s", o[kind], kind))
	}
	return strings.Join(all, "; ")
}

// allows says whether a proxy's client may see a kind, given what direct ones saw.
func (s scenario) allows(direct outcome, kind string) bool {
	for seen := range direct {
		replaced := false
		for pattern, with := range s.instead {
			if at := regexp.MustCompile(pattern).FindStringIndex(seen); at != nil {
				replaced = true
				if regexp.MustCompile("^" + regexp.QuoteMeta(seen[:at[0]]) + with + regexp.QuoteMeta(seen[at[1]:]) + "$").MatchString(kind) {
					return true
				}
			}
		}
		if !replaced && seen == kind {
			return true
		}
	}
	return false
}

// judge says what the proxy added of its own.
func (s scenario) judge(direct, proxied outcome) (wrong []string) {
	if d, p := direct.errors(), proxied.errors(); p > d {
		wrong = append(wrong, fmt.Sprintf("%d errors, direct %d", p, d))
	}
	for kind := range proxied {
		if !s.allows(direct, kind) {
			wrong = append(wrong, fmt.Sprintf("%q, which a direct client does not see", kind))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// TestAProxyAddsNothingOfItsOwn asks each upstream directly, through nginx and through mishap proxy without a fault.
// MISHAP_DIFFERENTIAL=full asks more often, and asks what takes longer; with MISHAP_DIFFERENTIAL_TABLE it appends what
// it saw to that file, as rows of a table.
func TestAProxyAddsNothingOfItsOwn(t *testing.T) {
	if _, err := program(); err != nil {
		t.Fatal(err)
	}
	full := os.Getenv("MISHAP_DIFFERENTIAL") == "full"
	rows := make([]string, len(scenarios()))
	t.Cleanup(func() { writeTable(t, rows) })
	for i, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if s.full && !full {
				t.Skip("in the full form alone: make check-differential")
			}
			direct := s.over(t, full, "direct", func(_ *bed, upstream string) string { return upstream })
			between := outcome(nil)
			if _, err := exec.LookPath("nginx"); err == nil && s.nginx != "" {
				between = s.over(t, full, "nginx", func(b *bed, upstream string) string { return b.through(s.nginx, upstream) })
			}
			proxied := s.over(t, full, "mishap", (*bed).mishap)
			wrong := s.judge(direct, proxied)
			for _, w := range wrong {
				t.Errorf("through mishap: %s", w)
			}
			nginxErrors := "–"
			if between != nil {
				nginxErrors = fmt.Sprint(between.errors())
			}
			rows[i] = fmt.Sprintf("| %s | %d | %s | %d | %d |", s.name, direct.errors(), nginxErrors, proxied.errors(), len(wrong))
			t.Logf("direct: %v\nnginx:  %v\nmishap: %v", direct, between, proxied)
		})
	}
}

// over asks over one route, with an upstream of its own, and takes all down that it needed.
func (s scenario) over(t *testing.T, full bool, name string, route func(*bed, string) string) (o outcome) {
	t.Run(name, func(t *testing.T) {
		b := &bed{t, full}
		o = s.client(b, route(b, s.upstream(b)))
	})
	return o
}

// writeTable appends the rows, if it is told where.
func writeTable(t *testing.T, rows []string) {
	path := os.Getenv("MISHAP_DIFFERENTIAL_TABLE")
	if path == "" {
		return
	}
	text := "| upstream | errors: direct | nginx | mishap | kinds that only mishap shows |\n|---|---|---|---|---|\n" + strings.Join(rows, "\n") + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Error(err)
	}
}

// hole is a port that answers no SYN: its queue of connections is full.
func hole(b *bed) string {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { syscall.Close(fd) })
	address := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := syscall.Bind(fd, address); err != nil {
		b.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		b.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		b.Fatal(err)
	}
	for range 3 {
		c, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { syscall.Close(c) })
		_ = syscall.Connect(c, at)
	}
	return fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
}
