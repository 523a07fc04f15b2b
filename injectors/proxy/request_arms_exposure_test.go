package proxy_test

import (
	"strings"
	"testing"

	"mishap"
	"mishap/injectors/proxy"
)

// TestItIsKnownWhomAFaultMeetsWhereThatDependsOnTheRequestAlone, and else why not.
func TestItIsKnownWhomAFaultMeetsWhereThatDependsOnTheRequestAlone(t *testing.T) {
	for name, x := range map[string]struct {
		change  func(*mishap.Experiment)
		known   bool
		unknown string
	}{
		"a fault on requests": {func(*mishap.Experiment) {}, true, ""},
		"several, at several proxies": {func(e *mishap.Experiment) {
			e.Faults = append(e.Faults, fault("proxy-http-latency", `{"proxy": "stock"}`, `{"delay": "1s", "share": "10%", "seed": 3}`))
		}, true, ""},
		"no comparison":    {func(e *mishap.Experiment) { e.Compare = nil }, false, ""},
		"arms of targets":  {func(e *mishap.Experiment) { e.Compare.Arms.From = mishap.ArmsFromTargets }, false, ""},
		"another's counts": {func(e *mishap.Experiment) { e.Compare.Metrics[0].Source, e.Compare.Metrics[1].Source = "otlp", "otlp" }, false, "no metric is counted by the proxy of the arms"},
		"maxActive": {func(e *mishap.Experiment) {
			e.Faults = append(e.Faults, fault("proxy-http-abort", `{"proxy": "stock"}`, `{"maxActive": 3}`))
		}, false, "with maxActive it depends on other requests"},
		"on connections": {func(e *mishap.Experiment) {
			e.Faults = append(e.Faults, fault("proxy-reset", `{"proxy": "stock"}`, ``))
		}, false, "proxy-reset hits no requests of a proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			compare := halves("edge")
			e := mishap.Experiment{Compare: &compare, Faults: []mishap.Fault{fault("proxy-http-error", `{"proxy": "payments"}`, `{"status": 503, "path": "/pay/*"}`)}}
			x.change(&e)
			got := proxy.ExposureOf(e)
			if got.Known() != x.known || !strings.Contains(got.Unknown, x.unknown) || (got.Unknown == "") != (x.unknown == "") {
				t.Fatalf("%+v", got)
			}
			if !x.known {
				return
			}
			if f := got.Faults[0]; f.Kind != "http-error" || f.Proxy != "payments" || f.Share != 1 || !strings.Contains(string(f.With), "/pay/*") || strings.Contains(string(f.With), `"arm"`) {
				t.Errorf("%+v %s", f, f.With)
			}
			if n := len(got.Faults); n > 1 && (got.Faults[1].Share != 0.1 || got.Faults[1].Seed != 3 || len(got.Proxies()) != n) {
				t.Errorf("%+v", got.Faults[1])
			}
		})
	}
}

// TestAPlanSaysWhichRequestsCount, and the proxy of the arms is asked for it.
func TestAPlanSaysWhichRequestsCount(t *testing.T) {
	control := startProxy(t, "http")
	deps := httpDeps(func() string { return control })
	for says, x := range map[string]proxy.Exposure{
		"only requests count that meet the fault at payments": {Faults: []proxy.Fault{{Proxy: "payments"}, {Proxy: "payments"}}},
		"whether they meet the fault or not: because":         {Unknown: "because"},
	} {
		found, err := proxy.RequestArms(deps, halves("payments"), x).Prepare(t.Context(), mishap.Request{Run: "run"})
		if err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(found[0].Notes, "\n"); !strings.Contains(notes, says) || strings.Contains(string(found[0].With), `"exposed":true`) != x.Known() {
			t.Errorf("want %q in %s, with %s", says, notes, found[0].With)
		}
	}
}
