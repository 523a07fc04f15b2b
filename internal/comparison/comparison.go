package comparison

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

const (
	pollEvery  = 200 * time.Millisecond // the floor under the time to stop
	lookEvery  = time.Second            // between two looks that decide nothing
	pollWithin = 10 * time.Second       // one answer of a source
)

// Options is what a comparison is made of.
type Options struct {
	Compare mishap.Compare
	Sources []metrics.Source // one per metric, in their order
	Horizon time.Duration    // how long the fault is in at most
	// Targets is how many targets each arm has, if it is made of targets; else 0.
	Targets int
	// NoFault is A/A: it goes on also if the traffic promises no answer.
	NoFault bool
	// Assigned is how many units were newly assigned to the arms since the last
	// call; nil if nobody counts them.
	Assigned func() mishap.ArmCount
	// Keyless is how many requests lacked what makes a unit, of how many; nil if
	// nobody counts them.
	Keyless func() (n, of uint64)
}

// Comparison compares the arms of one run.
type Comparison struct {
	options Options

	mu       sync.Mutex
	math     *analysis.Comparison
	metrics  []*metric
	began    time.Time // the arms are in
	injected time.Time // zero in the baseline
	looked   time.Time // the last look
	outcome  mishap.ComparisonOutcome
	assigned *mishap.ArmCount // since the last look
	span     span             // of the buckets since the last look
}

// span is when what some buckets count began.
type span struct{ from, to time.Time }

func (s *span) add(b analysis.Bucket) {
	if s.from.IsZero() || b.Start.Before(s.from) {
		s.from = b.Start
	}
	if end := b.Start.Add(b.Width); end.After(s.to) {
		s.to = end
	}
}

// metric is one metric of the comparison.
type metric struct {
	mishap.CompareMetric
	source   metrics.Source
	stretch  arms   // since the last look
	baseline arms   // before the fault
	missing  string // what its source did not give, since the last look
	failed   string // the last time that it did not
}

// arms is what both arms did over some time.
type arms struct {
	control, experiment analysis.Arm
	seconds             float64
}

// New makes a comparison. It is an error if it cannot be carried out.
func New(o Options) (*Comparison, error) {
	c := &Comparison{options: o}
	for i, m := range o.Compare.Metrics {
		c.metrics = append(c.metrics, &metric{CompareMetric: m, source: o.Sources[i]})
	}
	plan := planOf(o.Compare, o.Horizon)
	if c.few() {
		for i := range plan.Metrics {
			plan.Metrics[i].Margin = analysis.Margin{}
		}
	}
	var err error
	c.math, err = analysis.New(plan)
	return c, err
}

// fewTargets is below how many targets in each arm nothing is ruled out: the
// requests of one target share its luck, so that targets are what is counted.
const fewTargets = 10

func (c *Comparison) few() bool { return c.options.Targets > 0 && c.options.Targets < fewTargets }

// planOf is the comparison in the words of the analysis. Both arms have the
// same share, and so half of what is compared each.
func planOf(spec mishap.Compare, horizon time.Duration) analysis.Plan {
	p := analysis.Plan{Alpha: spec.Alpha, Beta: mishap.MissedHarm, Horizon: horizon, ExtraFailures: spec.StopAfter.ExtraFailures}
	if spec.Arms.From == mishap.ArmsFromRequests {
		p.Share = 0.5
	}
	for _, m := range spec.Metrics {
		p.Metrics = append(p.Metrics, analysis.Metric{
			Name: m.Name, Kind: analysis.Kind(m.Metric), Harm: analysis.Direction(m.Harm), Margin: analysis.Margin(m.Margin), Weight: m.Weight,
		})
	}
	return p
}

// Injecting says when the fault is put in.
func (c *Comparison) Injecting(_ context.Context, at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.injected.IsZero() {
		c.injected, c.span = at, span{}
		for _, m := range c.metrics {
			m.stretch = arms{}
		}
		_ = c.math.Begin(at) // said once
	}
	return nil
}

