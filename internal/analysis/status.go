package analysis

import (
	"math"
	"time"

	"mishap/internal/slots"
)

// Status is what is known at a look, and what decides.
type Status struct {
	Decision Decision
	// In is how long the fault was in by the end of what is counted of every
	// book: what is held is held for so long.
	In time.Duration
	// Rows are the claims that the metrics make, one interval each.
	Rows []Row
	// Sooner are rows beyond their margin that are none of Rows: of a newer part
	// of the time, of units' first requests, or of all requests.
	Sooner []Row
	// Beside are rows of all requests, where Rows are of those that met the fault:
	// a fault may do more than it meets.
	Beside []Row
	// First is users' first requests since the injection; nil if there are none.
	First *Row
	// Guards are what control, and both arms, are beside their own baseline.
	Guards []Guard
	// Extra is failed requests of the experiment less control's share of them.
	Extra float64
	// Doubts keep it from being held; empty when nothing does.
	Doubts []Doubt
	// Left is how long until all may be within their margins if there is no harm,
	// by what is seen; nothing if that cannot be said, and Never if it will not.
	Left  time.Duration
	Never bool
}

// State is where an interval lies.
type State string

// The states of a row.
const (
	Within State = "within" // wholly on the harmless side of the margin
	Beyond State = "beyond" // wholly on the harmful side
	Open   State = "open"   // across it
)

// Part is of which requests a row is.
type Part string

// The parts; the empty one is what the metric is of.
const (
	AllRequests   Part = "all requests"
	FirstRequests Part = "first requests"
)

// Row is one claim with the interval that decides it.
type Row struct {
	Metric              string
	Kind                Kind
	Quantile            float64 // of a latency
	Of                  Part
	Since               time.Time // the beginning of a newer part; zero: the injection
	Control, Experiment Counted
	// Ratio says that Estimate, Low, High, Same and Margin are how many times as
	// many the experiment has; otherwise they are differences of shares. Low is
	// -1 (0.001 times) and High 1 (1000 times) where nothing is known.
	Ratio                       bool
	Down                        bool // fewer is harm
	Estimate, Low, High, Margin float64
	// Same is what Estimate is if the fault does nothing, as far as is known: of a
	// latency not 0, since the experiment's limit is higher.
	Same   float64
	State  State
	Shown  bool // harm is shown, though it may be within the margin
	Clears bool // has to be within for the run to be held
	Newest bool // its newest third is within too
}

// Counted is what one arm had.
type Counted struct {
	Requests  float64 // or units, of events
	Bad       float64 // failed, slower than Slow, or events
	Slow      time.Duration
	Units     float64 // slots that were seen
	Effective float64 // as many, if all were equally active
	Most      float64 // of the busiest
}

// Status looks at a time, which the caller's clock gives.
func (c *Comparison) Status(now time.Time) Status {
	s := c.status(now.Round(0), true)
	s.Left, s.Never = c.left(s.In)
	s.Decision = c.decide(&s, now.Round(0))
	return s
}

// Look is the decision of [Comparison.Status], without seeking the ends of
// intervals while there is none, which is most of the work.
func (c *Comparison) Look(now time.Time) Decision {
	s := c.status(now.Round(0), false)
	if c.final.Outcome == "" && !c.begun.IsZero() && c.judge(&s, now.Round(0)).Outcome == Continue {
		return Decision{Outcome: Continue}
	}
	return c.Status(now).Decision
}

func (c *Comparison) status(now time.Time, ends bool) Status {
	s := Status{In: c.in(), Extra: c.extra()}
	for _, r := range c.rows {
		c.addRow(&s, r, ends)
	}
	c.addWindows(&s, ends)
	c.addFirst(&s)
	for _, r := range c.rows {
		if r.guards {
			s.Guards = append(s.Guards, c.guard(r, false, ends), c.guard(r, true, ends))
		}
	}
	s.Doubts = c.doubts(&s, now)
	return s
}

// in is how long the fault was in, by all books that are asked for a row.
func (c *Comparison) in() time.Duration {
	least := time.Duration(math.MaxInt64)
	for _, r := range c.rows {
		b := c.books[r.metric.Book]
		if b == nil || b.Injected.IsZero() {
			return 0
		}
		least = min(least, b.UpTo.Sub(b.Injected))
	}
	if least == math.MaxInt64 {
		return 0
	}
	return max(least, 0)
}

func (c *Comparison) addRow(s *Status, r *row, ends bool) {
	if r.all {
		out := c.describe(r, r.span(c.harmLevel(0), c.clearLevel(), nil, ends), time.Time{})
		out.Clears, out.Newest = r.clears, c.newestThird(r)
		if s.Beside = append(s.Beside, out); out.State == Beyond {
			s.Sooner = append(s.Sooner, out)
		}
		return
	}
	out := c.describe(r, r.span(c.harmLevel(0), c.clearLevel(), r.beside(), ends), time.Time{})
	out.Clears, out.Newest = r.clears, c.newestThird(r)
	s.Rows = append(s.Rows, out)
}

