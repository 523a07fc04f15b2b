package slots

import (
	"errors"
	"fmt"
	"math/bits"
	"time"
)

// Slots is how many slots an arm has unless told otherwise.
const Slots = 8192

// fewUnits is up to how many slots of both arms are told one by one.
const fewUnits = 128

// What a caller may tell apart.
var (
	// ErrBook is a book that cannot be made as asked.
	ErrBook = errors.New("book of slots is invalid")
	// ErrSums are sums that no slots can have.
	ErrSums = errors.New("sums over slots are invalid")
)

// Row is one thing that is counted of each slot.
type Row struct {
	Name string `json:"name"`
	// PerUnit is a row of events: n is how many units of a slot were seen (by
	// [Place].Who, so that many are told as 32 at most), and y may be more.
	PerUnit bool `json:"perUnit,omitempty"`
	// Whole is a row that has no windows, because only what changed since the
	// baseline is asked of it.
	Whole bool `json:"whole,omitempty"`
	// Beside is a row of all requests, where others are of some. Its units are not
	// told one by one, and take no place from the few that did more.
	Beside bool `json:"beside,omitempty"`
}

// Changed is put behind the name of a row for the one beside it that compares
// with the baseline: since the injection it counts what took longer than the
// experiment's threshold in either arm, and before it what took longer than
// control's, as every row does then.
const Changed = " change"

// Count is what one request, or a few of one slot that came in the same
// stretch, add to a row: n requests of which y were bad. Of a row per unit any n
// is that the unit was seen, and y are events.
type Count struct {
	Row  int // its index in the book's rows
	N, Y uint32
}

// cell is what is kept of a slot in a row. Of a row per unit n has a bit for each
// unit that was seen.
type cell struct{ n, y uint32 }

// counted is the cell as numbers.
func (b *Book) counted(row int, c cell) cell {
	if b.rows[row].PerUnit {
		c.n = uint32(bits.OnesCount32(c.n))
	}
	return c
}

// more is what a count adds to a cell, and what then is there; not if that is
// more than is kept.
func (b *Book) more(to cell, p Place, c Count) (dn, dy float64, then cell, fits bool) {
	then = cell{to.n + c.N, to.y + c.Y}
	if b.rows[c.Row].PerUnit {
		then.n = to.n | 1<<(p.Who%32)
		return float64(bits.OnesCount32(then.n) - bits.OnesCount32(to.n)), float64(c.Y), then, then.y >= to.y
	}
	return float64(c.N), float64(c.Y), then, then.n >= to.n && then.y >= to.y
}

// sums are those of one row: before the injection over all slots that had any
// then, and since over those that had any since.
type sums struct {
	before Before
	since  Moments
	most   uint32 // the largest n of a slot
}

// Book counts. It is for one comparison, has no clock, and is not safe for use
// by several goroutines at once. [Book.Add] allocates nothing, except for a
// window that begins.
type Book struct {
	slots    int
	rows     []Row
	windowed []int // per row its index among those with windows, or -1
	width    int   // rows with windows
	began    time.Time
	injected time.Time
	upTo     time.Time
	newest   time.Time // of what was counted as baseline
	cells    []cell    // per arm, slot and row: baseline, since
	sums     [][2]sums // per row and arm
	windows  []*window // the oldest first
	later    []cell    // per arm, slot, window and row with windows
	opened   int       // windows so far
	trials   []byte
	tried    []bool // per arm and slot
	few      []Place
	refused  uint64
	missing  [2]time.Duration // before the injection, and since
}

// NewBook makes a book whose counts begin at a time (of the caller's clock),
// which also names it: one that begins anew has lost what it had. Slots is how
// many each arm has; 0 is [Slots].
func NewBook(slots int, rows []Row, began time.Time) (*Book, error) {
	if slots == 0 {
		slots = Slots
	}
	if slots < 1 || slots > 1<<20 || len(rows) == 0 || len(rows) > 512 {
		return nil, fmt.Errorf("make book: %w: %d slots and %d rows", ErrBook, slots, len(rows))
	}
	b := &Book{slots: slots, rows: append([]Row(nil), rows...), began: began.Round(0), upTo: began.Round(0)}
	names := map[string]bool{}
	for _, r := range rows {
		if r.Name == "" || names[r.Name] {
			return nil, fmt.Errorf("make book: %w: two rows are named %q, or one has no name", ErrBook, r.Name)
		}
		names[r.Name] = true
		at := -1
		if !r.Whole {
			at = b.width
			b.width++
		}
		b.windowed = append(b.windowed, at)
	}
	b.cells = make([]cell, 2*slots*len(rows)*2)
	b.sums = make([][2]sums, len(rows))
	b.tried = make([]bool, 2*slots)
	b.trials = make([]byte, 0, 2*slots)
	b.few = make([]Place, 0, fewUnits+1)
	return b, nil
}

// Inject says when the fault was put in; it is said once. What came then or
// later counts as since; what came before is baseline, also if it is counted
// later. Nothing is revised: if requests that came after that time were counted
// already, the injection is taken to be just after the newest of them. It
// returns the time that is used. Hold back what came while the fault is being
// put in, or none of it is evidence.
func (b *Book) Inject(at time.Time) time.Time {
	if b.injected.IsZero() {
		at = at.Round(0)
		if !at.After(b.newest) {
			at = b.newest.Add(1)
		}
		b.injected = at
	}
	return b.injected
}

