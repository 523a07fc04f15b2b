package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
)

func TestEndedIDIsNotTakenAgain(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	f := delaying("f", time.Second)
	r.put(f)
	r.remove("f")
	_, err := r.Put(t.Context(), f)
	if !errors.Is(err, control.ErrEnded) {
		t.Fatalf("putting an ended fault gave %v", err)
	}
}

func TestDeleteBeforePutWins(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	for range 2 {
		if s := r.remove("late"); s.State != registry.Ended {
			t.Fatalf("state %s", s.State)
		}
	}
	if _, err := r.Put(t.Context(), delaying("late", time.Second)); !errors.Is(err, control.ErrEnded) {
		t.Fatalf("a put that comes late gave %v", err)
	}
	if list, err := r.List(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("list: %v, %v", list, err)
	}
}

// TestEndedIDIsRememberedAfterItsStats ends more faults than the proxy keeps stats of.
func TestEndedIDIsRememberedAfterItsStats(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	f := delaying("first", time.Second)
	r.put(f)
	for i := range 1100 {
		r.remove(fmt.Sprint("other", i))
	}
	if _, err := r.Put(t.Context(), f); err != nil {
		t.Fatalf("a fault in force must be kept: %v", err)
	}
	r.remove("first")
	for i := range 1100 {
		r.remove(fmt.Sprint("more", i))
	}
	if _, err := r.Put(t.Context(), f); !errors.Is(err, control.ErrEnded) {
		t.Fatalf("put gave %v", err)
	}
	if s := r.remove("first"); s.State != registry.Ended {
		t.Fatalf("delete gave %+v", s)
	}
}

func TestBadFaultsAreRefused(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	r.put(delaying("taken", time.Second))
	for _, c := range []struct {
		name   string
		change func(*fault.Fault)
		want   string
	}{
		{"id", func(f *fault.Fault) { f.ID = "a b" }, "letters, digits"},
		{"no delay", func(f *fault.Fault) { f.Effect = latency(0, 0) }, "delay 0s must be above 0"},
		{"long delay", func(f *fault.Fault) { f.Effect = latency(time.Hour, 0) }, "at most 10m0s"},
		{"jitter", func(f *fault.Fault) { f.Effect = latency(time.Second, 2*time.Second) }, "jitter 2s must be between 0 and the delay"},
		{"direction", func(f *fault.Fault) { f.Direction = "left" }, "must be upstream, downstream or both"},
		{"share", func(f *fault.Fault) { f.Share = 1.5 }, "share 1.5 must be"},
		{"no lease", func(f *fault.Fault) { f.Expires = 0 }, "expires 0s must be above 0"},
		{"long lease", func(f *fault.Fault) { f.Expires = 2 * time.Hour }, "at most 1h0m0s"},
		{"proxy", func(f *fault.Fault) { f.Proxy = "db" }, "there is no proxy named \"db\" (the proxies here are: web)"},
		{"content", func(f *fault.Fault) { f.ID, f.Run, f.Seed = "taken", "another", 3 }, "in force with other content"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := delaying("f", time.Second)
			c.change(&f)
			if _, err := r.Put(t.Context(), f); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
	if list, err := r.List(t.Context()); err != nil || len(list) != 1 {
		t.Fatalf("a refused fault was kept: %v, %v", list, err)
	}
}

func TestUnknownFaultIsNotFound(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	if _, err := r.Get(t.Context(), "nothing"); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("get gave %v", err)
	}
	if _, err := r.Renew(t.Context(), "nothing", time.Second); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("renew gave %v", err)
	}
}

