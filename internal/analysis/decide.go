package analysis

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"mishap/internal/slots"
)

// Outcome is what a comparison has come to.
type Outcome string

// The four outcomes. All but Continue are final, except that harm which shows
// later replaces Held.
const (
	Continue     Outcome = "continue"
	Deviated     Outcome = "deviated"     // an interval lies wholly beyond its margin
	Held         Outcome = "held"         // every interval lies wholly within
	Inconclusive Outcome = "inconclusive" // neither, and it is over
)

// Cause is why a comparison is over, for programs.
type Cause string

// The causes.
const (
	HarmShown     Cause = "harm-shown"
	WithinMargins Cause = "within-margins"
	BothChanged   Cause = "both-changed"
	BudgetSpent   Cause = "budget"
	SplitBroken   Cause = "split"
	DataLost      Cause = "data-lost"
	NoHope        Cause = "hopeless"
	HorizonCame   Cause = "horizon"
)

// Decision is an outcome with its reasons.
type Decision struct {
	Outcome Outcome
	Cause   Cause
	At      time.Time
	Reason  string // one sentence for people
	Row     *Row   // of HarmShown: the row that shows it
	Guard   *Guard // of BothChanged
}

// DoubtKind is what keeps a comparison from being held, for programs.
type DoubtKind string

// The doubts.
const (
	SoonDoubt      DoubtKind = "too-soon"        // before atLeast
	OpenDoubt      DoubtKind = "open"            // an interval is not within its margin
	NewestDoubt    DoubtKind = "newest-open"     // not in the newest third
	ChangeDoubt    DoubtKind = "changed"         // both arms may be worse than the baseline
	ShortDoubt     DoubtKind = "baseline-short"  // the baseline cannot tell
	FailingDoubt   DoubtKind = "baseline-fails"  // more than a fifth
	UnsteadyDoubt  DoubtKind = "baseline-uneven" // failed for a while only
	UnitsDoubt     DoubtKind = "few-units"       //
	NotMetDoubt    DoubtKind = "nothing-met"     //
	KeptDoubt      DoubtKind = "kept-away"       // what both arms do keeps requests from the fault
	UnjoinedDoubt  DoubtKind = "unjoined"        // requests met the fault, and it is not known which
	UnweighedDoubt DoubtKind = "unweighed"       // the arms differ in what no metric decides
	DilutedDoubt   DoubtKind = "diluted"         // by requests that control did not have, or by those that are missing
	SilentDoubt    DoubtKind = "silent"          // an arm had no requests for long
	MissingDoubt   DoubtKind = "missing"         // a book is late, or tells nothing of a row
	RefusedDoubt   DoubtKind = "refused"         // counts that could not be
	LostDoubt      DoubtKind = "lost"            // a book began anew
	SplitDoubt     DoubtKind = "split"           //
	LimitDoubt     DoubtKind = "no-limit"        // a quantile's limit is not known
	NothingDoubt   DoubtKind = "nothing-guarded" // no metric has a margin
	HopelessDoubt  DoubtKind = "hopeless"        //
)

// Doubt is one reason.
type Doubt struct {
	Kind DoubtKind
	Row  string
	Text string
}

// decide follows the order of the reasons: what voids everything, harm, what
// stops, and only then what clears.
func (c *Comparison) decide(s *Status, now time.Time) Decision {
	if c.begun.IsZero() {
		return Decision{Outcome: Continue}
	}
	if c.final.Outcome == "" || c.final.Outcome == Held {
		d := c.judge(s, now)
		d.At = now
		if d.Outcome == Continue && c.final.Outcome == "" {
			return Decision{Outcome: Continue}
		}
		if c.final.Outcome == "" || d.Outcome == Deviated {
			c.final = d
		}
	}
	return c.final
}

