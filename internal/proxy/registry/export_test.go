package registry

import (
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

// Summarize is what a fault would report of delays.
func Summarize(delays []time.Duration) Delays {
	var h Histogram
	for _, d := range delays {
		h.add(d)
	}
	return h.summary()
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
