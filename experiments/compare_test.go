package experiments_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/experiments"
)

func TestAComparisonByUnitsIsRead(t *testing.T) {
	want := &mishap.Compare{
		Arms:    mishap.Arms{From: mishap.ArmsFromRequests, Proxy: "edge", Key: "request", Share: 0.05},
		AtLeast: mishap.Duration(2 * time.Minute), Baseline: mishap.BaselineTime{Auto: true, Time: mishap.Duration(30 * time.Minute)}, Alpha: 0.01,
		Patience: mishap.Duration(5 * time.Second),
		Success: &mishap.Success{
			Status: mishap.StatusSet{{Low: 200, High: 299}, {Low: 404, High: 404}},
			Not:    &mishap.Failing{BodyContains: "error:", JSON: map[string]string{"result.ok": "false"}, Header: map[string]string{"X-Fallback": "*"}, GRPCStatus: []int{8}},
		},
		Metrics: []mishap.CompareMetric{
			{Name: "success-rate", Metric: mishap.SuccessRate, Source: "proxy", Harm: mishap.Decrease, Margin: mishap.Margin{Difference: 0.005}, Path: "/cart/*", Method: "POST"},
			{Name: "latency", Metric: mishap.Latency, Source: "proxy", Harm: mishap.Increase, Margin: mishap.Margin{Ratio: 1.2}, Quantiles: []mishap.Quantile{0.5, 0.999}, Floor: mishap.Duration(5 * time.Millisecond)},
		},
	}
	var warned []experiments.Problem
	o := options()
	o.Warn = func(p experiments.Problem) { warned = append(warned, p) }
	if diff := cmp.Diff(want, load(t, o, "testdata/compare-units.yaml").Compare); diff != "" {
		t.Errorf("compare differs (-want +got):\n%s", diff)
	}
	if warned != nil {
		t.Errorf("a file that says atLeast is warned of: %v", warned)
	}
}

// TestAFileOfBeforeIsToldWhatChangedAndWhatToWrite: old files stay valid, and say what of them means something else now.
func TestAFileOfBeforeIsToldWhatChangedAndWhatToWrite(t *testing.T) {
	var warned []experiments.Problem
	o := options()
	o.Warn = func(p experiments.Problem) { warned = append(warned, p) }
	load(t, o, "testdata/compare.yaml")
	for _, want := range []string{
		"compare.yaml:12:3: compare has no atLeast", "compare.yaml:12:3: when both arms became worse the run is now inconclusive (exit 4)",
		"compare.yaml:16:54: a margin is a tolerance now", "compare.yaml:17:50: orders is shown and decides nothing: its numbers are totals of the arms",
		"compare.yaml:18:16: a latency is compared by the p50, p90 and p99", "compare.yaml:18:46: weight is no longer used", "compare.yaml:19:29: queue is shown and decides nothing: a gauge",
		"compare.yaml:20:30: extraFailures counts every failed request now",
	} {
		if !slices.ContainsFunc(warned, func(p experiments.Problem) bool {
			return strings.Contains(p.String(), want) && p.Hint != "" && p.Line > 0
		}) {
			t.Errorf("nothing says %q; warned:\n%v", want, experiments.Problems(warned))
		}
	}
}

// TestWhatAComparisonCannotTellOfAFaultIsWarnedOf at the place that whoever knows faults names.
func TestWhatAComparisonCannotTellOfAFaultIsWarnedOf(t *testing.T) {
	var warned experiments.Problems
	o := options()
	o.Warn = func(p experiments.Problem) { warned = append(warned, p) }
	o.Compare = func(e mishap.Experiment) error {
		return &mishap.Warning{FieldError: mishap.FieldError{Path: "faults[0].with.delay", Msg: "of " + e.Faults[0].Name, Hint: "write"}}
	}
	load(t, o, "testdata/compare-units.yaml")
	if len(warned) != 1 || !strings.Contains(warned[0].String(), "compare-units.yaml:23:19: ") || !strings.Contains(warned[0].String(), "of payments is slow") || warned[0].Hint != "write" {
		t.Errorf("warned %v", warned)
	}
}

// TestAFaultThatIsInHardlyLongerThanAtLeastIsWarnedOf with the line to write.
func TestAFaultThatIsInHardlyLongerThanAtLeastIsWarnedOf(t *testing.T) {
	for lasts, want := range map[string]string{"5m": "", "2m": "write for: 4m, or atLeast: 1m"} {
		text, err := os.ReadFile("testdata/compare-units.yaml")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "short.yaml")
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), "for: 5m", "for: "+lasts, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		var warned experiments.Problems
		o := options()
		o.Warn = func(p experiments.Problem) { warned = append(warned, p) }
		load(t, o, path)
		if want == "" && warned != nil || want != "" && (len(warned) != 1 || warned[0].Hint != want || warned[0].Line != 24 || !strings.Contains(warned[0].String(), "hardly ever hold")) {
			t.Errorf("for %s: warned %v", lasts, warned)
		}
	}
}
