package proxy_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap/internal/freeport"
	"mishap/internal/proxy/fault"
)

// program finds a server that may be installed, or skips the test and says so.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Skipf("SKIPPED: %s is installed neither in PATH nor in /usr/sbin, so nothing was tested against the real one", name)
	return ""
}

// run starts a real server, waits until it accepts, and kills it and its children at the end of the test.
func run(t *testing.T, address, path string, args ...string) {
	t.Helper()
	var output strings.Builder
	command := exec.Command(path, args...)
	command.Stdout, command.Stderr = &output, &output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait()
		if t.Failed() {
			t.Logf("%s said: %s", path, &output)
		}
	})
	eventually(t, "the server accepts", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func TestRealRedis(t *testing.T) {
	path, address := program(t, "redis-server"), freeport.Address()
	_, port, _ := net.SplitHostPort(address)
	run(t, address, path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	r := start(t, address)
	c := r.dial()
	answers := bufio.NewReader(c)
	call := func(command, want string) time.Duration {
		t.Helper()
		begin := time.Now()
		_, _ = io.WriteString(c, command+"\r\n")
		if got, err := answers.ReadString('\n'); err != nil || got != want+"\r\n" {
			t.Fatalf("%.20s: got %q, %v", command, got, err)
		}
		return time.Since(begin)
	}
	call("SET k 1", "+OK")
	r.put(delaying("slow", 50*time.Millisecond))
	for n := range 5 {
		if took := call("INCR k", fmt.Sprintf(":%d", n+2)); took < 50*time.Millisecond {
			t.Fatalf("answered after %v", took)
		}
	}
	s := r.remove("slow").Stats
	if s.Chunks != 5 || s.Connections != 1 {
		t.Fatalf("stats: %+v", s)
	}
	t.Logf("delivered %v", s.Delivered)
	call("INCR k", ":7") // the same connection, after the fault

	// A bulk value of 10 MB passes a fault that comes and goes.
	value := string(payload(4, 10<<20))
	go func() {
		_, _ = fmt.Fprintf(c, "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n%s\r\nGET big\r\n", len(value), value)
	}()
	both := delaying("both", 20*time.Millisecond)
	both.Direction = fault.Both
	r.put(both)
	for _, want := range []string{"+OK\r\n", fmt.Sprintf("$%d\r\n", len(value))} {
		if got, err := answers.ReadString('\n'); err != nil || got != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	r.remove("both")
	got := make([]byte, len(value)+2)
	if _, err := io.ReadFull(answers, got); err != nil || string(got) != value+"\r\n" {
		t.Fatalf("the value was changed, %v", err)
	}
}

const nginxConfig = `daemon off; master_process off; pid %[1]s/pid; error_log stderr; events {}
http { access_log off; default_type application/octet-stream;
client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d;
scgi_temp_path %[1]s/e;
server { listen %[2]s; root %[1]s; } }`

func TestRealNginx(t *testing.T) {
	path, address, dir := program(t, "nginx"), freeport.Address(), t.TempDir()
	content, config := payload(5, 10<<20), filepath.Join(dir, "nginx.conf")
	for name, data := range map[string][]byte{"file": content, "nginx.conf": fmt.Appendf(nil, nginxConfig, dir, address)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, address, path, "-c", config, "-p", dir)
	r := start(t, address)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: patience}
	get := func() time.Duration {
		t.Helper()
		begin := time.Now()
		answer, err := client.Get("http://" + r.addr + "/file")
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin)
		defer answer.Body.Close()
		hash := sha256.New()
		if n, err := io.Copy(hash, answer.Body); err != nil || int(n) != len(content) {
			t.Fatalf("got %d bytes, %v", n, err)
		}
		if want := sha256.Sum256(content); string(want[:]) != string(hash.Sum(nil)) {
			t.Fatal("the file was changed")
		}
		return took
	}
	get()
	r.put(delaying("slow", 50*time.Millisecond))
	if took := get(); took < 50*time.Millisecond {
		t.Fatalf("answered after %v", took)
	}
	s := r.remove("slow").Stats
	t.Logf("delivered %v", s.Delivered)
	get()
	list, err := r.Proxies(t.Context())
	if err != nil || list[0].Total != 1 || s.Bytes < uint64(len(content)) {
		t.Fatalf("all went over one connection, with %d bytes delayed: %+v, %v", s.Bytes, list, err)
	}
}
