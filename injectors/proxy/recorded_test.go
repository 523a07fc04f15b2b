package proxy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"mishap"
	"mishap/injectors/proxy"
	"mishap/internal/formattest"
)

// TestAFaultInAProxyThatWasRecordedBeforeIsRenewedAndReverted: by its record
// alone, and the proxy is asked for what it was asked for then.
func TestAFaultInAProxyThatWasRecordedBeforeIsRenewedAndReverted(t *testing.T) {
	for name, with := range parameters() {
		t.Run(name, func(t *testing.T) {
			p, deps := recordingProxy(name)
			f := fault(name, `{"proxy": "payments"}`, with)
			req := mishap.Request{Run: "run", Fault: f}
			if kind(deps, name).Arms {
				req.Arms = &mishap.ArmsRequest{Run: "run", Token: "TOKEN", Share: 0.5}
			}
			injector, err := kind(deps, name).New(f)
			if err != nil {
				t.Fatal(err)
			}
			found, err := injector.Prepare(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			heldTo(t, p, deps, injector, f, found[0], false)
		})
	}
}

func TestArmsThatWereRecordedBeforeAreRenewedAndReverted(t *testing.T) {
	p, deps := recordingProxy("proxy-http-abort")
	arms := proxy.RequestArms(deps, halves("payments"), proxy.Exposure{})
	found, err := arms.Prepare(t.Context(), mishap.Request{Run: "run"})
	if err != nil {
		t.Fatal(err)
	}
	heldTo(t, p, deps, arms, mishap.Fault{}, found[0], true)
}

func recordingProxy(name string) (*memoryProxy, proxy.Deps) {
	p := &memoryProxy{faults: map[string]proxy.Fault{}}
	deps := memoryDeps(p)
	address := proxy.Address{Name: "payments", Listen: "127.0.0.1:9001", Upstream: "127.0.0.1:9000", Control: "/run/mishap/proxy.sock"}
	switch {
	case name == "proxy-loss":
		address.Protocol = "udp"
	case strings.Contains(name, "http"), strings.Contains(name, "grpc"):
		address.Protocol = "http"
	}
	deps.Proxies = func() []proxy.Address { return []proxy.Address{address} }
	return p, deps
}

// heldTo injects what is recorded today and what was recorded before, and
// reverts the latter.
func heldTo(t *testing.T, p *memoryProxy, deps proxy.Deps, injector mishap.Injector, f mishap.Fault, in mishap.Injection, shape bool) {
	t.Helper()
	in.ID, in.Run, in.For = "run.1.1", "run", mishap.Duration(60e9)
	if in.Fault == "" {
		in.Fault = f.Name
	}
	if err := injector.Inject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	before := formattest.Undo(t, formattest.Record{Fault: f, Injection: in, Asked: p.faults[in.ID]}, shape)
	p.restart()
	other, err := mishap.Restore(append(proxy.Catalog(deps), proxy.ArmsKind(deps)), before)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Inject(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(formattest.Record{Fault: f, Injection: before, Asked: p.faults[before.ID]})
	if err != nil {
		t.Fatal(err)
	}
	formattest.KeptButForProse(t, "undo/"+before.Injector+".json", text)
	got, err := other.Revert(t.Context(), before)
	if err != nil || got.State != mishap.InjectionReverted || len(p.faults) != 0 {
		t.Errorf("revert: %+v, %v; left %v", got, err, p.faults)
	}
}
