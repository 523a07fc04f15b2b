package engine

import (
	"context"
	"time"

	"mishap"
	"mishap/internal/analysis"
	sources "mishap/internal/metrics"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// Arms gives the closed buckets after a number. All attempts are in them, as they
// are in what decides.
func (r armsReader) Arms(ctx context.Context, after uint64, trials int) (sources.ArmsPage, error) {
	report, err := r.client.Arms(ctx, r.id, after, trials)
	if err != nil {
		return sources.ArmsPage{}, err
	}
	page := sources.ArmsPage{
		Width: time.Duration(report.Width), Delay: fault.ArmsDelay, Bounds: report.Bounds, More: report.More,
		Units:  mishap.ArmCount{Control: int64(report.Allocation.Control.Units), Experiment: int64(report.Allocation.Experiment.Units)},
		NoKey:  report.Allocation.WithoutKey,
		InArms: report.Allocation.Requests() + report.Allocation.Outside,
		Counts: countsOf(report.Counted, report.Bounds),
	}
	for _, b := range report.Buckets {
		page.Buckets = append(page.Buckets, sources.ArmsBucket{
			Seq: b.Seq, Start: b.Start, Control: armOf(b.Control, report.Bounds), Experiment: armOf(b.Experiment, report.Bounds), Totals: totalsOf(b),
		})
	}
	return page, nil
}

func armOf(b registry.ArmBucket, bounds []float64) analysis.Arm {
	arm := analysis.Arm{
		Requests: int64(b.Requests), Successes: int64(b.Successes), Events: int64(b.Successes),
		Latency: analysis.Histogram{Bounds: bounds, Counts: make([]int64, len(bounds)+1)},
	}
	for i, n := range b.Latency {
		arm.Latency.Counts[i] = int64(n)
	}
	return arm
}

// countsOf is what the proxy counted of units; nil if it is of a version that
// counts none.
func countsOf(c *registry.Counted, bounds []float64) *sources.Counts {
	if c == nil {
		return nil
	}
	counts := &sources.Counts{Sums: c.Sums, Met: metOf(c.Joined), UnderWay: armCount(c.UnderWay.Control, c.UnderWay.Experiment)}
	for _, t := range c.Thresholds {
		counts.Thresholds = append(counts.Thresholds, sources.Threshold{Row: t.Row, Control: time.Duration(t.Control), Experiment: time.Duration(t.Experiment)})
	}
	for _, a := range c.Answers {
		h := analysis.Histogram{Bounds: bounds}
		for _, n := range a.Latency {
			h.Counts = append(h.Counts, int64(n))
		}
		if counts.Answers == nil {
			counts.Answers = map[string]analysis.Histogram{}
		}
		counts.Answers[a.Row] = h
	}
	return counts
}

func totalsOf(b registry.ArmsBucket) sources.Totals {
	c, e := b.Control, b.Experiment
	return sources.Totals{
		Requests: armCount(c.Requests, e.Requests), Failed: armCount(c.Requests-c.Successes, e.Requests-e.Successes),
		Refused: armCount(c.Refused, e.Refused), Limited: armCount(c.Limited, e.Limited), Sealed: armCount(c.Sealed, e.Sealed),
	}
}

func armCount[N uint32 | uint64](control, experiment N) mishap.ArmCount {
	return mishap.ArmCount{Control: int64(control), Experiment: int64(experiment)}
}

// SetThresholds fixes what counts as slow.
func (r armsReader) SetThresholds(ctx context.Context, all []sources.Threshold) error {
	limits := registry.Limits{Run: r.run}
	for _, t := range all {
		limits.Thresholds = append(limits.Thresholds, registry.Threshold{Row: t.Row, Control: fault.Duration(t.Control), Experiment: fault.Duration(t.Experiment)})
	}
	return r.client.SetThresholds(ctx, r.id, limits)
}

// SetInjecting tells when the faults are injected.
func (r armsReader) SetInjecting(ctx context.Context, at time.Time) (time.Time, error) {
	return r.client.SetInjecting(ctx, r.id, registry.Injecting{Run: r.run, At: at})
}
