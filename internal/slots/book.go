package slots

import (
	"errors"
	"fmt"
	"math"
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

// Arm is one of the two.
type Arm uint8

// The arms.
const (
	Control Arm = iota
	Experiment
)

// Place is where a unit is counted: its arm, and its slot there.
type Place struct {
	Arm  Arm
	Slot uint32
}

// Of is the slot of a unit whose identity was hashed, among so many. The hash is
// mixed first, so that it does not matter which of its bits drew the arm.
func Of(hash uint64, slots int) uint32 {
	hash ^= hash >> 30
	hash *= 0xbf58476d1ce4e5b9
	hash ^= hash >> 27
	hash *= 0x94d049bb133111eb
	return uint32((hash ^ hash>>31) % uint64(slots))
}

// Row is one thing that is counted of each slot.
type Row struct {
	Name string `json:"name"`
	// PerUnit is a row of events: n is 1 for each slot that was seen, and y may
	// be more than n.
	PerUnit bool `json:"perUnit,omitempty"`
	// Whole is a row that has no windows, because only what changed since the
	// baseline is asked of it.
	Whole bool `json:"whole,omitempty"`
}

// Count is what one request, or a few of one slot that came in the same
// stretch, add to a row: n requests of which y were bad. Of a row per unit n is
// whether the slot was seen, and y are events.
type Count struct {
	Row  int // its index in the book's rows
	N, Y uint32
}

type cell struct{ n, y uint32 }

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
	opened   int       // windows so far
	trials   []byte
	tried    []bool // per arm and slot
	few      []Place
	refused  uint64
}

// NewBook makes a book whose counts begin at a time (of the caller's clock),
// which also names it: one that begins anew has lost what it had. Slots is how
// many each arm has; 0 is [Slots].
func NewBook(slots int, rows []Row, began time.Time) (*Book, error) {
	if slots == 0 {
		slots = Slots
	}
	if slots < 1 || slots > 1<<20 || len(rows) == 0 || len(rows) > 256 {
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
		if c.Row < 0 || c.Row >= len(b.rows) || c.Y > c.N && !b.rows[c.Row].PerUnit {
			b.refused++
			continue
		}
		if c.N == 0 && c.Y == 0 {
			continue
		}
		if since {
			b.addSince(at, p.Arm, came, c)
		} else {
			b.addBefore(at, p.Arm, c)
		}
	}
}

func (b *Book) addSince(at int, arm Arm, came time.Time, c Count) {
	i := (at*len(b.rows) + c.Row) * 2
	before, main, s := b.cells[i], &b.cells[i+1], &b.sums[c.Row][arm]
	if !b.add(&s.since, main, before, c) {
		return
	}
	s.most = max(s.most, main.n)
	k := b.windowed[c.Row]
	if k < 0 {
		return
	}
	for _, w := range b.windows {
		if !came.Before(w.start) {
			b.add(&w.sums[k][arm], &w.cells[at*b.width+k], before, c)
		}
	}
}

// add is one cell of a book or a window, and its moments.
func (b *Book) add(m *Moments, to *cell, before cell, c Count) bool {
	dn := c.N
	if b.rows[c.Row].PerUnit {
		dn = 1 - min(to.n, 1)
	}
	if dn > math.MaxUint32-to.n || c.Y > math.MaxUint32-to.y {
		b.refused++
		return false
	}
	m.grow(*to, before, float64(dn), float64(c.Y))
	to.n, to.y = to.n+dn, to.y+c.Y
	return true
}

func (b *Book) addBefore(at int, arm Arm, c Count) {
	i := (at*len(b.rows) + c.Row) * 2
	to, main, s := &b.cells[i], b.cells[i+1], &b.sums[c.Row][arm]
	dn := c.N
	if b.rows[c.Row].PerUnit {
		dn = 1 - min(to.n, 1)
	}
	if dn > math.MaxUint32-to.n || c.Y > math.MaxUint32-to.y {
		b.refused++
		return
	}
	was, fn, fy := *to, float64(dn), float64(c.Y)
	s.before.grow(was, fn, fy)
	if main.n > 0 {
		s.since.growBefore(main, was, fn, fy)
	}
	if k := b.windowed[c.Row]; k >= 0 {
		for _, w := range b.windows {
			if had := w.cells[at*b.width+k]; had.n > 0 {
				w.sums[k][arm].growBefore(had, was, fn, fy)
			}
		}
	}
	to.n, to.y = to.n+dn, to.y+c.Y
}

// remember keeps the first slots that were seen since the injection.
func (b *Book) remember(p Place, counts []Count) {
	if len(b.few) > fewUnits || len(counts) == 0 {
		return
	}
	for _, q := range b.few {
		if q == p {
			return
		}
	}
	b.few = append(b.few, p)
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

// Close says that all that came before a time has been counted.
func (b *Book) Close(upTo time.Time) {
	if upTo = upTo.Round(0); upTo.After(b.upTo) {
		b.upTo = upTo
	}
	if !b.injected.IsZero() {
		b.openUntil(upTo)
	}
}
