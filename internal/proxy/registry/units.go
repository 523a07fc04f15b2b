package registry

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/slots"
)

// unitsMemory bounds the memory of slots, in bytes: with many rows there are fewer of them.
const (
	unitsMemory = 13 << 20 // room for the usual rows twice
	leastSlots  = 512
)

// armsUnits counts the requests of closed buckets by their units, in slots.
type armsUnits struct {
	book    *slots.Book
	slots   int
	rows    []unitRow
	answers []*partAnswers // of the baseline, until thresholds are told
	trials  int            // the row whose failures first requests are judged by; -1: none

	exposed    bool          // rows are of the requests that met the fault
	counts     []slots.Count // room
	thresholds []Threshold
	injected   time.Time // zero in the baseline
	told       time.Time // when it was, as it was told
	underWay   [2]uint64 // requests that came before the injection, and were not over
}

// countedAs are the places of a row in the book: of the requests that met the fault, and of all requests beside it.
type countedAs struct{ met, all int }

// of is the place for all requests, or for those that met the fault.
func (c countedAs) of(all bool) int {
	if all {
		return c.all
	}
	return c.met
}

// unitRow is a row as it was asked for, and where it is in the book.
type unitRow struct {
	fault.CountRow
	part        uint16 // the bit of its part; 0: all
	of, changed countedAs
	limit       [2]uint32 // microseconds, of each arm; 0: not told
}

func newArmsUnits(c *fault.Counts, now time.Time) *armsUnits {
	rows := c.BookRows()
	u := &armsUnits{slots: slotsFor(rows), trials: -1, exposed: c.Exposed}
	u.book, _ = slots.NewBook(u.slots, rows, now) // the rows are checked
	u.counts = make([]slots.Count, 0, len(rows))
	at := map[string]int{}
	for i, r := range rows {
		at[r.Name] = i
	}
	for i, r := range c.Rows {
		row := unitRow{CountRow: r, of: countedAs{at[r.Name], at[r.Name+fault.All]}}
		if part := c.Part(r); part >= 0 {
			row.part = 1 << part
		}
		if r.Of == fault.OfSlow {
			changed := r.Name + slots.Changed
			row.changed = countedAs{at[changed], at[changed+fault.All]}
		}
		if r.Of == fault.OfFailures && u.trials < 0 {
			u.trials = i
		}
		u.rows = append(u.rows, row)
	}
	u.answers = answersOf(u.rows, c.Exposed)
	return u
}

// slotsFor is how many slots of each arm there is room for: a cell is 8 bytes, and there is one of each row before the
// injection, one since, and one in each of seven windows.
func slotsFor(rows []slots.Row) int {
	perSlot := 0
	for _, r := range rows {
		perSlot += 16
		if !r.Whole {
			perSlot += 7 * 8
		}
	}
	n := slots.Slots
	for n > leastSlots && 2*n*perSlot > unitsMemory {
		n /= 2
	}
	return n
}

// place says of a request where its unit is counted.
func (u *armsUnits) place(r *armRequest, unit uint64) {
	p := slots.PlaceOf(slots.Arm(r.arm()), unit, u.slots)
	r.slot, r.who = p.Slot, p.Who
}

// phase is the time of a run that a request counts to.
type phase uint8

// The phases. A request that was under way when the fault was injected is of neither.
const (
	inBaseline phase = iota
	sinceInjection
	inNeither
)

// phaseOf is the phase of a request that is over.
func (u *armsUnits) phaseOf(r *armRequest, came time.Time) phase {
	switch {
	case u.injected.IsZero():
		return inBaseline
	case !came.Before(u.injected):
		return sinceInjection
	case came.Add(time.Duration(r.took) * time.Microsecond).After(u.injected):
		return inNeither
	}
	return inBaseline
}

// count counts a request that is over, in the rows of all requests.
func (u *armsUnits) count(r *armRequest, came time.Time) {
	when := u.phaseOf(r, came)
	switch {
	case when == inNeither:
		u.underWay[r.arm()]++
	case u.exposed:
		u.add(r, when, true)
		u.book.Add(r.place(), came, u.counts...)
	default:
		u.countMet(r, came, when)
	}
}

// countMet counts a request that met the fault, or any if all are taken to.
func (u *armsUnits) countMet(r *armRequest, came time.Time, when phase) {
	u.add(r, when, false)
	u.book.Add(r.place(), came, u.counts...)
	if when == sinceInjection && (u.trials < 0 || u.rows[u.trials].concerns(r)) {
		u.book.Trial(r.place(), came, !r.has(succeeded))
	}
}

