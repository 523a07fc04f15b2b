package proxy

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"mishap/internal/slots"
)

// unitsMemory bounds the memory of slots, in bytes: with many rows there are fewer of them.
const (
	unitsMemory = 12 << 20
	leastSlots  = 512
)

// armsUnits counts the requests of closed buckets by their units, in slots.
type armsUnits struct {
	book    *slots.Book
	slots   int
	rows    []unitRow
	answers []*partAnswers // of the baseline, until thresholds are told
	trials  int            // the row whose failures first requests are judged by; -1: none

	counts     []slots.Count // room
	thresholds []Threshold
	injected   time.Time // zero in the baseline
	told       time.Time // when it was, as it was told
	underWay   [2]uint64 // requests that came before the injection, and were not over
}

// unitRow is a row as it was asked for, and where it is in the book.
type unitRow struct {
	CountRow
	part        uint16 // the bit of its part; 0: all
	of, changed int
	limit       [2]uint32 // microseconds, of each arm; 0: not told
}

func newArmsUnits(c *Counts, now time.Time) *armsUnits {
	rows := c.bookRows()
	u := &armsUnits{slots: slotsFor(rows), trials: -1}
	u.book, _ = slots.NewBook(u.slots, rows, now) // the rows are checked
	u.counts = make([]slots.Count, 0, len(rows))
	confined, changed := c.confined(), len(c.Rows)
	for i, r := range c.Rows {
		row := unitRow{CountRow: r, of: i}
		if part := partOf(confined, r); part >= 0 {
			row.part = 1 << part
		}
		if r.Of == OfSlow {
			row.changed = changed
			changed++
		}
		if r.Of == OfFailures && u.trials < 0 {
			u.trials = i
		}
		u.rows = append(u.rows, row)
	}
	u.answers = answersOf(u.rows)
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

// count counts a request that is over. One that was under way when the fault was put in is of neither time.
func (u *armsUnits) count(r *armRequest, came time.Time) {
	arm := slots.Arm(r.arm())
	since := !u.injected.IsZero() && !came.Before(u.injected)
	if !u.injected.IsZero() && !since && came.Add(time.Duration(r.took)*time.Microsecond).After(u.injected) {
		u.underWay[arm]++
		return
	}
	place := slots.Place{Arm: arm, Slot: r.slot, Who: r.who}
	u.add(r, since)
	u.book.Add(place, came, u.counts...)
	if since && (u.trials < 0 || u.rows[u.trials].concerns(r)) {
		u.book.Trial(place, came, !r.has(succeeded))
	}
}

// concerns says whether a request is of the part of the traffic that a row is confined to.
func (row *unitRow) concerns(r *armRequest) bool { return row.part == 0 || r.parts&row.part != 0 }

// add says what the rows count of a request.
func (u *armsUnits) add(r *armRequest, since bool) {
	u.counts = u.counts[:0]
	ok, arm := r.has(succeeded), r.arm()
	count := func(row int, bad bool) {
		c := slots.Count{Row: row, N: 1}
		if bad {
			c.Y = 1
		}
		u.counts = append(u.counts, c)
	}
	for i := range u.rows {
		row := &u.rows[i]
		switch {
		case !row.concerns(r):
		case row.Of == OfFailures:
			count(row.of, !ok)
		case row.Of == OfEvents:
			count(row.of, ok)
		case ok && row.limit[0] > 0 && since:
			count(row.of, r.took > row.limit[arm])
			count(row.changed, r.took > row.limit[1])
		case ok && row.limit[0] > 0:
			count(row.of, r.took > row.limit[0])
			count(row.changed, r.took > row.limit[0])
		}
	}
}

// limit takes the thresholds of all rows that need one, for buckets that are not closed yet. They may be told again, and never
// be changed.
func (b *armsBook) limit(list []Threshold) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.units
	if u == nil {
		return countsNothing()
	}
	if u.thresholds != nil {
		if !slices.Equal(u.thresholds, list) {
			return refuse(http.StatusConflict, "let a new run begin", "the thresholds are fixed already: what is counted with others cannot be compared")
		}
		return nil
	}
	var errs problems
	told := map[string]bool{}
	for _, t := range list {
		t.check(&errs)
		errs.add(told[t.Row], "row %q has two thresholds", t.Row)
		told[t.Row] = true
		i := slices.IndexFunc(u.rows, func(r unitRow) bool { return r.Name == t.Row && r.Of == OfSlow })
		errs.add(i < 0, "there is no row %q that needs a threshold", t.Row)
	}
	for _, r := range u.rows {
		errs.add(r.Of == OfSlow && !told[r.Name], "row %q has no threshold", r.Name)
	}
	if err := errors.Join(errs...); err != nil {
		return refuse(http.StatusBadRequest, "", "%w", err)
	}
	for _, t := range list {
		i := slices.IndexFunc(u.rows, func(r unitRow) bool { return r.Name == t.Row })
		for arm, d := range []Duration{t.Control, t.Experiment} {
			u.rows[i].limit[arm] = uint32(min(time.Duration(d), b.patience) / time.Microsecond)
		}
	}
	u.thresholds = slices.Clone(list)
	return nil
}

