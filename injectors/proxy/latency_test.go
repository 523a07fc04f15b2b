package proxy_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/injectors/proxy"
)

// memoryProxy is a proxy that keeps its faults in a map.
type memoryProxy struct {
	down   bool
	faults map[string]proxy.Fault
}

// Put puts a fault in, or renews it.
func (p *memoryProxy) Put(_ context.Context, f proxy.Fault) error {
	if p.down {
		return proxy.ErrDown
	}
	p.faults[f.ID] = f
	return nil
}

// Get says how a fault does.
func (p *memoryProxy) Get(_ context.Context, id string) (proxy.Status, error) {
	if p.down {
		return proxy.Status{}, proxy.ErrDown
	}
	if _, ok := p.faults[id]; !ok {
		return proxy.Status{}, proxy.ErrFaultOver
	}
	return proxy.Status{InForce: true, Traffic: &mishap.Traffic{Connections: 3, Mean: mishap.Duration(time.Second)}}, nil
}

// Delete takes a fault out.
func (p *memoryProxy) Own(context.Context, string, string, time.Duration, bool) ([]mishap.Disturbance, error) {
	return nil, nil
}

func (p *memoryProxy) Disown(context.Context, string, string) error { return nil }

func (p *memoryProxy) Delete(_ context.Context, id, _ string) error {
	if p.down {
		return proxy.ErrDown
	}
	delete(p.faults, id)
	return nil
}

func (p *memoryProxy) restart() { p.faults = map[string]proxy.Fault{} }

func memoryDeps(p *memoryProxy) proxy.Deps {
	return proxy.Deps{
		Lease: 15 * time.Second,
		Proxies: func() []proxy.Address {
			return []proxy.Address{{Name: "payments", Control: "c.sock"}}
		},
		Control: func(string) proxy.Control { return p },
	}
}

func TestProxyLatencyTellsTheProxyEverythingThatWasAsked(t *testing.T) {
	p := &memoryProxy{faults: map[string]proxy.Fault{}}
	f := fault("proxy-latency", `{"proxy": "payments"}`, `{"delay": "300ms", "jitter": "50ms", "direction": "both", "share": "25%", "seed": 7}`)
	injector, found, err := prepared(t, memoryDeps(p), f)
	if err != nil {
		t.Fatal(err)
	}
	in := found[0]
	in.For = mishap.Duration(time.Minute) // longer than the lease
	if in.Share != 0.25 || in.Matched != 1 {
		t.Errorf("share %s, %d matched", in.Share, in.Matched)
	}
	if diff := cmp.Diff([]mishap.Key{{Thing: "proxy/c.sock/payments", Attribute: "latency"}}, in.Keys); diff != "" {
		t.Error(diff)
	}
	if err := injector.Inject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	want := proxy.Fault{ID: in.ID, Run: "run", Proxy: "payments", Kind: "latency",
		With:      raw(`{"correlation":0,"delay":"300ms","distribution":"","jitter":"50ms","per":"","trace":null}`),
		Direction: "both", Seed: 7, Share: 0.25, Expires: 15 * time.Second}
	if diff := cmp.Diff(want, p.faults[in.ID]); diff != "" {
		t.Error(diff)
	}
	effect, err := injector.Verify(t.Context(), in)
	if err != nil || effect.InForce != mishap.Yes || effect.Traffic == nil || effect.Traffic.Connections != 3 ||
		effect.Traffic.Requested.Std() != 300*time.Millisecond {
		t.Errorf("verify: %+v, %+v, %v", effect, effect.Traffic, err)
	}
}

