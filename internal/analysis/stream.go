package analysis

import (
	"fmt"
	"slices"
	"time"
)

// evidence is what the kinds of metrics have in common.
type evidence interface {
	// check refuses a bucket that lacks what the metric reads.
	check(*Bucket) error
	// learn takes a bucket as what is usual; baseline says that no arm has a
	// fault yet.
	learn(b *Bucket, baseline bool)
	// observe bets on a bucket with what was learnt before it, then learns.
	observe(*Bucket)
	harm() (*harm, stake)
	clearLogE() float64
}

const (
	// quietAfter is how many requests the other arm must have had for an arm
	// without any to be silent.
	quietAfter = 30
	// staleAfter is how long a metric may say nothing, besides three of its
	// own widths, before it is missing.
	staleAfter = 10 * time.Second
	// mostMissing is the share of the time a cleared metric may not have seen.
	mostMissing = 0.1
)

// stream is one metric of a comparison and its state.
type stream struct {
	Totals Bucket `json:"totals"` // since Begin; Start and Width are of the newest bucket
	// Baseline buckets, and buckets since Begin.
	Learnt   int           `json:"learnt"`
	Observed int           `json:"observed"`
	Covered  time.Duration `json:"covered"`
	// Refused buckets, and why the last one was.
	Refused int    `json:"refused,omitempty"`
	Refusal string `json:"refusal,omitempty"`
	// What the other arm had since this arm was last heard.
	QuietControl    int64 `json:"quietControl,omitempty"`
	QuietExperiment int64 `json:"quietExperiment,omitempty"`

	Failures  *failures  `json:"failures,omitempty"`
	Events    *events    `json:"events,omitempty"`
	Latencies *latencies `json:"latencies,omitempty"`
	Symmetric *symmetric `json:"symmetric,omitempty"`

	metric Metric
}

// newStream makes the evidence of a metric. threshold, if not 0, is what it is
// boosted towards.
func newStream(m Metric, p Plan, threshold float64) *stream {
	s := &stream{metric: m}
	share, drawn := p.Share, 0.0
	if p.PerRequest {
		drawn = p.Share
	}
	if m.Dispersion != 1 || m.Tolerance != 1 {
		threshold = 0
	}
	switch {
	case m.Name == trafficName:
		s.Events = newEvents(m, share, 0, func(a Arm) int64 { return a.Requests })
	case m.Kind == Gauge || m.Block > 0:
		s.Symmetric = newSymmetric(m)
	case m.Kind == SuccessRate:
		s.Failures = newFailures(m, drawn, threshold)
	case m.Kind == EventRate:
		s.Events = newEvents(m, share, threshold, func(a Arm) int64 { return a.Events })
	default:
		s.Latencies = newLatencies(m, drawn)
	}
	return s
}

func (s *stream) evidence() evidence {
	switch {
	case s.Failures != nil:
		return s.Failures
	case s.Events != nil:
		return s.Events
	case s.Latencies != nil:
		return s.Latencies
	}
	return s.Symmetric
}

// take consumes one bucket. Before begin (or without) it is baseline; one that
// straddles begin belongs to neither, and is left out.
func (s *stream) take(b Bucket, begin time.Time) error {
	err := b.check()
	if err == nil {
		err = s.evidence().check(&b)
	}
	if err == nil && b.Start.Before(s.Totals.end()) {
		err = fmt.Errorf("%w: starts at %s, consumed until %s", ErrOrder, b.Start.Format(time.RFC3339Nano), s.Totals.end().Format(time.RFC3339Nano))
	}
	if err != nil {
		s.Refused++
		s.Refusal = err.Error()
		return err
	}
	s.Totals.Start, s.Totals.Width = b.Start, b.Width
	switch {
	case begin.IsZero() || !b.end().After(begin):
		s.Learnt++
		s.evidence().learn(&b, true)
	case !b.Start.Before(begin):
		s.Observed++
		s.Covered += b.Width
		s.evidence().observe(&b)
		s.count(&b)
	}
	return nil
}

// count keeps the totals for the report, and who was heard.
func (s *stream) count(b *Bucket) {
	s.Totals.Control.add(b.Control)
	s.Totals.Experiment.add(b.Experiment)
	c, e := s.heard(b.Control), s.heard(b.Experiment)
	s.QuietControl, s.QuietExperiment = min(s.QuietControl+e, mostCount), min(s.QuietExperiment+c, mostCount)
	if c > 0 {
		s.QuietControl = 0
	}
	if e > 0 {
		s.QuietExperiment = 0
	}
}

// heard is how many of what the metric reads an arm had.
func (s *stream) heard(a Arm) int64 {
	switch s.metric.Kind {
	case EventRate:
		return a.Events
	case Latency:
		n := int64(0)
		for _, c := range a.Latency.Counts {
			n = min(n+c, mostCount)
		}
		return n
	case Gauge:
		return 1
	}
	return a.Requests
}

func (a *Arm) add(b Arm) {
	const most = int64(1e18)
	a.Requests, a.Successes, a.Events = min(a.Requests+b.Requests, most), min(a.Successes+b.Successes, most), min(a.Events+b.Events, most)
	if len(a.Latency.Counts) != len(b.Latency.Counts) {
		a.Latency = Histogram{Bounds: slices.Clone(b.Latency.Bounds), Counts: make([]int64, len(b.Latency.Counts))}
	}
	for i, n := range b.Latency.Counts {
		a.Latency.Counts[i] = min(a.Latency.Counts[i]+n, most)
	}
}

// doubts are why a metric cannot be cleared, whatever its evidence.
func (s *stream) doubts(begin, at time.Time) []string {
	var all []string
	say := func(format string, args ...any) {
		all = append(all, s.metric.Name+": "+fmt.Sprintf(format, args...))
	}
	end := s.Totals.end()
	switch {
	case s.Observed == 0:
		say("nothing was measured")
		return all
	case at.Sub(end) > staleAfter+3*s.Totals.Width:
		say("nothing was measured for %s", at.Sub(end).Round(time.Second))
	case end.After(begin) && float64(s.Covered) < (1-mostMissing)*float64(end.Sub(begin)) && end.Sub(begin)-s.Covered > s.Totals.Width:
		say("%s of %s are missing", (end.Sub(begin) - s.Covered).Round(time.Second), end.Sub(begin).Round(time.Second))
	}
	if s.Refused > 0 && len(all) > 0 {
		say("%d buckets were refused, the last because: %s", s.Refused, s.Refusal)
	}
	for _, arm := range []struct {
		name  string
		total Arm
		quiet int64
	}{{"control", s.Totals.Control, s.QuietControl}, {"the experiment", s.Totals.Experiment, s.QuietExperiment}} {
		if s.metric.Kind == Gauge {
			break
		}
		if arm.quiet >= quietAfter {
			say("%s fell silent", arm.name)
		} else if s.heard(arm.total) == 0 {
			say("%s had no traffic", arm.name)
		}
	}
	if s.Latencies != nil && s.metric.guarded() && s.Latencies.shifted != nil && !s.Latencies.clearable() {
		say("the bins of the histogram are wider than the margin")
	}
	return all
}
