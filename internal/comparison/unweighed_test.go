package comparison_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/slots"
)

// The rows of made-up traffic that no metric decides by.
const (
	refused  = 6
	failures = 7
	moved    = 8
	cut      = 9
	late     = 10
	sealed   = 11
)

// TestNothingIsHeldBesideWhatNoMetricDecides: the fault makes the service answer
// 429, which is no failure unless the file says so; or it redirects, or cuts its
// answers; or it fails, and only latencies are compared.
func TestNothingIsHeldBesideWhatNoMetricDecides(t *testing.T) {
	shares := func(control, experiment float64) func(slots.Place) float64 {
		return func(p slots.Place) float64 { return [2]float64{control, experiment}[p.Arm] }
	}
	wholly := func(control, experiment uint32) func(slots.Place) float64 { // so many users
		return func(p slots.Place) float64 {
			return float64(min(1, max([2]uint32{control, experiment}[p.Arm], p.Slot)-p.Slot))
		}
	}
	latency := []mishap.CompareMetric{{Name: "latency", Metric: mishap.Latency, Harm: mishap.Increase, Margin: mishap.Margin{Ratio: 2}, Quantiles: []mishap.Quantile{0.5}}}
	for name, x := range map[string]struct {
		of      int
		other   func(slots.Place) float64
		metrics []mishap.CompareMetric
		success *mishap.Success
		outcome mishap.ComparisonOutcome
		says    string
	}{
		"429 to the experiment":               {refused, shares(0.01, 0.9), nil, nil, mishap.Undecided, "of control's: say under success"},
		"429 to a few requests of everybody":  {refused, shares(0, 0.03), nil, nil, mishap.Undecided, "of control's: say under success"},
		"429 to a few users":                  {refused, wholly(1, 5), nil, nil, mishap.HarmRuledOut, ""},
		"429 to many users":                   {refused, wholly(1, 20), nil, nil, mishap.Undecided, "of control's: say under success"},
		"a few more, within the margin":       {refused, shares(0.01, 0.012), nil, nil, mishap.HarmRuledOut, ""},
		"both arms are refused alike":         {refused, shares(0.5, 0.5), nil, nil, mishap.HarmRuledOut, ""},
		"redirects to a page of errors":       {moved, shares(0.01, 0.9), nil, nil, mishap.Undecided, "are redirects"},
		"forms that redirect no more":         {moved, shares(0.5, 0.1), nil, nil, mishap.Undecided, "are redirects"},
		"redirects of both arms alike":        {moved, shares(0.5, 0.5), nil, nil, mishap.HarmRuledOut, ""},
		"the file says what a success is":     {moved, shares(0.01, 0.9), nil, &mishap.Success{Status: mishap.StatusSet{{Low: 200, High: 499}}}, mishap.HarmRuledOut, ""},
		"answers that are cut":                {cut, shares(0, 0.9), nil, nil, mishap.Undecided, "answers were cut (not whole within patience"},
		"answers that are cut, status or not": {cut, shares(0, 0.9), nil, &mishap.Success{Status: mishap.StatusSet{{Low: 200, High: 499}}}, mishap.Undecided, "answers were cut (not whole within patience"},
		"streams that end soon":               {cut, shares(0.9, 0.1), nil, nil, mishap.Undecided, "answers were cut (not whole within patience"},
		"streams that go on in both arms":     {cut, shares(0.7, 0.7), nil, nil, mishap.HarmRuledOut, ""},
		"latencies alone, and failures":       {failures, shares(0.01, 0.4), latency, nil, mishap.Undecided, "of control's, which no metric compares: add"},
		"latencies alone, and failures alike": {failures, shares(0.01, 0.01), latency, nil, mishap.HarmRuledOut, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTraffic(50, 0, 0)
				s.other, s.others, s.users = x.other, []int{x.of}, 100
				spec := successRate()
				spec.Metrics[0].Source = mishap.ProxySource
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

// TestNothingIsHeldOfWhatNobodySees: a twentieth of the requests has no answer
// within patience, fault or not, or one that cannot be looked at; if the fault
// breaks those, no interval shows it. Seen in the baseline, nothing is injected.
func TestNothingIsHeldOfWhatNobodySees(t *testing.T) {
	looks := &mishap.Success{Not: &mishap.Failing{JSON: map[string]string{"status": "error"}}}
	for name, x := range map[string]struct {
		of                  int
		control, experiment float64
		always              bool
		success             *mishap.Success
		says                string // empty: it is held
	}{
		"late before the fault":         {late, 0.05, 0.05, true, nil, "have no answer within patience (2s) without a fault"},
		"late in control":               {late, 0.05, 0, false, nil, "have no answer within patience (2s) without a fault"},
		"late in the experiment":        {late, 0, 0.05, false, nil, ""}, // where they are failures
		"few are late":                  {late, 0.01, 0.01, true, nil, ""},
		"sealed before the fault":       {sealed, 1, 1, true, looks, "of the answers are packed"},
		"sealed in the experiment":      {sealed, 0, 0.05, false, looks, "of the answers are packed"},
		"sealed, and nobody would look": {sealed, 1, 1, true, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTraffic(50, 0, 0)
				s.other = func(p slots.Place) float64 { return [2]float64{x.control, x.experiment}[p.Arm] }
				s.others, s.always = []int{x.of}, x.always
				spec := successRate()
				spec.Metrics[0].Source, spec.Success = mishap.ProxySource, x.success
				injected := false
				l := last(watch(t, spec, s, 4*time.Minute, func() { injected = true }))
				if held := l.Outcome == mishap.HarmRuledOut; held != (x.says == "") || !strings.Contains(l.Reason, x.says) {
					t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
				}
				if refused := x.always && x.says != ""; injected == refused {
					t.Errorf("injected %v", injected)
				}
			})
		})
	}
}
