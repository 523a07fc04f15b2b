package analysis

import (
	"errors"
	"fmt"
	"math"
	"time"

	"mishap/internal/slots"
)

// Comparison is control beside experiment: what books of slots tell goes in, and
// at any moment [Comparison.Status] says what is known, and whether it is
// enough. It is not safe for use by several goroutines at once.
type Comparison struct {
	plan     Plan
	rows     []*row
	books    map[string]*book
	first    *first
	firstOf  *row     // the success rate that first requests are judged by
	assigned [2]int64 // units assigned to control and experiment
	splitE   float64  // the largest evidence against the split
	begun    time.Time
	lost     string
	beside   []Doubt // of the caller
	spent    float64 // extra failures of all requests, of the caller
	final    Decision
}

// book is the newest that one told.
type book struct {
	slots.Snapshot
	trials   int
	advanced time.Time // when its end last moved, by the clock of Status
	seen     time.Time // the end that was then
}

// New makes a comparison of the plan. What the plan leaves out is filled in;
// one that cannot be carried out is [ErrPlan].
func New(p Plan) (*Comparison, error) {
	p.Metrics = append([]Metric(nil), p.Metrics...)
	p, rows, err := p.complete()
	if err != nil {
		return nil, fmt.Errorf("start comparison: %w", err)
	}
	c := &Comparison{plan: p, rows: rows, books: map[string]*book{}}
	for _, r := range rows {
		if r.metric.Kind == SuccessRate && !r.all && !p.Targets && !r.metric.NoTrials {
			c.firstOf = r
			break
		}
	}
	return c, nil
}

// Plan is the plan, with what was left out filled in.
func (c *Comparison) Plan() Plan { return c.plan }

// Begin says when the fault was injected, by the caller's clock, from which the
// horizon counts. It is said once.
func (c *Comparison) Begin(at time.Time) error {
	if !c.begun.IsZero() || at.IsZero() {
		return fmt.Errorf("begin comparison: %w: begun at %s already", ErrOrder, c.begun.Format(time.RFC3339Nano))
	}
	c.begun = at.Round(0)
	return nil
}

// Fix says beyond what the answers of a latency's row ([RowName]) are slow. It is
// said once.
func (c *Comparison) Fix(name string, t Threshold) error {
	found := false
	for _, r := range c.rows {
		if r.name == name || r.name == name+AllSuffix {
			if r.q == 0 || !(t.Usual > 0) || !(t.Slow >= t.Usual) || !(t.Between >= 0 && t.Between <= 1) {
				return fmt.Errorf("fix threshold of %s: %w: %+v", name, ErrPlan, t)
			}
			if r.limit != (Threshold{}) && r.limit != t {
				return fmt.Errorf("fix threshold of %s: %w: it is fixed already", name, ErrOrder)
			}
			r.limit, r.small, found = t, max(t.Between, 0.2*(1-r.q)), true
		}
	}
	if !found {
		return fmt.Errorf("fix threshold: %w: no row %q", ErrPlan, name)
	}
	return nil
}

// Assigned adds units that were newly assigned to the arms (not requests), each
// with an even chance. It is checked that they are split so.
func (c *Comparison) Assigned(control, experiment int64) error {
	if control < 0 || experiment < 0 || control > mostCount || experiment > mostCount {
		return fmt.Errorf("count assigned units: %w: %d and %d", ErrBucket, control, experiment)
	}
	c.assigned = [2]int64{min(c.assigned[0]+control, mostCount), min(c.assigned[1]+experiment, mostCount)}
	e, err := SplitEvidence(c.assigned[:], []float64{0.5, 0.5})
	c.splitE = max(c.splitE, e)
	return err
}

// Lose says that what is told is not all, and why: nothing is held any more.
func (c *Comparison) Lose(why string) {
	if c.lost == "" {
		c.lost = why
	}
}

// Doubt takes what else keeps it from being held, in the place of what was said
// before.
func (c *Comparison) Doubt(all ...Doubt) { c.beside = all }

// Spent takes how many extra failures there were of all requests, as [Extra] has
// them, where rows are of a part of them.
func (c *Comparison) Spent(extra float64) { c.spent = extra }

// Take takes in what a book tells; name is that of [Metric.Book]. Sums go on
// from the beginning, so that one that was missed is made up for by the next.
// What cannot be is refused and changes nothing. Sums that fell, and a book that
// began anew, are [ErrReset]: what it had is lost, and nothing is held any more.
func (c *Comparison) Take(name string, s slots.Snapshot) error {
	if err := c.take(name, s); err != nil {
		if errors.Is(err, ErrReset) && c.lost == "" {
			c.lost = err.Error()
		}
		return fmt.Errorf("take sums: %w", err)
	}
	return nil
}

