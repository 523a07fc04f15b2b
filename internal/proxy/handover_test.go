package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mishap/internal/freeport"
	"mishap/internal/proxy"
)

// heir is a successor in this process.
type heir struct {
	t       *testing.T
	options proxy.Options
	fails   error
	goOn    chan struct{}
	ready   chan []proxy.ProxyStatus
	ended   chan error
	ctx     context.Context
}

func newHeir(t *testing.T, o proxy.Options) *heir {
	ctx, cancel := context.WithCancel(context.Background())
	h := &heir{t: t, options: o, goOn: make(chan struct{}), ready: make(chan []proxy.ProxyStatus, 1), ended: make(chan error, 1), ctx: ctx}
	t.Cleanup(func() { cancel(); <-h.ended })
	return h
}

func (h *heir) Start(ports proxy.Ports) error {
	if h.fails != nil {
		h.ended <- nil
		return h.fails
	}
	taken := make(chan struct{})
	o := h.options
	o.Ports = proxy.Ports{}
	for name, f := range ports { // as a process does that inherits them
		fd, err := syscall.Dup(int(f.Fd()))
		if err != nil {
			return err
		}
		o.Ports[name] = os.NewFile(uintptr(fd), name)
	}
	o.Standby = func() error { close(taken); <-h.goOn; return nil }
	o.Ready = func(list []proxy.ProxyStatus) { h.ready <- list }
	go func() { h.ended <- proxy.Serve(h.ctx, o) }()
	<-taken
	return nil
}

func (h *heir) Release() error { close(h.goOn); return nil }

func TestARestartBreaksNoConnectionAndKeepsNoFault(t *testing.T) {
	succeed := make(chan proxy.Successor)
	service := upstream(t, echo)
	ended := make(chan error, 1)
	o := proxy.Options{Listeners: []proxy.Listener{{Name: "web", Listen: freeport.Address(), Upstream: service, Control: filepath.Join(t.TempDir(), "c.sock")}}, Succeed: succeed}
	ready := make(chan []proxy.ProxyStatus, 1)
	first := o
	first.Ready = func(list []proxy.ProxyStatus) { ready <- list }
	go func() { ended <- proxy.Serve(t.Context(), first) }()
	r := &rig{Client: proxy.NewClient(o.Listeners[0].Control), t: t, addr: (<-ready)[0].Listen}
	old := r.dial()
	r.put(fault("slow", 9*time.Minute))

	failing := newHeir(t, o)
	failing.fails = errors.New("it is broken")
	succeed <- failing
	if list, err := r.List(t.Context()); err != nil || len(list) != 1 || list[0].State != proxy.InForce {
		t.Errorf("after a successor that does not start: %+v, %v", list, err)
	}

	next := newHeir(t, o)
	succeed <- next
	list := <-next.ready
	if list[0].Listen != r.addr {
		t.Errorf("the successor listens on %s, not %s", list[0].Listen, r.addr)
	}
	ask(t, old, "the old connection goes on, without its fault")
	ask(t, r.dial(), "a new one too")
	if faults, err := r.List(t.Context()); err != nil || len(faults) != 0 {
		t.Errorf("faults of the successor: %+v, %v", faults, err)
	}
	if now, err := r.Proxies(t.Context()); err != nil || now[0].Total != 1 {
		t.Errorf("the successor has had %+v, %v", now, err)
	}
	select {
	case err := <-ended:
		t.Errorf("the old server ended with an open connection: %v", err)
	default:
	}
	_ = old.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestARestartLetsRequestsOfHTTPEnd(t *testing.T) {
	succeed := make(chan proxy.Successor)
	hold := make(chan struct{})
	service := newService(t, func(w http.ResponseWriter, _ *http.Request) {
		<-hold
		fmt.Fprint(w, "whole")
	})
	ended, ready := make(chan error, 1), make(chan []proxy.ProxyStatus, 1)
	o := proxy.Options{Listeners: []proxy.Listener{{Name: "web", Listen: freeport.Address(), Upstream: service, Protocol: proxy.HTTP, Control: filepath.Join(t.TempDir(), "c.sock")}}, Succeed: succeed}
	first := o
	first.Ready = func(list []proxy.ProxyStatus) { ready <- list }
	go func() { ended <- proxy.Serve(t.Context(), first) }()
	r := &rig{Client: proxy.NewClient(o.Listeners[0].Control), t: t, addr: (<-ready)[0].Listen}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answered := make(chan string, 1)
	go func() {
		_, text, err := r.ask(c, "GET", "/")
		answered <- fmt.Sprint(text, err)
	}()
	eventually(t, "the request is under way", func() bool { p, _ := r.Proxies(t.Context()); return p[0].Open == 1 })
	next := newHeir(t, o)
	succeed <- next
	<-next.ready
	close(hold)
	if got := <-answered; got != "whole<nil>" {
		t.Errorf("got %s", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
