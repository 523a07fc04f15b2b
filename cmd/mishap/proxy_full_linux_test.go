package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mishap/internal/freeport"
	"mishap/internal/nettest"
)

// TestAProxyWithoutFileDescriptorsServesWhatItHasAndAnswersItsControl opens more connections than a proxy may have.
// Those that it took go on, the others are refused at once, people are told, and the control API can be reached; when there is
// room, there is service.
func TestAProxyWithoutFileDescriptorsServesWhatItHasAndAnswersItsControl(t *testing.T) {
	upstream := nettest.Serve(t, nettest.Echo)
	dir, address := t.TempDir(), freeport.Address()
	settings := filepath.Join(dir, "mishap.yaml")
	text := fmt.Sprintf("state: ./s\nproxies:\n  - {name: web, listen: %q, upstream: %q}\n", address, upstream)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	proxy := exec.Command("sh", "-c", `ulimit -n 80; exec "$0" proxy --until-eof --config "$1"`, os.Args[0], settings)
	proxy.Env, proxy.Stderr = append(os.Environ(), isProgram), &said
	in, err := proxy.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { _ = in.Close(); _ = proxy.Wait() }
	t.Cleanup(end)
	mishap := func(args ...string) string {
		t.Helper()
		c := program(nil, append(args, "--config", settings)...)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for deadline := time.Now().Add(2 * time.Minute); !answers(address); {
		if time.Now().After(deadline) {
			t.Fatal("the proxy does not answer")
		}
	}
	var open []net.Conn
	t.Cleanup(func() {
		for _, c := range open {
			_ = c.Close()
		}
	})
	for {
		c, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		if !echoes(c) {
			_ = c.Close()
			break
		}
		if open = append(open, c); len(open) > 80 {
			t.Fatal("there was no limit")
		}
	}
	if len(open) < 10 {
		t.Fatalf("%d connections were served", len(open))
	}
	mishap("proxy", "add", "web", "latency", "delay=20ms", "--for", "1h")
	for _, c := range open {
		if !echoes(c) {
			t.Fatal("a connection that was served is not served any more")
		}
	}
	if watch := mishap("proxy", "watch", "--count", "1"); !strings.Contains(watch, "no file descriptor") || !strings.Contains(watch, "latency") {
		t.Errorf("watch says\n%s", watch)
	}
	mishap("proxy", "remove", "--all")
	for _, c := range open {
		_ = c.Close()
	}
	for deadline := time.Now().Add(2 * time.Minute); !answers(address); {
		if time.Now().After(deadline) {
			t.Fatal("there is room again, and no service")
		}
	}
	end()
	if n := strings.Count(said.String(), "raise its limit"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &said)
	}
}

// answers says whether an echo server can be reached at the address.
func answers(address string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	defer c.Close()
	return echoes(c)
}

func echoes(c net.Conn) bool {
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := c.Write([]byte("x")); err != nil {
		return false
	}
	var got [1]byte
	_, err := io.ReadFull(c, got[:])
	return err == nil && got[0] == 'x'
}
