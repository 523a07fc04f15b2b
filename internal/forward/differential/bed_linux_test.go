package differential

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mishap/internal/freeport"
)

// program is the mishap that is tested: MISHAP_PROGRAM, or else one that is built from this tree, once.
var program = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("MISHAP_PROGRAM"); path != "" {
		return path, nil
	}
	path := filepath.Join(scratch, "mishap")
	out, err := exec.Command("go", "build", "-o", path, "mishap/cmd/mishap").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build mishap: %w: %s", err, out)
	}
	return path, nil
})

// scratch holds what all tests share; TestMain makes it and takes it away.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "differential")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// bed is what one scenario runs on over one route.
type bed struct {
	*testing.T
	full bool
}

// times is how often something is done: often, but in the short form.
func (b *bed) times(short, full int) int {
	if b.full {
		return full
	}
	return short
}

// find looks for a program that may be missing, and skips the test, aloud, if it is.
func find(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Skipf("SKIPPED: there is no %s (.ci/testbed gets it), so nothing was compared with it", name)
	return ""
}

// start starts a program that dies with the test, and waits until it accepts at an address.
func (b *bed) start(address, path string, args ...string) {
	b.Helper()
	var output strings.Builder
	command := exec.Command(path, args...)
	command.Stdout, command.Stderr = &output, &output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	b.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			b.Fatalf("%s ended (%v): %s", path, err, &output)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (b *bed) write(name, text string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// mishap is the address of a mishap proxy in front of an upstream.
func (b *bed) mishap(upstream string) string {
	path, err := program()
	if err != nil {
		b.Fatal(err)
	}
	address := freeport.Address()
	dir := b.TempDir()
	settings := b.write("mishap.yaml", fmt.Sprintf("state: %s\nproxies: [{name: p, listen: %q, upstream: %q, protocol: http, control: %q}]\n",
		dir, address, upstream, filepath.Join(dir, "c")))
	b.start(address, path, "proxy", "--config", settings)
	return address
}

// nginx is the address of an nginx with the given server block, in which LISTEN stands for it.
func (b *bed) nginx(server string) string {
	path := find(b.T, "nginx")
	dir, address := b.TempDir(), freeport.Address()
	text := fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log stderr crit; worker_processes 1;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u;
scgi_temp_path %[1]s/s; %[2]s }`, dir, strings.ReplaceAll(server, "LISTEN", address))
	b.start(address, path, "-p", dir, "-e", "stderr", "-c", b.write("nginx.conf", text))
	return address
}

// through is nginx in front of an upstream.
func (b *bed) through(protocol, upstream string) string {
	if protocol == "h2" {
		return b.nginx(`server { listen LISTEN http2; client_max_body_size 0; keepalive_requests 1000000; http2_max_concurrent_streams 1000;
location / { grpc_pass grpc://` + upstream + `; } }`)
	}
	return b.nginx(`upstream up { server ` + upstream + `; keepalive 8; }
server { listen LISTEN; client_max_body_size 0; keepalive_requests 1000000; location / { proxy_pass http://up;
proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; } }`)
}

// listen accepts for a handler, which gets each connection in a goroutine of its own, until the test ends.
func (b *bed) listen(handle func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go func() {
					defer c.Close()
					handle(c)
				}()
			}
		}
	}()
	return l.Addr().String()
}