func (c *Comparison) take(name string, s slots.Snapshot) error {
	if err := c.check(&s); err != nil {
		return err
	}
	b := c.books[name]
	if b == nil {
		b = &book{}
		c.books[name] = b
	} else if err := follows(&b.Snapshot, &s); err != nil {
		return err
	}
	if s.TrialsFrom > b.trials {
		return fmt.Errorf("%w: first requests from %d on, after %d", ErrOrder, s.TrialsFrom, b.trials)
	}
	if have := b.trials - s.TrialsFrom; have < len(s.Trials) && c.firstOf != nil && c.firstOf.metric.Book == name {
		if c.first == nil {
			c.first = newFirst(&c.firstOf.claim, s.Slots)
		}
		if err := c.first.take(s.Trials[have:]); err != nil {
			return err
		}
	}
	b.trials = max(b.trials, s.TrialsFrom+len(s.Trials))
	s.Trials = ""
	b.Snapshot = s
	c.load(b, name)
	return nil
}

// check refuses sums that no units can have.
func (c *Comparison) check(s *slots.Snapshot) error {
	counted := map[string]bool{} // whether y is a part of n
	for _, r := range c.rows {
		counted[r.name], counted[r.change] = !r.poisson, !r.poisson
	}
	for _, r := range s.Rows {
		for _, side := range [...]*slots.Side{&r.Control, &r.Experiment} {
			if err := errors.Join(side.Since.Check(), side.Before.Check()); err != nil {
				return fmt.Errorf("%w: %s: %w", ErrBucket, r.Name, err)
			}
			if counted[r.Name] && (side.Since.Y > side.Since.N || side.Before.Y > side.Before.N) {
				return fmt.Errorf("%w: %s: %g bad of %g requests", ErrBucket, r.Name, side.Since.Y, side.Since.N)
			}
			for _, u := range side.Few {
				for _, v := range u {
					if !(v >= 0) || math.IsInf(v, 1) {
						return fmt.Errorf("%w: %s: unit of %g", ErrBucket, r.Name, u)
					}
				}
			}
		}
	}
	for _, w := range s.Windows {
		for _, r := range w.Rows {
			if err := errors.Join(r.Control.Check(), r.Experiment.Check()); err != nil || w.Number < 1 {
				return fmt.Errorf("%w: window %d of %s: %w", ErrBucket, w.Number, r.Name, err)
			}
		}
	}
	return nil
}

// follows refuses what cannot come after.
func follows(old, s *slots.Snapshot) error {
	switch {
	case !s.Began.Equal(old.Began):
		return fmt.Errorf("%w: counting began anew at %s", ErrReset, s.Began.Format(time.TimeOnly))
	case s.UpTo.Before(old.UpTo):
		return fmt.Errorf("%w: sums up to %s, after those up to %s", ErrOrder, s.UpTo.Format(time.RFC3339Nano), old.UpTo.Format(time.RFC3339Nano))
	case !old.Injected.IsZero() && !s.Injected.Equal(old.Injected):
		return fmt.Errorf("%w: the injection moved to %s", ErrReset, s.Injected.Format(time.RFC3339Nano))
	}
	for _, r := range old.Rows {
		n, there := s.Row(r.Name)
		if !there || fell(r.Control, n.Control) || fell(r.Experiment, n.Experiment) {
			return fmt.Errorf("%w: what was counted of %s fell", ErrReset, r.Name)
		}
	}
	return nil
}

func fell(old, s slots.Side) bool {
	return s.Since.N < old.Since.N || s.Since.Y < old.Since.Y || s.Before.N < old.Before.N || s.Before.Y < old.Before.Y
}

// load brings each row of a book up to date.
func (c *Comparison) load(b *book, name string) {
	after := b.UpTo.Sub(b.Injected).Seconds()
	for _, r := range c.rows {
		sums, there := b.Row(r.name)
		if r.metric.Book != name || !there {
			continue
		}
		r.control, r.experiment = sums.Control.Since, sums.Experiment.Since
		if b.Injected.IsZero() {
			r.pace.before(sums, b.UpTo)
			continue
		}
		for arm, m := range [...]*slots.Moments{&r.control, &r.experiment} {
			n := m.N
			if r.poisson { // a unit is counted once, its events are not
				n = m.Y
			}
			r.flow[arm].take(n, b.Injected, b.UpTo)
		}
		if r.few == nil && sums.Control.Before.Units+sums.Experiment.Before.Units <= fewUnits {
			r.few = newFew(&r.claim)
		}
		if r.few != nil && !r.all {
			r.few.take(&r.claim, sums.Control.Few, sums.Experiment.Few, after)
		}
		r.pace.since(r, after)
	}
}

// flow is whether requests keep coming.
type flow struct {
	n       float64
	grew    time.Time
	silence time.Duration // the longest
}

func (f *flow) take(n float64, injected, upTo time.Time) {
	if f.grew.IsZero() {
		f.grew = injected
	}
	if n > f.n {
		f.n, f.grew = n, upTo
	}
	f.silence = max(f.silence, upTo.Sub(f.grew))
}

// evidence for harm is beside that of few units, where those are few.
func (r *row) beside() func(float64) float64 {
	if r.few == nil || r.all {
		return nil
	}
	return r.few.at
}
