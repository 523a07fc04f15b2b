package proxy

import (
	"bytes"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

// SetClock replaces the clock of leases.
func (o *Options) SetClock(clock func() time.Duration) { o.clock = clock }

// Summarize is what a fault would report of delays.
func Summarize(delays []time.Duration) Delays {
	var h histogram
	for _, d := range delays {
		h.add(d)
	}
	return h.summary()
}

// Decode reads a fault as the control API does, up to the registry.
func Decode(id string, body []byte) (fault.Fault, error) {
	f, err := decodeFault(id, bytes.NewReader(body))
	if err != nil {
		return f, err
	}
	f = f.WithDefaults()
	return f, f.Check()
}

// Shares gives how much each of n lines, one after the other, may take of what they share in steps.
func Shares(shared, step int64, n int) []int64 {
	all := &budget{limit: shared}
	taken := make([]int64, n)
	for i := range taken {
		own := &budget{limit: wayBudget, parent: all}
		for own.take(step) {
			taken[i] += step
		}
	}
	return taken
}

// Book counts the requests of arms.
type Book struct{ *armsBook }

// MaxUnits is how many units a book tells apart.
const MaxUnits = maxUnits

// NewBook begins a book.
func NewBook(a fault.Arms, now time.Time) Book { return Book{newArmsBook(a, now)} }

// Report gives the closed buckets after a number.
func (b Book) Report(after uint64, now time.Time) ArmsReport { return b.report(after, 0, now) }

// ReportFrom gives the first requests of units from one on, too.
func (b Book) ReportFrom(after uint64, trials int, now time.Time) ArmsReport {
	return b.report(after, trials, now)
}

// Inject tells the book of the injection.
func (b Book) Inject(at, now time.Time) (time.Time, error) { return b.inject(at, now) }

// Limit tells the book its thresholds.
func (b Book) Limit(list []Threshold) error { return b.limit(list) }

// Stop ends the book.
func (b Book) Stop(now time.Time) { b.finish(now) }

// ID is the id that a request gets, and "" if it gets none.
func (b Book) ID(a *forward.Assignment) string {
	if b.join == nil || a.Mark == noBucket {
		return ""
	}
	return string(b.join.ids.Append(nil, a.Mark))
}

// Meet tells the book which requests met the fault.
func (b Book) Meet(through uint64, now time.Time, ids ...string) Joined {
	joined, _ := b.meet(Meeting{Met: ids, Through: through}, now)
	return joined
}

// MaxJoin is how many requests are kept until it is known which met the fault.
const MaxJoin = maxJoin

// KeptBuckets is how many buckets are.
const KeptBuckets = armsKept
