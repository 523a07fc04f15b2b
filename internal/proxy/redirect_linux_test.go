package proxy_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/listener"
)

// TestARedirectByNftablesNeedsNoChangeToPrograms runs the shipped example in a network namespace of its own, which ends
// with the process that made it.
func TestARedirectByNftablesNeedsNoChangeToPrograms(t *testing.T) {
	if os.Getenv("MISHAP_TEST_NAMESPACE") != "" {
		redirected(t)
		return
	}
	if _, err := exec.LookPath("nft"); err != nil || os.Geteuid() != 0 {
		t.Skip("SKIPPED: it needs nft, and root")
	}
	self := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	self.Env = append(os.Environ(), "MISHAP_TEST_NAMESPACE=1")
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the kernel ends the process with the thread that started it
	defer runtime.UnlockOSThread()
	out, err := self.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skip(string(out))
	}
}

// redirected runs inside of the namespace.
func redirected(t *testing.T) {
	if err := nettest.LoopbackUp(); err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../../deploy/proxy/redirect.nft")
	if err != nil {
		t.Fatal(err)
	}
	service := nettest.Serve(t, nettest.Echo)
	_, port, _ := net.SplitHostPort(service)
	r := startWith(t, "", func(o *proxy.Options) { o.Listeners[0].Upstream = listener.Original })
	_, own, _ := net.SplitHostPort(r.addr)
	text := string(rules)
	for define, value := range map[string]string{"user": "0", "port": port, "proxy": own} {
		text = regexp.MustCompile(`(?m)^define `+define+` = .*$`).ReplaceAllString(text, "define "+define+" = "+value)
	}
	file := filepath.Join(t.TempDir(), "redirect.nft")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // loading it twice is loading it once
		if out, err := exec.Command("nft", "-f", file).CombinedOutput(); err != nil {
			if strings.Contains(string(out), "not supported") || strings.Contains(string(out), "No such file") {
				t.Skipf("SKIPPED: this kernel cannot redirect: %s", out)
			}
			t.Fatalf("%v\n%s", err, out)
		}
	}
	const delay = 30 * time.Millisecond
	r.put(delaying("slow", delay))
	if took := askAs(t, 65534, service); took < delay {
		t.Errorf("a program's answer came after %s, it was not redirected", took)
	}
	r.remove("slow")
	list, err := r.Proxies(t.Context())
	if err != nil || list[0].Total != 1 {
		t.Errorf("the proxy has seen %+v, %v", list, err)
	}
	if askAs(t, 0, service); t.Failed() {
		return
	}
	if list, _ := r.Proxies(t.Context()); list[0].Total != 1 {
		t.Error("the proxy's own user is redirected too")
	}
}

// askAs asks an echo server as another user does, and gives how long the answer took.
func askAs(t *testing.T, user int, address string) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(user); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setfsuid(0) }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	return ask(t, c, "hello")
}
