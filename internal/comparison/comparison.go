package comparison

import (
	"context"
	"fmt"
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

// Book counts the units of both arms for some metrics. Only what it counts
// decides.
type Book interface {
	// Counted gives all that is counted so far.
	Counted() (metrics.Counts, error)
	// SetThresholds says beyond what the answers of each row are slow.
	SetThresholds(ctx context.Context, all []metrics.Threshold) error
	// Injecting says that the faults are put in from a time on, and returns when
	// that is known.
	Injecting(ctx context.Context, at time.Time) error
}

// Options is what a comparison is made of.
type Options struct {
	Compare mishap.Compare
	Sources []metrics.Source // one per metric, in their order
	// Books count the units behind a metric each, in their order; nil where only
	// the totals of arms are known, which are shown and decide nothing. Several
	// metrics may share one.
	Books   []Book
	Horizon time.Duration // how long the fault is in at most
	// Targets is how many targets each arm has, if it is made of targets; else 0.
	Targets int
	// Incident is the last run of the experiment that deviated.
	Incident Incident
	// Edge and Dependencies tell which requests met the fault: then only those
	// count. Without them all do, and Unexposed says why; empty if nobody could
	// expect another thing.
	Edge         Edge
	Dependencies []Dependency
	Unexposed    string
	// Watched says that probes judge the run too.
	Watched bool
	// NoFault is A/A: it goes on also if the traffic promises no answer.
	NoFault bool
	// Assigned is how many units were newly assigned to the arms since the last
	// call; nil if nobody counts them.
	Assigned func() mishap.ArmCount
	// Keyless is how many requests lacked what makes a unit, of how many; nil if
	// nobody counts them.
	Keyless func() (n, of uint64)
}

// Incident is a run that deviated; none if After is 0.
type Incident struct {
	Run   string
	After time.Duration // the fault was in, when it showed
}

// Late says that what is in for less than an incident took to show says nothing
// of it; empty if it may.
func (i Incident) Late(in time.Duration) string {
	if i.After <= in {
		return ""
	}
	return fmt.Sprintf("the last incident (run %s) took %s to show", i.Run, i.whole())
}

// whole is how long it took, in seconds and no less.
func (i Incident) whole() mishap.Duration {
	return mishap.Duration((i.After + time.Second - 1).Truncate(time.Second))
}

// Foretell says before a run that it may hold before what happened last shows.
func (i Incident) Foretell(atLeast time.Duration) []string {
	text := i.Late(atLeast)
	if text == "" {
		return nil
	}
	return []string{fmt.Sprintf("%s, and this run may hold after %s: write atLeast: %s", text, mishap.Duration(atLeast), i.whole())}
}

// Comparison compares the arms of one run.
type Comparison struct {
	options Options

	mu       sync.Mutex
	math     *analysis.Comparison
	metrics  []*metric
	books    []*book
	exposure *exposure // nil: all requests count, whatever they met
	limits   bool      // thresholds are fixed, or there are none
	fixing   bool      // the books are being told of them
	unfixed  error     // why they could not be fixed
	telling  sync.WaitGroup
	began    time.Time
	injected time.Time // zero in the baseline
	looked   time.Time // the last look
	outcome  mishap.ComparisonOutcome
	assigned *mishap.ArmCount // since the last look
	span     span             // of the buckets since the last look
}

// book is one that counts units, and what it said last.
type book struct {
	Book
	name   string
	owner  *metric // whose poll reads it
	counts metrics.Counts
	failed error
	told   bool // it has said something
}

// New makes a comparison. It is an error if it cannot be carried out.
func New(o Options) (*Comparison, error) {
	o.Compare = o.Compare.Filled()
	c := &Comparison{options: o}
	for i, m := range o.Compare.Metrics {
		one := &metric{CompareMetric: m, source: o.Sources[i]}
		if i < len(o.Books) && o.Books[i] != nil && m.Metric != mishap.Gauge {
			one.book = c.bookOf(o.Books[i], one)
		}
		c.metrics = append(c.metrics, one)
	}
	plan := planOf(o.Compare, o.Horizon)
	plan.Patient = o.NoFault
	plan.Targets = o.Targets > 0
	if plan.Exposed = o.Edge != nil; plan.Exposed {
		c.exposure = newExposure(o.Edge, o.Dependencies)
	}
	for _, m := range c.metrics {
		if m.book != nil {
			one := decided(m.CompareMetric, m.book.name)
			one.Whole = !m.tellsWhoMet()
			plan.Metrics = append(plan.Metrics, one)
		}
		c.limits = c.limits || m.book != nil && m.Metric == mishap.Latency
	}
	c.limits = !c.limits // there are none
	var err error
	c.math, err = analysis.New(plan)
	return c, err
}

// bookOf is the book that several metrics may share.
func (c *Comparison) bookOf(b Book, first *metric) *book {
	for _, known := range c.books {
		if known.Book == b {
			return known
		}
	}
	one := &book{Book: b, name: first.Source, owner: first}
	for _, known := range c.books {
		if known.name == one.name {
			one.name = first.Name
		}
	}
	c.books = append(c.books, one)
	return one
}

// planOf is the comparison in the words of the analysis, without its metrics.
func planOf(spec mishap.Compare, horizon time.Duration) analysis.Plan {
	return analysis.Plan{Alpha: spec.Alpha, AtLeast: spec.AtLeast.Std(), Horizon: horizon, ExtraFailures: spec.StopAfter.ExtraFailures}
}

// decided is a metric in the words of the analysis.
func decided(m mishap.CompareMetric, book string) analysis.Metric {
	out := analysis.Metric{Name: m.Name, Kind: analysis.Kind(m.Metric), Harm: analysis.Direction(m.Harm), Margin: analysis.Margin(m.Margin), Book: book, NoTrials: m.Unit != ""}
	for _, q := range m.Quantiles {
		out.Quantiles = append(out.Quantiles, float64(q))
	}
	return out
}

// Injecting says when the fault is put in: to every book first, so that what
// comes from then on is counted as that.
func (c *Comparison) Injecting(ctx context.Context, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, pollWithin)
	defer cancel()
	for _, b := range c.books {
		if err := b.Injecting(ctx, at); err != nil {
			return fmt.Errorf("nothing is injected, because it could not be counted: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.injected.IsZero() {
		c.injected, c.span = at, span{}
		for _, m := range c.metrics {
			m.stretch = arms{}
		}
		return c.math.Begin(at)
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
	defer c.telling.Wait()
	for _, m := range c.metrics {
		sources.Go(func() { c.poll(ctx, m) })
	}
	if c.exposure != nil {
		sources.Go(func() { c.exposure.watch(ctx) })
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.fix(ctx, time.Now())
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
	if m.book != nil && m.book.owner == m {
		c.count(m.book)
	}
}

// count takes in what a book counted. Sums go on from the beginning, so that
// one reading that was missed is made up for by the next.
func (c *Comparison) count(b *book) {
	counts, err := b.Counted()
	if err == nil {
		b.counts, b.told = counts, true
		err = c.math.Take(b.name, counts.Sums)
	}
	b.failed = err
}

// delay is that of the slowest source.
func (c *Comparison) delay() (longest time.Duration) {
	for _, m := range c.metrics {
		longest = max(longest, m.source.Delay())
	}
	return longest
}

// assign takes in the units that were assigned since it was last asked.
func (c *Comparison) assign() {
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