func (c *Comparison) judge(s *Status, now time.Time) Decision {
	if why := c.Split(); why != "" {
		return Decision{Outcome: Inconclusive, Cause: SplitBroken, Reason: why}
	}
	if r := harmed(s); r != nil {
		return Decision{Outcome: Deviated, Cause: HarmShown, Reason: r.sentence(), Row: r}
	}
	for i := range s.Guards {
		if g := &s.Guards[i]; g.State == Beyond {
			return Decision{Outcome: Inconclusive, Cause: BothChanged, Reason: g.sentence(), Guard: g}
		}
	}
	switch {
	case c.lost != "":
		return Decision{Outcome: Inconclusive, Cause: DataLost, Reason: c.lost}
	case c.plan.ExtraFailures > 0 && s.Extra >= c.plan.ExtraFailures:
		return Decision{Outcome: Inconclusive, Cause: BudgetSpent, Reason: fmt.Sprintf("the harm budget is spent: about %.0f extra failures", s.Extra)}
	case len(s.Doubts) == 0:
		return Decision{Outcome: Held, Cause: WithinMargins, Reason: fmt.Sprintf("for %s every interval was within its margin", s.In.Round(time.Second))}
	}
	if r := c.hopeless(s.In); r != nil {
		return Decision{Outcome: Inconclusive, Cause: NoHope, Reason: fmt.Sprintf("%s cannot be told from its margin until the fault ends, however it goes on", r.name)}
	}
	if c.plan.Horizon > 0 && now.Sub(c.begun) >= c.plan.Horizon {
		return Decision{Outcome: Inconclusive, Cause: HorizonCame, Reason: texts(s.Doubts)}
	}
	return Decision{Outcome: Continue}
}

func texts(all []Doubt) string {
	var words []string
	for _, d := range all {
		words = append(words, d.Text)
	}
	return strings.Join(words, "; ")
}

// harmed is the row that shows harm: first requests before all, since they are
// the soonest; then rows as the plan has them; then newer parts.
func harmed(s *Status) *Row {
	if s.First != nil && s.First.State == Beyond {
		return s.First
	}
	for _, rows := range [...][]Row{s.Rows, s.Sooner} {
		for i := range rows {
			if rows[i].State == Beyond {
				return &rows[i]
			}
		}
	}
	return nil
}

const (
	leastUnits = 20               // effective units per arm, below which nothing is cleared
	tooLate    = 10 * time.Second // what a book may be behind
	tooSilent  = 15 * time.Second // what an arm may be, and a fifth of the time

	tooMuchMissing = 10 // one part of so many

	newestOpen = "the newest third is not within the margin by itself"
)

// doubts are what keeps it from being held.
func (c *Comparison) doubts(s *Status, now time.Time) []Doubt {
	all := append(c.late(now), c.beside...)
	if c.lost != "" {
		all = append(all, Doubt{LostDoubt, "", c.lost})
	}
	if s.In < c.plan.AtLeast {
		all = append(all, Doubt{SoonDoubt, "", fmt.Sprintf("the fault was seen for %s, and nothing is held before %s", s.In.Round(time.Second), c.plan.AtLeast)})
	}
	guarded := false
	i, beside := 0, 0
	for _, r := range c.rows {
		if r.all {
			if r.clears {
				all = append(all, besideDoubts(r, &s.Beside[beside])...)
			}
			beside++
			continue
		}
		row := &s.Rows[i]
		i++
		if r.clears {
			guarded = true
			all = append(all, c.rowDoubts(r, row, s)...)
		}
	}
	if !guarded {
		all = append(all, Doubt{NothingDoubt, "", "no metric has a margin, so that nothing can be held"})
	}
	for _, g := range s.Guards {
		all = append(all, c.guardDoubts(&g)...)
	}
	return all
}

// late are books that tell nothing new, and counts that were refused.
func (c *Comparison) late(now time.Time) []Doubt {
	var all []Doubt
	for _, name := range slices.Sorted(maps.Keys(c.books)) {
		b := c.books[name]
		if b.UpTo.After(b.seen) || b.advanced.IsZero() {
			b.seen, b.advanced = b.UpTo, now
		}
		if quiet := now.Sub(b.advanced); quiet > tooLate {
			all = append(all, Doubt{MissingDoubt, "", fmt.Sprintf("nothing was told for %s%s", quiet.Round(time.Second), of(name))})
		}
		if in := b.UpTo.Sub(b.Injected); !b.Injected.IsZero() && tooMuchMissing*b.Missing > in {
			all = append(all, Doubt{MissingDoubt, "", fmt.Sprintf("of %s since the injection %s are not counted%s", in.Round(time.Second), b.Missing.Round(time.Second), of(name))})
		}
		if b.Refused > 0 {
			all = append(all, Doubt{RefusedDoubt, "", fmt.Sprintf("counts that could not be: %d%s", b.Refused, of(name))})
		}
	}
	return all
}

func of(name string) string {
	if name == "" {
		return ""
	}
	return " by " + name
}

