package comparison

import (
	"fmt"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// hopeFor is the least probability of an answer with which it is worth to
// inject a fault.
const hopeFor = 0.1

// Traffic is what the arms are expected to get.
type Traffic struct {
	PerArm   float64            // requests, or events, per second
	Failures float64            // share of requests that fail usually
	Latency  analysis.Histogram // usual; may be empty
}

// Forecast says for each metric with a margin how long it takes until harm is
// ruled out with such traffic, if there is none.
func Forecast(spec mishap.Compare, horizon time.Duration, t Traffic) (lines []string, hopeless string) {
	for _, m := range spec.Metrics {
		if m.Margin == (mishap.Margin{}) || t.PerArm <= 0 {
			continue
		}
		f, err := analysis.ForecastClear(planOf(spec, horizon), m.Name, t.rates())
		if err != nil {
			continue // it cannot be foretold, which is not to say that it cannot be
		}
		lines = append(lines, fmt.Sprintf("%s: at %.3g requests/s per arm, harm beyond %s can be ruled out in %s on average, %s in 9 of 10 runs",
			m.Name, t.PerArm, marginText(m), rounded(f.Mean), rounded(f.P90)))
		if f.Within(horizon) < hopeFor && hopeless == "" {
			hopeless = fmt.Sprintf("too little traffic for an answer: at %.3g requests/s per arm, to rule out harm of %s beyond %s takes %s on average, and the fault is in for %s at most; raise share, for, or margin",
				t.PerArm, m.Name, marginText(m), rounded(f.Mean), mishap.Duration(horizon))
		}
	}
	return lines, hopeless
}

func (t Traffic) rates() analysis.Rates {
	return analysis.Rates{Control: t.PerArm, Experiment: t.PerArm, Failures: t.Failures, Latency: t.Latency}
}

func rounded(d time.Duration) mishap.Duration {
	if d > 10*time.Minute {
		return mishap.Duration(d.Round(time.Minute))
	}
	return mishap.Duration(d.Round(time.Second))
}

// hopeless says why the fault would show nothing, from what the baseline was;
// empty if it may.
func (c *Comparison) hopeless() string {
	if d := c.math.Split(); d != "" {
		return d
	}
	for _, m := range c.metrics {
		if why := c.hopelessMetric(m); why != "" {
			return why
		}
	}
	return ""
}

func (c *Comparison) hopelessMetric(m *metric) string {
	b := m.baseline
	if b.seconds == 0 {
		why := fmt.Sprintf("there were no numbers of %s in the baseline", m.Name)
		if m.failed != "" {
			why += ": " + m.failed
		}
		return why
	}
	if m.Metric == mishap.Gauge {
		return ""
	}
	control, experiment := volume(m.Metric, b.control), volume(m.Metric, b.experiment)
	switch {
	case control == 0 && experiment == 0:
		return fmt.Sprintf("no traffic: in a baseline of %s neither arm had anything that %s counts", c.options.Compare.Baseline, m.Name)
	case control == 0:
		return fmt.Sprintf("no traffic in the control arm: %s cannot be compared", m.Name)
	case experiment == 0:
		return fmt.Sprintf("no traffic in the experiment arm: %s cannot be compared", m.Name)
	}
	if why := differ(m); why != "" {
		return why
	}
	if c.options.NoFault || c.few() {
		return ""
	}
	t := Traffic{PerArm: float64(min(control, experiment)) / b.seconds, Failures: failed(b.control), Latency: b.control.Latency}
	spec := c.options.Compare
	spec.Metrics = []mishap.CompareMetric{m.CompareMetric}
	_, why := Forecast(spec, c.options.Horizon, t)
	return why
}

// differ says whether the arms fail differently without a fault: then they are
// not alike, and a difference with it would show nothing. Of arms that are alike
// it says so in at most one baseline of a hundred.
func differ(m *metric) string {
	if m.Metric != mishap.SuccessRate {
		return ""
	}
	e, ctl := m.baseline.experiment, m.baseline.control
	d := analysis.DifferenceInterval(float64(e.Requests-e.Successes), float64(e.Requests), float64(ctl.Requests-ctl.Successes), float64(ctl.Requests), 0.01)
	if d.Low <= 0 && d.High >= 0 {
		return ""
	}
	return fmt.Sprintf("the arms are not alike: without a fault, %s of requests failed in the experiment, %s in control", percent(failed(e)), percent(failed(ctl)))
}

// volume is how much the metric counted.
func volume(kind mishap.MetricKind, a analysis.Arm) int64 {
	switch kind {
	case mishap.EventRate:
		return a.Events
	case mishap.Latency:
		var n int64
		for _, count := range a.Latency.Counts {
			n += count
		}
		return n
	}
	return a.Requests
}

// spillover says whether control itself fails more than in its own baseline, by
// more than the margin: arms that share processes may share the harm, which a
// difference between them does not show. Unlike the comparison it takes the
// share of failures for constant but for the fault.
func (c *Comparison) spillover() string {
	for _, m := range c.metrics {
		b, now := m.baseline.control, c.math.Control(m.Name)
		if m.Metric != mishap.SuccessRate || m.Margin == (mishap.Margin{}) || b.Requests == 0 || now.Requests == 0 {
			continue
		}
		fB, fN := float64(b.Requests-b.Successes), float64(now.Requests-now.Successes)
		d := analysis.DifferenceInterval(fN, float64(now.Requests), fB, float64(b.Requests), c.options.Compare.Alpha)
		allowed := m.Margin.Difference
		if m.Margin.Ratio > 1 {
			allowed = (m.Margin.Ratio - 1) * max(fB, 1) / float64(b.Requests)
		}
		if d.Low > allowed {
			return fmt.Sprintf("spillover: %s of requests failed in control, %s in its own baseline; the fault reaches beyond its arm, or something else went wrong",
				percent(failed(now)), percent(failed(b)))
		}
	}
	return ""
}
