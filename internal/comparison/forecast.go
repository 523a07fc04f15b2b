package comparison

import (
	"fmt"
	"strings"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// Traffic is what the arms are expected to get.
type Traffic struct {
	PerArm   float64            // requests, or events, per second
	Failures float64            // share of requests that fail usually
	Latency  analysis.Histogram // usual; may be empty
}

// Foretold is what such traffic can show.
type Foretold struct {
	Lines []string // one per claim that has to be cleared
	// Hopeless is why there would be no answer, and Short why no baseline would
	// be long enough; empty if there may.
	Hopeless, Short string
}

// Forecast says for each metric with a margin how long it takes until harm is
// ruled out with such traffic, if there is none, and how long the baseline is.
func Forecast(spec mishap.Compare, horizon time.Duration, t Traffic) (out Foretold) {
	spec = spec.Filled()
	if t.PerArm <= 0 {
		return out
	}
	for _, m := range spec.Metrics {
		if !m.Guarded() || m.Metric == mishap.Gauge {
			continue
		}
		plan := planOf(spec, horizon)
		plan.Metrics = []analysis.Metric{decided(m, "")}
		rows, err := plan.Foresee(m.Name, analysis.Traffic{PerArm: t.PerArm, Failures: t.Failures, Latency: t.Latency})
		if err != nil {
			continue // it cannot be foretold, which is not to say that it cannot be
		}
		for _, f := range rows {
			out.add(spec, m, horizon, t, f)
		}
	}
	return out
}

func (out *Foretold) add(spec mishap.Compare, m mishap.CompareMetric, horizon time.Duration, t Traffic, f analysis.Foreseen) {
	out.Lines = append(out.Lines, fmt.Sprintf("%s: at %.3g requests/s per arm, harm beyond %s can be ruled out in %s on average, %s in 9 of 10 runs; longer where users differ%s",
		analysis.RowName(m.Name, f.Quantile), t.PerArm, marginText(m), rounded(f.Clear.Mean), rounded(f.Clear.P90), confined(m)))
	if !f.Clear.Hopeful(horizon) && out.Hopeless == "" {
		out.Hopeless = fmt.Sprintf("too little traffic for an answer: at %.3g requests/s per arm, to rule out harm of %s beyond %s takes %s on average, and the fault is in force for %s at most; raise share, for, or margin, or have %.3g requests/s per arm",
			t.PerArm, m.Name, marginText(m), rounded(f.Clear.Mean), mishap.Duration(horizon), f.Needs)
	}
	most := spec.Baseline.AtMost()
	if f.Baseline <= most || out.Short != "" {
		return
	}
	rate := t.PerArm * f.Baseline.Seconds() / most.Seconds()
	if spec.Baseline.Auto {
		out.Short = fmt.Sprintf("too little traffic for a baseline: %s at %.3g requests/s per arm needs one of %s, and it lasts %s at most; %.3g requests/s per arm would do, or a larger margin",
			m.Name, t.PerArm, rounded(f.Baseline), mishap.Duration(most), rate)
		return
	}
	out.Lines = append(out.Lines, fmt.Sprintf("%s: a baseline of %s is too short to say that both arms are as before, which takes %s; write baseline: auto", m.Name, spec.Baseline, rounded(f.Baseline)))
}

// confined says of a metric of a part of the requests that it takes as much longer.
func confined(m mishap.CompareMetric) string {
	if m.Path == "" && m.Method == "" {
		return ""
	}
	return fmt.Sprintf(", and as many times longer as %s are fewer than all", strings.TrimSpace(m.Method+" "+m.Path))
}

func rounded(d time.Duration) mishap.Duration {
	if d > 10*time.Minute {
		return mishap.Duration(d.Round(time.Minute))
	}
	return mishap.Duration(d.Round(time.Second))
}