func TestProxyLatencyDelaysEveryConnectionDownstreamUnlessSaid(t *testing.T) {
	p := &memoryProxy{faults: map[string]proxy.Fault{}}
	injector, found, err := prepared(t, memoryDeps(p), fault("proxy-latency", `{"proxy": "payments"}`, `{"delay": "1s"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := injector.Inject(t.Context(), found[0]); err != nil {
		t.Fatal(err)
	}
	if f := p.faults[found[0].ID]; f.Share != 1 || f.Direction != "downstream" || found[0].Share != 0 {
		t.Errorf("fault %+v, share of the injection %s", f, found[0].Share)
	}
}

func TestALeaseInAProxyEndsSoonAfterTheTimeOfItsFault(t *testing.T) {
	p := &memoryProxy{faults: map[string]proxy.Fault{}}
	injector, found, err := prepared(t, memoryDeps(p), latency("payments"))
	if err != nil {
		t.Fatal(err)
	}
	for left, want := range map[time.Duration]time.Duration{
		0: 10 * time.Second, time.Millisecond: 5001 * time.Millisecond, 2 * time.Second: 7 * time.Second, time.Hour: 15 * time.Second,
	} {
		found[0].For = mishap.Duration(left)
		if err := injector.Inject(t.Context(), found[0]); err != nil || p.faults[found[0].ID].Expires != want {
			t.Errorf("with %s left it expires in %s, want %s (%v)", left, p.faults[found[0].ID].Expires, want, err)
		}
	}
}

func TestARestartedProxyIsNotInjectedAgain(t *testing.T) {
	p := &memoryProxy{faults: map[string]proxy.Fault{}}
	injector, found, err := prepared(t, memoryDeps(p), latency("payments"))
	if err != nil {
		t.Fatal(err)
	}
	if err := injector.Inject(t.Context(), found[0]); err != nil {
		t.Fatal(err)
	}
	p.restart()
	renewer := injector.(interface {
		Renew(context.Context, mishap.Injection) error
	})
	if err := renewer.Renew(t.Context(), found[0]); !errors.Is(err, proxy.ErrFaultOver) || len(p.faults) != 0 {
		t.Errorf("renew: %v; faults %v", err, p.faults)
	}
	if effect, err := injector.Verify(t.Context(), found[0]); err != nil || effect.InForce != mishap.No {
		t.Errorf("verify: %+v, %v", effect, err)
	}
}

func TestWhetherAFaultIsInAProxyThatDoesNotAnswerIsUnknown(t *testing.T) {
	p := &memoryProxy{faults: map[string]proxy.Fault{}}
	injector, found, err := prepared(t, memoryDeps(p), latency("payments"))
	if err != nil {
		t.Fatal(err)
	}
	p.down = true
	if effect, err := injector.Verify(t.Context(), found[0]); err != nil || effect.InForce != mishap.Unknown {
		t.Errorf("verify: %+v, %v", effect, err)
	}
}

func TestProxyLatencyNamesEveryProblem(t *testing.T) {
	for _, test := range []struct {
		targets, with string
		want          []string
	}{
		{``, `{"delay": "1s"}`, []string{"targets.proxy"}},
		{`{"proxy": "p"}`, ``, []string{"with.delay"}},
		{`{"proxy": "p"}`, `{"delay": "11m"}`, []string{"with.delay"}},
		{`{"proxy": "p"}`, `{"delay": "1s", "jitter": "2s"}`, []string{"with.jitter"}},
		{`{"proxy": "p"}`, `{"delay": "1s", "share": "0%"}`, []string{"with.share"}},
		{`{"proxy": "p"}`, `{"delay": "1s", "direction": "up", "dely": 1}`, []string{"with.dely", "with.direction"}},
		{`{"proxy": "p"}`, `{"delay": "1s", "distribution": "gauss", "per": "byte"}`, []string{"with.distribution", "with.jitter", "with.per"}},
		{`{"proxy": "p"}`, `{"delay": "1s", "distribution": "normal"}`, []string{"with.jitter"}},
		{`{"proxy": "p"}`, `{"delay": "1s", "correlation": "100%"}`, []string{"with.correlation", "with.correlation"}},
		{`{"proxy": "p"}`, `{"delay": "1s", "trace": ["1ms", "11m"]}`, []string{"with.trace", "with.trace[1]"}},
		{`{"proxy": "p"}`, `{"distribution": "trace"}`, []string{"with.trace"}},
	} {
		_, err := kind(proxy.Deps{}, "proxy-latency").New(fault("proxy-latency", test.targets, test.with))
		if diff := cmp.Diff(test.want, paths(err)); diff != "" {
			t.Errorf("%s %s: %v\n%s", test.targets, test.with, err, diff)
		}
	}
}

func TestAnUnknownProxyIsNoTargetAndTheKnownOnesAreNamed(t *testing.T) {
	p := &memoryProxy{faults: map[string]proxy.Fault{}}
	var hinted *mishap.Hinted
	if _, _, err := prepared(t, memoryDeps(p), latency("payment")); !errors.Is(err, mishap.ErrNoTarget) || !errors.As(err, &hinted) || hinted.Hint != `did you mean "payments"?` {
		t.Errorf("prepare: %v, %+v", err, hinted)
	}
}
