package proxy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/injectors/proxy"
	"mishap/internal/injectortest"
)

func someArms() *mishap.ArmsRequest {
	return &mishap.ArmsRequest{Run: "conform", Token: "a-token-that-nobody-guesses", Share: 0.05}
}

func halves(proxy string) mishap.Compare {
	return mishap.Compare{
		Arms:    mishap.Arms{From: mishap.ArmsFromRequests, Proxy: proxy, Key: "header:X-User", Share: 0.5},
		Metrics: []mishap.CompareMetric{{Name: "success-rate", Metric: mishap.SuccessRate, Source: "proxy"}, {Name: "latency", Metric: mishap.Latency, Source: "proxy", Path: "/pay*"}},
		Success: &mishap.Success{Status: mishap.StatusSet{{Low: 200, High: 299}}, Not: &mishap.Failing{JSON: map[string]string{"error": "*"}}},
	}
}

// httpDeps know one proxy, for HTTP.
func httpDeps(control func() string) proxy.Deps {
	deps := proxyDeps("")
	deps.Proxies = func() []proxy.Address {
		return []proxy.Address{{Name: "payments", Protocol: "http", Control: control()}}
	}
	return deps
}

func TestRequestArmsConform(t *testing.T) {
	w, deps := proxyWorld("proxy-http-abort", "") // for its proxy
	w.Kind = proxy.ArmsKind(deps)
	w.Kind.New = func(f mishap.Fault) (mishap.Injector, error) {
		var targets struct{ Proxy string }
		err := json.Unmarshal(f.Targets, &targets)
		return proxy.RequestArms(deps, halves(targets.Proxy), proxy.Exposure{}), err
	}
	w.Arms = someArms()
	injectortest.Conform(t, w)
}

func TestFaultsThatCanBeConfinedToAnArmConform(t *testing.T) {
	all := worlds()
	confined := 0
	for _, k := range proxy.Catalog(proxy.Deps{}) {
		if !k.Arms {
			continue
		}
		confined++
		t.Run(k.Name, func(t *testing.T) {
			w := all[k.Name]
			w.Arms = someArms()
			injectortest.Conform(t, w)
		})
	}
	if confined != 6 {
		t.Errorf("%d injectors can be confined to an arm, want all 6 of requests", confined)
	}
}

// TestTheExperimentIsHitAndControlNever sets up arms and a fault on one proxy as a run does, and asks as users of both arms.
func TestTheExperimentIsHitAndControlNever(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Baggage")) }))
	defer service.Close()
	control, address := startProxyTo(t, "http", service.Listener.Addr().String())
	deps := httpDeps(func() string { return control })
	shared := &mishap.ArmsRequest{Run: "run", Token: "a-token-that-nobody-guesses", Share: 0.5}
	slow := fault("proxy-http-error", `{"proxy": "payments"}`, `{"status": 503}`)
	error503, err := kind(deps, slow.Injector).New(slow)
	if err != nil {
		t.Fatal(err)
	}
	arms := proxy.RequestArms(deps, halves("payments"), proxy.Exposure{})
	var in []mishap.Injection
	for i, injector := range []mishap.Injector{arms, error503} {
		found, err := injector.Prepare(t.Context(), mishap.Request{Run: "run", Fault: slow, Arms: shared})
		if err != nil {
			t.Fatal(err)
		}
		found[0].ID, found[0].Run = fmt.Sprintf("run.%d", i), "run"
		in = append(in, found[0])
		if err := injector.Inject(t.Context(), found[0]); err != nil {
			t.Fatal(err)
		}
	}
	if in[0].Fault != mishap.ArmsFault || in[0].Share != 1 || in[1].Share != 0.5 {
		t.Errorf("arms %+v, fault %+v", in[0], in[1])
	}
	hit := 0
	for user := range 40 {
		req, _ := http.NewRequest(http.MethodGet, "http://"+address, nil)
		req.Header.Set("X-User", fmt.Sprint(user))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode == 503 {
			hit++
		}
	}
	if hit < 8 || hit > 32 {
		t.Errorf("%d of 40 users were hit, want about half", hit)
	}
	waitFor(t, func() bool {
		a, errA := arms.Verify(t.Context(), in[0])
		e, errE := error503.Verify(t.Context(), in[1])
		return errA == nil && errE == nil && a.InForce == mishap.Yes && a.Traffic.Connections == 40 && e.Traffic.Connections == int64(hit) &&
			*e.Arms == mishap.ArmsEffect{Treated: mishap.ArmCount{Experiment: int64(hit)}, Passed: mishap.ArmCount{Control: int64(40 - hit)}}
	})
}