// concerns says whether a request is of the part of the traffic that a row is confined to.
func (row *unitRow) concerns(r *armRequest) bool { return row.part == 0 || r.parts&row.part != 0 }

// add says what rows count of a request, and how both arms changed.
func (u *armsUnits) add(r *armRequest, when phase, all bool) {
	u.counts = u.counts[:0]
	ok, arm := r.has(succeeded), r.arm()
	if when == inBaseline { // control's threshold is that of both
		arm = 0
	}
	count := func(row int, bad bool) {
		c := slots.Count{Row: row, N: 1}
		if bad {
			c.Y = 1
		}
		u.counts = append(u.counts, c)
	}
	for i := range u.rows {
		row := &u.rows[i]
		of := row.of.of(all)
		switch {
		case !row.concerns(r):
		case row.Of == fault.OfFailures:
			count(of, !ok)
		case row.Of == fault.OfRefused:
			count(of, r.has(unsaid))
		case row.Of == fault.OfMoved:
			count(of, r.has(moved))
		case row.Of == fault.OfCut:
			count(of, r.has(cut))
		case row.Of == fault.OfLate:
			count(of, r.has(late))
		case row.Of == fault.OfSealed:
			count(of, ok && r.has(sealed))
		case row.Of == fault.OfEvents:
			count(of, ok)
		case ok && row.limit[0] > 0:
			count(of, r.took > row.limit[arm])
			count(row.changed.of(all), r.took > row.limit[min(when, 1)])
		}
	}
}

// limit takes the thresholds of rows that need one, for buckets that are not closed yet; a row that is not told one counts
// nothing. They may be told again, and never be changed.
func (b *armsBook) limit(list []Threshold) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.units
	if u == nil {
		return countsNothing()
	}
	if u.thresholds != nil {
		if !slices.Equal(u.thresholds, list) {
			return fault.Refused(http.StatusConflict, "let a new run begin", "the thresholds are fixed already: what is counted with others cannot be compared")
		}
		return nil
	}
	var errs fault.Problems
	told := map[string]bool{}
	for _, t := range list {
		t.check(&errs)
		errs.Add(told[t.Row], "row %q has two thresholds", t.Row)
		told[t.Row] = true
		i := slices.IndexFunc(u.rows, func(r unitRow) bool { return r.Name == t.Row && r.Of == fault.OfSlow })
		errs.Add(i < 0, "there is no row %q that needs a threshold", t.Row)
	}
	errs.Add(len(list) == 0, "no row has a threshold")
	if err := errors.Join(errs...); err != nil {
		return fault.Refused(http.StatusBadRequest, "", "%w", err)
	}
	for _, t := range list {
		i := slices.IndexFunc(u.rows, func(r unitRow) bool { return r.Name == t.Row })
		for arm, d := range []fault.Duration{t.Control, t.Experiment} {
			u.rows[i].limit[arm] = uint32(min(time.Duration(d), b.patience) / time.Microsecond)
		}
	}
	u.thresholds = slices.Clone(list)
	return nil
}

// inject takes the time when the fault is injected, and gives the one that is used: not after now, for a clock that is ahead
// must not make a baseline of what met the fault, and not before what is counted.
func (b *armsBook) inject(at, now time.Time) (time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.units
	switch {
	case u == nil:
		return time.Time{}, countsNothing()
	case !u.injected.IsZero() && !u.told.Equal(at):
		return time.Time{}, fault.Refused(http.StatusConflict, "let a new run begin", "the fault was injected at %s already", u.told.UTC().Format(time.RFC3339Nano))
	case !u.injected.IsZero():
		return u.injected, nil
	}
	b.advance(max(now.Sub(b.start), 0))
	use := b.start.Add(max(min(at.Sub(b.start), now.Sub(b.start)), time.Duration(b.closed)*fault.ArmsWidth))
	u.told, u.injected = at, u.book.Inject(use)
	return u.injected, nil
}

func countsNothing() error {
	return fault.Refused(http.StatusUnprocessableEntity, "give counts when they are injected", "these arms count no units")
}

// Threshold is how long an answer may take that a row does not count as slow.
type Threshold struct {
	Row        string         `json:"row"`
	Control    fault.Duration `json:"control"`    // in control, and in both arms in the baseline
	Experiment fault.Duration `json:"experiment"` // at least as long
}

func (t Threshold) check(errs *fault.Problems) {
	errs.Add(t.Control <= 0 || t.Experiment < t.Control || t.Experiment > fault.Duration(fault.MaxDelay),
		"thresholds of row %q, %v and %v, must be above 0, at most %v, and that of the experiment not below control's",
		t.Row, time.Duration(t.Control), time.Duration(t.Experiment), fault.MaxDelay)
}