// addWindows adds what is beyond its margin in a newer part of the time.
func (c *Comparison) addWindows(s *Status, ends bool) {
	for _, r := range c.rows {
		b := c.books[r.metric.Book]
		if b == nil {
			continue
		}
		for i := range b.Windows {
			w := &b.Windows[i]
			part, there := r.of(w)
			level := c.harmLevel(w.Number)
			if there && part.harm(part.margin) >= level {
				s.Sooner = append(s.Sooner, c.describe(part, part.span(level, c.clearLevel(), nil, ends), w.Start))
			}
		}
	}
}

// of is the row with the sums of a window.
func (r *row) of(w *slots.Window) (*row, bool) {
	sums, there := w.Row(r.name)
	part := *r
	part.control, part.experiment = sums.Control, sums.Experiment
	return &part, there
}

const newestClear = -1.645 // the plain 95 % of a normal

// newestThird reports whether the newest window that covers at least a third of
// the time is within the margin by itself. A time too short for windows is its
// own.
func (c *Comparison) newestThird(r *row) bool {
	b := c.books[r.metric.Book]
	if b == nil || b.Injected.IsZero() {
		return false
	}
	part, whole := r, b.UpTo.Sub(b.Injected)
	for i := range b.Windows {
		if w := &b.Windows[i]; 3*b.UpTo.Sub(w.Start) >= whole {
			if p, there := r.of(w); there {
				part = p
			}
		}
	}
	return part.at(part.margin).z <= newestClear
}

func (c *Comparison) describe(r *row, s span, since time.Time) Row {
	out := Row{
		Metric: r.metric.Name, Kind: r.metric.Kind, Quantile: r.q, Since: since, Ratio: r.ratio, Down: r.down,
		Control: counted(r.control, r.limit.Usual), Experiment: counted(r.experiment, r.limit.Slow),
		Estimate: s.estimate, Low: s.low, High: s.high, Margin: r.margin, State: Open, Shown: s.low > 0,
	}
	if r.all {
		out.Of = AllRequests
	}
	if b := c.books[r.metric.Book]; b != nil && since.IsZero() {
		if sums, there := b.Row(r.name); there {
			out.Control.Most, out.Experiment.Most = sums.Control.Most, sums.Experiment.Most
		}
		if change, there := b.Row(r.change); there && r.q != 0 && r.control.N > 0 && change.Control.Since.N > 0 {
			out.Same = change.Control.Since.Y/change.Control.Since.N - r.control.Y/r.control.N
			out.Shown = s.low > out.Same
		}
	}
	if s.beyond {
		out.State = Beyond
	} else if s.within {
		out.State = Within
	}
	if r.ratio {
		out.Same = 1
		out.Estimate, out.Low, out.High, out.Margin = r.factor(s.estimate), r.factor(s.low), r.factor(s.high), r.factor(r.margin)
		if r.down {
			out.Low, out.High = out.High, out.Low
		}
	}
	return out
}

func counted(m slots.Moments, slow float64) Counted {
	return Counted{Requests: m.N, Bad: m.Y, Units: m.Units, Effective: effective(m), Slow: time.Duration(slow * float64(time.Second))}
}

// effective is how many units there are as if all were equally active.
func effective(m slots.Moments) float64 {
	if m.NN <= 0 {
		return 0
	}
	return m.N * m.N / m.NN
}

// addFirst adds users' first requests.
func (c *Comparison) addFirst(s *Status) {
	if c.first == nil {
		return
	}
	r := *c.firstOf
	f := c.first
	lo, hi := r.reach()
	sp := span{low: lo, high: hi}
	var any bool
	if sp.low, sp.beyond, any = f.low(r.margin, c.firstLevel()); !any {
		sp.low = lo
	}
	r.control, r.experiment = slots.Moments{}, slots.Moments{}
	out := c.describe(&r, sp, time.Time{})
	out.Of, out.Shown = FirstRequests, any && sp.low > 0
	out.Control = Counted{Requests: f.met[0], Bad: f.failed[0], Units: f.met[0], Effective: f.met[0]}
	out.Experiment = Counted{Requests: f.met[1], Bad: f.failed[1], Units: f.met[1], Effective: f.met[1]}
	out.Estimate = share(out.Experiment) - share(out.Control)
	if r.ratio {
		out.Estimate = share(out.Experiment) / max(share(out.Control), 1e-9)
	}
	s.First = &out
	if out.State == Beyond {
		s.Sooner = append(s.Sooner, out)
	}
}

func share(c Counted) float64 {
	if c.Requests <= 0 {
		return 0
	}
	return c.Bad / c.Requests
}

// extra is [Extra] of the success rate that has the most, over all requests, and
// never below 0.
func (c *Comparison) extra() float64 {
	most := c.spent
	for _, r := range c.rows {
		if r.metric.Kind != SuccessRate || r.met {
			continue
		}
		most = max(most, Extra(r.control, r.experiment))
	}
	return most
}

// Extra is how many of the experiment's requests failed more than control lets
// expect, by the sums of requests (N) and failures (Y) alone: an estimate, below 0
// where fewer did. While control is silent, every failure counts.
func Extra(control, experiment slots.Moments) float64 {
	if control.N <= 0 {
		return experiment.Y
	}
	return experiment.Y - experiment.N*control.Y/control.N
}