// inject takes the time when the fault is put in, and gives the one that is used: not after now, for a clock that is ahead
// must not make a baseline of what met the fault, and not before what is counted.
func (b *armsBook) inject(at, now time.Time) (time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.units
	switch {
	case u == nil:
		return time.Time{}, countsNothing()
	case !u.injected.IsZero() && !u.told.Equal(at):
		return time.Time{}, refuse(http.StatusConflict, "let a new run begin", "the fault was put in at %s already", u.told.UTC().Format(time.RFC3339Nano))
	case !u.injected.IsZero():
		return u.injected, nil
	}
	b.advance(max(now.Sub(b.start), 0))
	use := b.start.Add(max(min(at.Sub(b.start), now.Sub(b.start)), time.Duration(b.closed)*armsWidth))
	u.told, u.injected = at, u.book.Inject(use)
	return u.injected, nil
}

func countsNothing() error {
	return refuse(http.StatusUnprocessableEntity, "give counts when they are put in", "these arms count no units")
}

// partAnswers is how long the answers of a part of the traffic took in the baseline, for rows that are confined to it: what of
// them is slow is read off it. All others go by the buckets.
type partAnswers struct {
	part    uint16
	rows    []string
	latency [armsBins]uint64
}

// answersOf are the parts of rows that need a threshold.
func answersOf(rows []unitRow) (list []*partAnswers) {
	of := map[uint16]*partAnswers{}
	for _, r := range rows {
		if r.Of != OfSlow || r.part == 0 {
			continue
		}
		if of[r.part] == nil {
			of[r.part] = &partAnswers{part: r.part}
			list = append(list, of[r.part])
		}
		of[r.part].rows = append(of[r.part].rows, r.Name)
	}
	return list
}

// time counts how long a request took that is over, until thresholds are told.
func (b *armsBook) time(r *armRequest) {
	u := b.units
	if u.thresholds != nil || !r.has(succeeded) {
		return
	}
	for _, a := range u.answers {
		if r.parts&a.part != 0 {
			a.latency[b.binOf(time.Duration(r.took)*time.Microsecond)]++
		}
	}
}

// RowAnswers is how long the answers took that a row is confined to, of both arms and until its threshold is told.
type RowAnswers struct {
	Row     string   `json:"row"`
	Latency []uint64 `json:"latency"` // by the bounds of the report
}

func (u *armsUnits) rowAnswers() (list []RowAnswers) {
	if u.thresholds != nil {
		return nil
	}
	for _, a := range u.answers {
		for _, row := range a.rows {
			list = append(list, RowAnswers{Row: row, Latency: append([]uint64(nil), a.latency[:]...)})
		}
	}
	return list
}