// waitFor asks until it is so.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(2 * time.Minute); !ok(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("still not so after 20s")
		}
	}
}

func TestASeedIsDrawnForEachRunAndRecorded(t *testing.T) {
	control := startProxy(t, "http")
	deps := httpDeps(func() string { return control })
	seed := func(spec mishap.Compare, run string) uint64 {
		found, err := proxy.RequestArms(deps, spec, proxy.Exposure{}).Prepare(t.Context(), mishap.Request{Run: run})
		if err != nil {
			t.Fatal(err)
		}
		var with mishap.Arms
		if err := json.Unmarshal(found[0].With, &with); err != nil {
			t.Fatal(err)
		}
		return with.Seed
	}
	if a, b := seed(halves("payments"), "run"), seed(halves("payments"), "run"); a == 0 || a == b {
		t.Errorf("drawn: %d and %d", a, b)
	}
	if n := seed(halves("payments"), "plan"); n != 0 {
		t.Errorf("a plan has drawn %d", n)
	}
	given := halves("payments")
	given.Arms.Seed = 7
	if n := seed(given, "run"); n != 7 {
		t.Errorf("given 7, it is %d", n)
	}
}

func TestArmsThatCannotBeSayWhy(t *testing.T) {
	control := startProxy(t, "http")
	addresses := []proxy.Address{{Name: "payments", Protocol: "http", Control: control}, {Name: "redis", Control: control},
		{Name: "down", Protocol: "http", Control: filepath.Join(t.TempDir(), "no.sock")}}
	deps := proxyDeps("")
	deps.Proxies = func() []proxy.Address { return addresses }
	for says, change := range map[string]func(*mishap.Arms){
		`proxy "redis" passes tcp`:    func(a *mishap.Arms) { a.Proxy = "redis" },
		"proxy down is not running":   func(a *mishap.Arms) { a.Proxy = "down" },
		`no proxy "edgy"`:             func(a *mishap.Arms) { a.Proxy = "edgy" },
		"arms.share: 51% must be":     func(a *mishap.Arms) { a.Share = .51 },
		"arms.share: 0% must be":      func(a *mishap.Arms) { a.Share = 0 },
		"arms.key: is missing":        func(a *mishap.Arms) { a.Key = "" },
		`arms.key: "session" is unkn`: func(a *mishap.Arms) { a.Key = "session" },
		`arms.from: "targets" is not`: func(a *mishap.Arms) { a.From = mishap.ArmsFromTargets },
	} {
		spec := halves("payments")
		change(&spec.Arms)
		if _, err := proxy.RequestArms(deps, spec, proxy.Exposure{}).Prepare(t.Context(), mishap.Request{Run: "run"}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	addresses[1].Name, addresses[0].Name = "payments", "web"
	for says, req := range map[string]mishap.Request{
		"hits whole connections": {Fault: latency("payments"), Arms: someArms()},
		"has no token":           {Fault: fault("proxy-http-abort", `{"proxy": "web"}`, ``), Arms: &mishap.ArmsRequest{Run: "run"}},
	} {
		injector, err := kind(deps, req.Fault.Injector).New(req.Fault)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := injector.Prepare(t.Context(), req); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}

func TestTwoRunsCannotHaveArmsOnOneProxy(t *testing.T) {
	control := startProxy(t, "http")
	deps := httpDeps(func() string { return control })
	arms := proxy.RequestArms(deps, halves("payments"), proxy.Exposure{})
	var last error
	var keys []mishap.Key
	for _, run := range []string{"one", "two"} {
		found, err := arms.Prepare(t.Context(), mishap.Request{Run: run})
		if err != nil {
			t.Fatal(err)
		}
		found[0].ID, found[0].Run = run+".1", run
		keys = append(keys, found[0].Keys...)
		last = arms.Inject(t.Context(), found[0])
	}
	if last == nil || errors.Is(last, proxy.ErrFaultOver) || !strings.Contains(last.Error(), `assigns the arms of run "one" already`) {
		t.Errorf("the second run got %v", last)
	}
	if keys[0] != keys[1] || keys[0] != (mishap.Key{Thing: "proxy/" + control + "/payments", Attribute: "arms"}) {
		t.Errorf("resource keys %v", keys)
	}
}
