package proxy_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
)

// siblings are two proxies with the same upstream, and one with another.
func siblings(t *testing.T) *rig {
	up := nettest.Serve(t, nettest.Echo)
	return startWith(t, up, func(o *proxy.Options) {
		control := o.Listeners[0].Control
		o.Listeners = append(o.Listeners,
			listener.Config{Name: "web2", Listen: "127.0.0.1:0", Upstream: up, Control: control},
			listener.Config{Name: "other", Listen: "127.0.0.1:0", Upstream: nettest.Serve(t, nettest.Echo), Control: control})
	})
}

func on(f fault.Fault, proxy, run string) fault.Fault {
	f.Proxy, f.Run = proxy, run
	return f
}

func (r *rig) own(name, run string, renew bool) (registry.Owned, error) {
	return r.Own(r.t.Context(), name, registry.Owner{Run: run, Expires: time.Hour, Renew: renew})
}

func TestAProxyBelongsToOneRun(t *testing.T) {
	r := siblings(t)
	for range 2 { // it may be said again
		if _, err := r.own("web", "one", false); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"web": "proxy web belongs to run one", "web2": "proxy web, which has the same upstream as web2, belongs to run one"} {
		if _, err := r.own(name, "two", false); !errors.Is(err, control.ErrOwned) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s was given to two runs: %v", name, err)
		}
		if _, err := r.Put(t.Context(), on(delaying("f-"+name, time.Minute), name, "two")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a fault of another run was put into %s: %v", name, err)
		}
	}
	if _, err := r.own("other", "two", false); err != nil {
		t.Errorf("a proxy of another upstream: %v", err)
	}
	r.put(on(delaying("own", time.Minute), "web", "one"))
	r.put(on(delaying("own2", time.Minute), "web2", "one"))
	if owned, err := r.Disown(t.Context(), "web", "two"); err != nil || owned.Disturbed != nil {
		t.Errorf("given back by another run: %v, %v", owned, err)
	}
	owned, err := r.Disown(t.Context(), "web", "one")
	if err != nil || owned.Disturbed != nil {
		t.Errorf("a run's own faults disturb it: %v, %v", owned, err)
	}
	if _, err := r.own("web", "two", false); !errors.Is(err, control.ErrOwned) || !strings.Contains(err.Error(), "by run one") {
		t.Errorf("given to a run while a fault of another is in: %v", err)
	}
	r.remove("own")
	r.remove("own2")
	if _, err := r.own("web", "two", false); err != nil {
		t.Errorf("free again: %v", err)
	}
}

func TestAnUpstreamBelongsToOneRunHoweverItIsWritten(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "c.sock")
	var all []listener.Config
	for name, upstream := range map[string]string{"a": "127.0.0.1:9", "b": "localhost:9", "c": "LocalHost:9", "d": "[::ffff:127.0.0.1]:9", "e": "127.0.0.1:10"} {
		all = append(all, listener.Config{Name: name, Listen: "127.0.0.1:0", Upstream: upstream, Control: socket})
	}
	serve(t, all...)
	r := &rig{Client: control.NewClient(socket), t: t}
	if _, err := r.own("a", "one", false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b", "c", "d"} {
		if _, err := r.own(name, "two", false); !errors.Is(err, control.ErrOwned) {
			t.Errorf("%s was given to another run: %v", name, err)
		}
	}
	if _, err := r.own("e", "two", false); err != nil {
		t.Errorf("another port: %v", err)
	}
}

func TestWhatIsInAProxyAlreadyIsNamed(t *testing.T) {
	r := siblings(t)
	r.put(on(delaying("left", time.Minute), "web2", ""))
	if _, err := r.own("web", "one", false); !errors.Is(err, control.ErrOwned) || !strings.Contains(err.Error(), "left (latency) was injected by hand") {
		t.Errorf("owned with a fault in: %v", err)
	}
	r.remove("left")
	if _, err := r.own("web", "one", false); err != nil {
		t.Error(err)
	}
}

func TestWhatAHandChangesIsToldToTheOwner(t *testing.T) {
	r := siblings(t)
	if _, err := r.own("web", "one", false); err != nil {
		t.Fatal(err)
	}
	r.put(on(delaying("own", time.Minute), "web", "one"))
	if s := r.put(on(delaying("hand", time.Minute), "web2", "")); s.Spoils != "one" {
		t.Errorf("whoever puts a fault in is not told: %+v", s)
	}
	r.put(on(delaying("hand", time.Minute), "web2", "")) // renewed: nothing new
	r.put(on(delaying("free", time.Minute), "other", ""))
	r.remove("hand")
	r.remove("own") // by hand too
	owned, err := r.own("web", "one", true)
	if err != nil || len(owned.Disturbed) != 2 {
		t.Fatalf("told %+v, %v", owned, err)
	}
	for i, want := range []string{"fault hand (latency) was injected", "fault own (latency) was removed"} {
		if d := owned.Disturbed[i]; d.What != want || d.By != "by hand" || d.Ago < 0 {
			t.Errorf("told %+v, want %q", d, want)
		}
	}
	if list, err := r.Proxies(t.Context()); err != nil || list[0].Run != "one" || list[2].Run != "" {
		t.Errorf("listed as %+v, %v", list, err)
	}
}

func TestARunTakesOutItsOwnFaultsUndisturbed(t *testing.T) {
	r := siblings(t)
	if _, err := r.own("web", "one", false); err != nil {
		t.Fatal(err)
	}
	r.put(on(delaying("own", time.Minute), "web", "one"))
	if s, err := r.Retract(t.Context(), "own", "one"); err != nil || s.State != registry.Ended || s.Spoils != "" {
		t.Errorf("%+v, %v", s, err)
	}
	if owned, err := r.own("web", "one", true); err != nil || owned.Disturbed != nil {
		t.Errorf("told %+v, %v", owned, err)
	}
}

func TestAProxyIsNobodysWhenItsRunIsGone(t *testing.T) {
	var clock atomic.Int64
	r := startWith(t, nettest.Serve(t, nettest.Echo), func(o *proxy.Options) {
		o.SetClock(func() time.Duration { return time.Duration(clock.Load()) })
	})
	if _, err := r.own("web", "one", false); err != nil {
		t.Fatal(err)
	}
	clock.Add(int64(time.Hour))
	if _, err := r.own("web", "one", true); !errors.Is(err, control.ErrEnded) {
		t.Errorf("a run that was silent too long kept it: %v", err)
	}
	if _, err := r.own("web", "two", false); err != nil {
		t.Errorf("the next run: %v", err)
	}
	if _, err := r.own("web", "one", true); !errors.Is(err, control.ErrEnded) {
		t.Errorf("the first run again: %v", err)
	}
}

func TestAnOwnerThatCannotBeIsRefused(t *testing.T) {
	r := siblings(t)
	for want, o := range map[string]registry.Owner{"run must be": {Expires: time.Second}, "expires": {Run: "r"}} {
		if _, err := r.Own(t.Context(), "web", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := r.own("none", "r", false); err == nil || !strings.Contains(err.Error(), "there is no proxy") {
		t.Error(err)
	}
}
