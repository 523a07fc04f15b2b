package comparison_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/metrics"
)

// TestNothingIsHeldBesideWhatNoMetricDecides: the fault makes the service answer
// 429, which is no failure unless the file says so; or it fails, and only
// latencies are compared.
func TestNothingIsHeldBesideWhatNoMetricDecides(t *testing.T) {
	arms := func(control, experiment int64) mishap.ArmCount {
		return mishap.ArmCount{Control: control, Experiment: experiment}
	}
	latency := []mishap.CompareMetric{{Name: "latency", Metric: mishap.Latency, Harm: mishap.Increase, Margin: mishap.Margin{Ratio: 2}, Quantiles: []mishap.Quantile{0.5}}}
	for name, x := range map[string]struct {
		since   metrics.Totals
		metrics []mishap.CompareMetric
		success *mishap.Success
		outcome mishap.ComparisonOutcome
		says    string
	}{
		"429 to the experiment":               {metrics.Totals{Requests: arms(1000, 1000), Refused: arms(10, 900)}, nil, nil, mishap.Undecided, "90 % of the experiment's answers are 4xx, and 1 % of control's: say under success"},
		"the file says what a success is":     {metrics.Totals{Requests: arms(1000, 1000), Refused: arms(10, 900)}, nil, &mishap.Success{Status: mishap.StatusSet{{Low: 200, High: 499}}}, mishap.HarmRuledOut, ""},
		"a few more, within the margin":       {metrics.Totals{Requests: arms(1000, 1000), Refused: arms(10, 27)}, nil, nil, mishap.HarmRuledOut, ""},
		"both arms are refused alike":         {metrics.Totals{Requests: arms(1000, 1000), Refused: arms(500, 510)}, nil, nil, mishap.HarmRuledOut, ""},
		"latencies alone, and failures":       {metrics.Totals{Requests: arms(1000, 1000), Failed: arms(10, 400)}, latency, nil, mishap.Undecided, "40 % of the experiment's requests failed, and 1 % of control's, which no metric compares: add"},
		"latencies alone, and failures alike": {metrics.Totals{Requests: arms(1000, 1000), Failed: arms(10, 12)}, latency, nil, mishap.HarmRuledOut, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTraffic(50, 0, 0)
				s.since = x.since
				spec := successRate()
				if spec.Success = x.success; x.metrics != nil {
					spec.Metrics = x.metrics
				}
				l := last(watch(t, spec, s, 4*time.Minute, func() {}))
				if l.Outcome != x.outcome || !strings.Contains(l.Reason, x.says) {
					t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
				}
			})
		})
	}
}
