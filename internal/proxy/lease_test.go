package proxy_test

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
)

func TestLeaseEndsByItselfAndRenewKeepsIt(t *testing.T) {
	const lease = time.Second
	var clock atomic.Int64 // moved by the test: a busy machine would be late to renew
	r := startWith(t, nettest.Serve(t, nettest.Echo), func(o *proxy.Options) {
		o.SetClock(func() time.Duration { return time.Duration(clock.Load()) })
	})
	kept, lost := delaying("kept", time.Millisecond), delaying("lost", time.Millisecond)
	kept.Expires, lost.Expires = lease, lease
	r.put(kept)
	r.put(lost)
	eventually(t, "the fault that is not renewed expires", func() bool {
		clock.Add(int64(lease / 4))
		if _, err := r.Renew(t.Context(), "kept", lease); err != nil {
			t.Fatal(err)
		}
		return r.get("lost").State == registry.Expired
	})
	if s := r.put(kept); s.State != registry.InForce { // renewed well past its first lease, and once more by put
		t.Fatalf("the renewed fault is %s", s.State)
	}
	if _, err := r.Renew(t.Context(), "lost", lease); !errors.Is(err, control.ErrEnded) {
		t.Fatalf("renewing an expired fault gave %v", err)
	}
	if s := r.remove("lost"); s.State != registry.Expired {
		t.Fatalf("deleting an expired fault gave %s", s.State)
	}
	clock.Add(int64(lease))
	eventually(t, "the other expires too", func() bool { return r.get("kept").State == registry.Expired })
}

// TestLeaseEndsAfterSuspend moves the clock of leases as a suspend does, in which timers stand still.
func TestLeaseEndsAfterSuspend(t *testing.T) {
	var clock atomic.Int64
	r := startWith(t, nettest.Serve(t, nettest.Echo), func(o *proxy.Options) {
		o.SetClock(func() time.Duration { return time.Duration(clock.Load()) })
	})
	c := r.dial()
	f := delaying("f", 10*time.Minute)
	f.Expires = time.Minute
	r.put(f)
	clock.Add(int64(59 * time.Second))
	if s := r.get("f"); s.State != registry.InForce {
		t.Fatalf("before its lease is over the fault is %s", s.State)
	}
	_, _ = io.WriteString(c, "hello")
	clock.Add(int64(time.Second))
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil { // nobody asks about the fault, and yet it ends
		t.Fatal(err)
	}
	if _, err := r.Renew(t.Context(), "f", time.Minute); !errors.Is(err, control.ErrEnded) {
		t.Fatalf("renewing gave %v", err)
	}
}

func TestRestartHasNoFaults(t *testing.T) {
	address := nettest.Serve(t, nettest.Echo)
	r := start(t, address)
	r.put(delaying("f", time.Minute))
	r.stop()
	if _, err := r.Get(t.Context(), "f"); !errors.Is(err, control.ErrNotRunning) {
		t.Fatalf("a stopped proxy answers %v", err)
	}
	serve(t, listener.Config{Name: "web", Listen: "127.0.0.1:0", Upstream: address, Control: r.socket})
	if list, err := r.List(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("after a restart: %v, %v", list, err)
	}
}