func TestBadRequestsAreExplained(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", r.socket)
		},
	}}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", "/v1/faults/f", `{"delay": 3}`, 400},
		{"PUT", "/v1/faults/f", `{"dellay": "3s"}`, 400},
		{"PUT", "/v1/faults/f", `{"id": "g"}`, 400},
		{"PUT", "/v1/faults/f", `{`, 400},
		{"PUT", "/v1/faults/f", `{} {}`, 400},
		{"PUT", "/v1/faults/f", strings.Repeat(" ", 300<<10), 413},
		{"POST", "/v1/faults/f/renew", `{"expires": "soon"}`, 400},
		{"PATCH", "/v1/faults/f", ``, 404},
		{"GET", "/", ``, 404},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, "http://proxy"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.status || answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %.20q: %s, want %d", c.method, c.path, c.body, answer.Status, c.status)
		}
	}
}

func TestOnlyTheOwnerReachesTheControlSocket(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	info, err := os.Stat(r.socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	r.stop()
	if _, err := os.Lstat(r.socket); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("after the end the socket is still there: %v", err)
	}
}

func TestStaleControlSocketIsReplacedAndNoOther(t *testing.T) {
	address := nettest.Serve(t, nettest.Echo)
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    string // of the error; "" if it is replaced
	}{
		{"of a dead process", func(t *testing.T, path string) {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
		}, ""},
		{"of a running proxy", func(t *testing.T, path string) {
			serve(t, listener.Config{Name: "web", Listen: "127.0.0.1:0", Upstream: address, Control: path})
		}, "belongs to a running proxy"},
		{"of another program", func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, "belongs to another running program"},
		{"a file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is not a socket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.sock")
			c.prepare(t, path)
			web := listener.Config{Name: "web", Listen: "127.0.0.1:0", Upstream: address, Control: path}
			if c.want == "" {
				serve(t, web)
				return
			}
			err := proxy.Serve(t.Context(), proxy.Options{Listeners: []listener.Config{web}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if _, err := os.Lstat(path); err != nil {
				t.Fatalf("what was there is gone: %v", err)
			}
		})
	}
}

func TestStartNamesEveryProblem(t *testing.T) {
	taken := nettest.Serve(t, nettest.Echo)
	socket := filepath.Join(t.TempDir(), "c.sock")
	for _, c := range []struct {
		name      string
		listeners []listener.Config
		want      []string
	}{
		{"nothing", nil, []string{"there is no proxy to run"}},
		{"form", []listener.Config{
			{Name: "a b", Listen: "8080", Upstream: "127.0.0.1:0"},
			{Name: "web", Listen: "127.0.0.1:7001", Upstream: ":80"},
			{Name: "web", Listen: ":7001", Upstream: ":7001"},
		}, []string{"no proxy names a control socket", "proxy name \"a b\"", "write host:port", "port \"0\"",
			"upstream without a host", "two proxies are named \"web\"", "both listen on port", "forward to itself"}},
		{"ports", []listener.Config{
			{Name: "good", Listen: "127.0.0.1:0", Upstream: taken, Control: socket},
			{Name: "api", Listen: taken, Upstream: "127.0.0.1:1"},
			{Name: "far", Listen: "192.0.2.1:0", Upstream: "127.0.0.1:1"},
		}, []string{"proxy \"api\" cannot listen on " + taken + ": the port is in use", "proxy \"far\" cannot listen"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := proxy.Serve(t.Context(), proxy.Options{Listeners: c.listeners})
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
}

func TestProxiesTellRealAddresses(t *testing.T) {
	first, second := nettest.Serve(t, nettest.Echo), nettest.Serve(t, nettest.Echo)
	socket := filepath.Join(t.TempDir(), "c.sock")
	list, _ := serve(t, listener.Config{Name: "a", Listen: "127.0.0.1:0", Upstream: first, Control: socket},
		listener.Config{Name: "b", Listen: "127.0.0.1:0", Upstream: second})
	again, err := control.NewClient(socket).Proxies(t.Context())
	if err != nil || len(list) != 2 || len(again) != 2 || again[0] != list[0] || again[1] != list[1] {
		t.Fatalf("told %v, then %v, %v", list, again, err)
	}
	for i, want := range []string{first, second} {
		if list[i].Upstream != want || strings.HasSuffix(list[i].Listen, ":0") {
			t.Errorf("told %+v", list[i])
		}
	}
}