func (c *Comparison) rowDoubts(r *row, row *Row, s *Status) []Doubt {
	b := c.books[r.metric.Book]
	doubt := func(k DoubtKind, format string, a ...any) []Doubt {
		return []Doubt{{k, r.name, r.name + ": " + fmt.Sprintf(format, a...)}}
	}
	if b == nil || b.Injected.IsZero() {
		return doubt(MissingDoubt, "nothing is told of the time since the injection")
	}
	if _, there := b.Row(r.name); !there {
		return doubt(MissingDoubt, "nothing is told of it")
	}
	if r.q != 0 && r.limit.Usual == 0 {
		return doubt(LimitDoubt, "the baseline had too few answers to know the quantile")
	}
	if r.control.N == 0 && r.experiment.N == 0 {
		return doubt(NotMetDoubt, "%s", r.nothing())
	}
	all := r.drifted(r.control.N, r.control.Y)
	for arm, f := range r.flow {
		if f.silence >= tooSilent && 5*f.silence >= s.In {
			all = append(all, doubt(SilentDoubt, "%s had no requests for %s", armName(slots.Arm(arm)), f.silence.Round(time.Second))...)
		}
	}
	if least := min(row.Control.Effective, row.Experiment.Effective); least < leastUnits {
		all = append(all, doubt(UnitsDoubt, "%.3g effective units in an arm, and below %d nothing is cleared", least, leastUnits)...)
	}
	if e, err := SplitEvidence([]int64{int64(row.Control.Units), int64(row.Experiment.Units)}, []float64{0.5, 0.5}); err != nil || e >= math.Log(1/splitAlpha) {
		all = append(all, doubt(SplitDoubt, "%.0f units of control and %.0f of the experiment were seen, which chance does not do", row.Control.Units, row.Experiment.Units)...)
	}
	if times, ok := r.diluted(); ok {
		all = append(all, doubt(DilutedDoubt, "the experiment had %.3g times as many requests as control, which chance does not do: without those harm would be beyond the margin", times)...)
	}
	if e, control, beyond := r.ofEach(); beyond && row.State == Within {
		all = append(all, doubt(DilutedDoubt, "of each unit's own requests %s are bad in the experiment, and %s in control, which is beyond the margin: those who are harmed ask less, and so are fewer of all requests; a metric event-rate with harm: decrease tells", percent(e), percent(control))...)
	}
	if times, ok := r.untold(); ok && r.metric.NoTrials {
		all = append(all, doubt(DilutedDoubt, "the experiment had only %.3g times as many requests as control lets expect, which chance does not do: who counts them when they are over counts none that hangs; compare the success-rate of the proxy", times)...)
	}
	switch {
	case row.State != Within:
		all = append(all, doubt(OpenDoubt, "%s%s", row.place(), c.lopsided(r, b))...)
	case !row.Newest:
		all = append(all, doubt(NewestDoubt, newestOpen)...)
	}
	return all
}

// besideDoubts are those of a row of all requests.
func besideDoubts(r *row, row *Row) []Doubt {
	name := RowName(row.Metric, row.Quantile) + ", " + string(row.Of)
	switch {
	case row.State != Within:
		return []Doubt{{OpenDoubt, r.name, name + ": " + row.place()}}
	case !row.Newest:
		return []Doubt{{NewestDoubt, r.name, name + ": " + newestOpen}}
	}
	return nil
}

// nothing says that no request is behind a row.
func (r *row) nothing() string {
	if r.met {
		return "no request met the fault"
	}
	return "there were no requests"
}

func armName(a slots.Arm) string {
	if a == slots.Control {
		return "control"
	}
	return "the experiment"
}

// guardDoubts are those of both arms beside the baseline.
func (c *Comparison) guardDoubts(g *Guard) []Doubt {
	if !g.Both {
		return nil
	}
	name := RowName(g.Metric, g.Quantile)
	if g.Of == AllRequests {
		name += AllSuffix
	}
	var all []Doubt
	if g.Kind == SuccessRate && g.Of == "" && g.Before > mostFailing {
		all = append(all, Doubt{FailingDoubt, name, fmt.Sprintf("%s: %s failed in the baseline already", name, percent(g.Before))})
	}
	if g.State == Within {
		return all
	}
	for _, r := range c.rows {
		if r.name != name {
			continue
		}
		name := g.name()
		row, _ := c.baselineRow(r)
		if math.IsInf(row.Needed, 1) {
			return append(all, Doubt{ShortDoubt, name, name + ": the baseline has nothing to compare both arms with"})
		}
		if row.Counted < row.Needed {
			return append(all, Doubt{ShortDoubt, name, fmt.Sprintf("%s: the baseline of %.0f requests is too short to say that both arms are as before; it takes %.0f", name, row.Counted, math.Ceil(row.Needed))})
		}
	}
	return append(all, Doubt{ChangeDoubt, name, fmt.Sprintf("%s: both arms may be worse than in the baseline by more than the margin", g.name())})
}