// Watch takes in what the arms do until ctx ends, and tells of it about once a
// second, and at once when the outcome changes.
func (c *Comparison) Watch(ctx context.Context, tell func(mishap.Comparison)) {
	c.mu.Lock()
	c.began = time.Now()
	c.looked = c.began
	c.mu.Unlock()
	var sources sync.WaitGroup
	defer sources.Wait()
	for _, m := range c.metrics {
		sources.Go(func() { c.poll(ctx, m) })
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if look, due := c.look(time.Now()); due {
				tell(look)
			}
		}
	}
}

// poll feeds one metric. A source that is slow holds up no other.
func (c *Comparison) poll(ctx context.Context, m *metric) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		c.ask(ctx, m)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (c *Comparison) ask(ctx context.Context, m *metric) {
	ctx, cancel := context.WithTimeout(ctx, pollWithin)
	defer cancel()
	buckets, err := m.source.Closed(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		m.missing, m.failed = err.Error(), err.Error()
	}
	for _, b := range buckets {
		c.take(m, b)
	}
}

// take folds one bucket. What the analysis refuses is missing time there, and
// keeps the metric from being cleared.
func (c *Comparison) take(m *metric, b analysis.Bucket) {
	if err := c.math.Observe(m.Name, b); err != nil {
		m.missing, m.failed = err.Error(), err.Error()
		return
	}
	if !b.Start.Before(c.injected) { // a look with the fault is of nothing that began without it
		m.stretch.add(b)
		c.span.add(b)
	}
	if c.injected.IsZero() || !b.Start.Add(b.Width).After(c.injected) {
		m.baseline.add(b)
	}
}

func (a *arms) add(b analysis.Bucket) {
	a.seconds += b.Width.Seconds()
	addArm(&a.control, b.Control)
	addArm(&a.experiment, b.Experiment)
}

func addArm(sum *analysis.Arm, a analysis.Arm) {
	sum.Requests += a.Requests
	sum.Successes += a.Successes
	sum.Events += a.Events
	if a.Gauge != nil {
		sum.Gauge = a.Gauge
	}
	if a.Latency.IsZero() {
		return
	}
	if len(sum.Latency.Counts) != len(a.Latency.Counts) {
		sum.Latency = analysis.Histogram{Bounds: a.Latency.Bounds, Counts: make([]int64, len(a.Latency.Counts))}
	}
	for i, n := range a.Latency.Counts {
		sum.Latency.Counts[i] += n
	}
}

// delay is that of the slowest source.
func (c *Comparison) delay() (longest time.Duration) {
	for _, m := range c.metrics {
		longest = max(longest, m.source.Delay())
	}
	return longest
}

// count takes in the units that were assigned since it was last asked.
func (c *Comparison) count() {
	if c.options.Assigned == nil {
		return
	}
	n := c.options.Assigned()
	if n == (mishap.ArmCount{}) {
		return
	}
	if c.assigned == nil {
		c.assigned = new(mishap.ArmCount)
	}
	c.assigned.Control += n.Control
	c.assigned.Experiment += n.Experiment
	_ = c.math.Assigned(n.Control, n.Experiment) // counts are not negative
}

// quantile is the p-quantile of a histogram in seconds, from the upper edge of
// its bin. The last bin, which has no edge, is of failures: they have no latency.
// 0 if there are none but those.
func quantile(h analysis.Histogram, p float64) mishap.Duration {
	if len(h.Bounds) == 0 {
		return 0
	}
	var all, below int64
	for _, n := range h.Counts[:len(h.Bounds)] {
		all += n
	}
	need := int64(math.Ceil(p * float64(all)))
	for i, n := range h.Counts[:len(h.Bounds)] {
		if below += n; below >= need && n > 0 {
			return seconds(h.Bounds[i])
		}
	}
	return 0
}

// seconds is a duration in three digits: bins are no finer.
func seconds(s float64) mishap.Duration {
	d := time.Duration(s * float64(time.Second))
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return mishap.Duration(d.Round(unit))
}

// percent is a share for people.
func percent(share float64) string { return fmt.Sprintf("%.4g %%", 100*share) }