// Add counts what came at a time from a unit. What cannot be (a row, arm or
// slot that is none; more bad than there are, unless per unit) is not counted,
// and told as refused.
func (b *Book) Add(p Place, came time.Time, counts ...Count) {
	if int(p.Slot) >= b.slots || p.Arm > Experiment {
		b.refused++
		return
	}
	since := !b.injected.IsZero() && !came.Before(b.injected)
	if since {
		b.openUntil(came)
		b.remember(p, counts)
	} else if came.After(b.newest) {
		b.newest = came.Round(0)
	}
	at := int(p.Arm)*b.slots + int(p.Slot)
	for _, c := range counts {
		switch {
		case c.N == 0 && c.Y == 0:
		case !b.possible(c):
			b.refused++
		case since:
			b.addSince(at, p, c)
		default:
			b.addBefore(at, p, c)
		}
	}
	for _, w := range b.windows {
		if since && !came.Before(w.start) {
			b.addTo(w, at, p, counts)
		}
	}
}

func (b *Book) possible(c Count) bool {
	return c.Row >= 0 && c.Row < len(b.rows) && (c.Y <= c.N || b.rows[c.Row].PerUnit)
}

func (b *Book) addSince(at int, p Place, c Count) {
	i := (at*len(b.rows) + c.Row) * 2
	main, s := &b.cells[i+1], &b.sums[c.Row][p.Arm]
	if !b.add(&s.since, main, b.cells[i], p, c) {
		b.refused++
		return
	}
	s.most = max(s.most, b.counted(c.Row, *main).n)
}

func (b *Book) addTo(w *window, at int, p Place, counts []Count) {
	cells, before := w.of(b, at), b.cells[at*len(b.rows)*2:]
	for _, c := range counts {
		if c.N == 0 && c.Y == 0 || !b.possible(c) {
			continue
		}
		if k := b.windowed[c.Row]; k >= 0 {
			b.add(&w.sums[k][p.Arm], &cells[k], before[2*c.Row], p, c)
		}
	}
}

// add is one cell of a book or a window, and its moments. It is most of the work,
// and so does what is usual without a call.
func (b *Book) add(m *Moments, to *cell, before cell, p Place, c Count) bool {
	then := cell{to.n + c.N, to.y + c.Y}
	if b.rows[c.Row].PerUnit {
		dn, dy, then, fits := b.more(*to, p, c)
		if fits {
			m.grow(b.counted(c.Row, *to), b.counted(c.Row, before), dn, dy)
			*to = then
		}
		return fits
	}
	if then.n < to.n || then.y < to.y {
		return false
	}
	m.grow(*to, before, float64(c.N), float64(c.Y))
	*to = then
	return true
}

func (b *Book) addBefore(at int, p Place, c Count) {
	i := (at*len(b.rows) + c.Row) * 2
	to, main, s := &b.cells[i], b.counted(c.Row, b.cells[i+1]), &b.sums[c.Row][p.Arm]
	dn, dy, then, fits := b.more(*to, p, c)
	if !fits {
		b.refused++
		return
	}
	was := b.counted(c.Row, *to)
	s.before.grow(was, dn, dy)
	if main.n > 0 {
		s.since.growBefore(main, was, dn, dy)
	}
	if k := b.windowed[c.Row]; k >= 0 {
		for _, w := range b.windows {
			if had := b.counted(c.Row, w.of(b, at)[k]); had.n > 0 {
				w.sums[k][p.Arm].growBefore(had, was, dn, dy)
			}
		}
	}
	*to = then
}

// remember keeps the first slots that were seen since the injection.
func (b *Book) remember(p Place, counts []Count) {
	if len(b.few) > fewUnits || !b.tells(counts) {
		return
	}
	for _, q := range b.few {
		if q.Slot == p.Slot && q.Arm == p.Arm {
			return
		}
	}
	b.few = append(b.few, p)
}

// tells says whether one of the counts is of a row whose few units are told.
func (b *Book) tells(counts []Count) bool {
	for _, c := range counts {
		if c.Row >= 0 && c.Row < len(b.rows) && !b.rows[c.Row].Beside {
			return true
		}
	}
	return false
}

// Trial takes in the first request of a unit since the injection: its arm was
// drawn by a fair coin that nothing earlier knows. Call it for each request
// that met the fault, or would have; only the first of each slot counts, and
// only what came since the injection. It says whether it was the first.
func (b *Book) Trial(p Place, came time.Time, failed bool) bool {
	if int(p.Slot) >= b.slots || p.Arm > Experiment || b.injected.IsZero() || came.Before(b.injected) {
		return false
	}
	at := int(p.Arm)*b.slots + int(p.Slot)
	if b.tried[at] {
		return false
	}
	b.tried[at] = true
	mark := byte(TrialControl)
	if p.Arm == Experiment {
		mark = TrialExperiment
	}
	if failed {
		mark -= 'a' - 'A'
	}
	b.trials = append(b.trials, mark)
	return true
}

// Miss says that so much time is not counted: of the baseline, or since the
// injection once that is said.
func (b *Book) Miss(d time.Duration) {
	if d <= 0 {
		return
	}
	if b.injected.IsZero() {
		b.missing[0] += d
		return
	}
	b.missing[1] += d
}

// Close says that all that came before a time has been counted.
func (b *Book) Close(upTo time.Time) {
	if upTo = upTo.Round(0); upTo.After(b.upTo) {
		b.upTo = upTo
	}
	if !b.injected.IsZero() {
		b.openUntil(upTo)
	}
}
