package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"mishap"
	"mishap/injectors/proxy"
)

// earlier is the control API of a proxy that knows no counts.
type earlier struct {
	proxy.Control
	put []string // what it took
}

func (e *earlier) Put(_ context.Context, f proxy.Fault) error {
	var with map[string]json.RawMessage
	if err := json.Unmarshal(f.With, &with); err != nil {
		return err
	}
	if _, ok := with["counts"]; ok {
		return fmt.Errorf("put fault: %w: unknown field \"counts\"", proxy.ErrOlder)
	}
	e.put = append(e.put, string(f.With))
	return nil
}

func (e *earlier) Get(context.Context, string) (proxy.Status, error) {
	return proxy.Status{InForce: true}, nil
}

// TestAProxyOfAnEarlierVersionGetsArmsWithoutCounts, and keeps them.
func TestAProxyOfAnEarlierVersionGetsArmsWithoutCounts(t *testing.T) {
	old := &earlier{}
	deps := httpDeps(func() string { return "old" })
	deps.Control = func(string) proxy.Control { return old }
	arms := proxy.RequestArms(deps, halves("payments"), proxy.Exposure{})
	found, err := arms.Prepare(t.Context(), mishap.Request{Run: "run"})
	if err != nil {
		t.Fatal(err)
	}
	found[0].ID, found[0].Run = "run.1", "run"
	if err := arms.Inject(t.Context(), found[0]); err != nil {
		t.Fatal(err)
	}
	renewer, ok := arms.(interface {
		Renew(context.Context, mishap.Injection) error
	})
	if !ok || renewer.Renew(t.Context(), found[0]) != nil || len(old.put) != 2 || old.put[0] != old.put[1] {
		t.Errorf("it took %q", old.put)
	}
}

// TestArmsAreCountedAsTheComparisonAsks: rows, parts of the traffic, success and patience are in what is recorded, and so
// in what another process renews.
func TestArmsAreCountedAsTheComparisonAsks(t *testing.T) {
	deps := httpDeps(func() string { return "" })
	deps.Control = func(string) proxy.Control { return &earlier{} }
	spec := halves("payments")
	spec.Patience = mishap.Duration(3e9)
	spec.Metrics = append(spec.Metrics, mishap.CompareMetric{Name: "elsewhere", Metric: mishap.SuccessRate, Source: "prometheus"})
	found, err := proxy.RequestArms(deps, spec, proxy.Exposure{}).Prepare(t.Context(), mishap.Request{Run: "run"})
	if err != nil {
		t.Fatal(err)
	}
	var with struct {
		Patience string
		Counts   struct {
			Success struct {
				Status [][2]int
				Not    mishap.Failing
			}
			Rows []struct{ Name, Of, Path string }
		}
	}
	if err := json.Unmarshal(found[0].With, &with); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, r := range with.Counts.Rows {
		rows = append(rows, r.Name+" "+r.Of+" "+r.Path)
	}
	want := []string{"success-rate failures ", "latency p50 slow /pay*", "latency p90 slow /pay*", "latency p99 slow /pay*", "latency p99.9 slow /pay*",
		"cut of no metric cut ", "refused of no metric refused ", "late of no metric late ", "sealed of no metric sealed ", "failures of no metric failures ",
		"cut of no metric /pay* cut /pay*", "refused of no metric /pay* refused /pay*", "late of no metric /pay* late /pay*", "sealed of no metric /pay* sealed /pay*", "failures of no metric /pay* failures /pay*"}
	if !slices.Equal(rows, want) || with.Patience != "3s" || with.Counts.Success.Status[0] != [2]int{200, 299} || with.Counts.Success.Not.JSON["error"] != "*" {
		t.Errorf("recorded %s", found[0].With)
	}
}
