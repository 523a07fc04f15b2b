package metrics

import (
	"fmt"
	"math"
	"slices"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/slots"
)

// fits refuses counts that are larger than a book keeps, and other bounds.
func (u *byUnits) fits(b analysis.Bucket) error {
	for _, unit := range b.Units {
		h := unit.Arm.Latency
		if u.bounds == nil {
			u.bounds = h.Bounds
		}
		if u.metric.Metric == mishap.Latency && !slices.Equal(u.bounds, h.Bounds) {
			return fmt.Errorf("%s %s: %w", u.metric.Unit, unit.Name, analysis.ErrScheme)
		}
		if most := max(unit.Arm.Requests, unit.Arm.Events, above(h, -1)); most > math.MaxUint32 {
			return fmt.Errorf("%w: %s %s counted %d", analysis.ErrBucket, u.metric.Unit, unit.Name, most)
		}
	}
	return nil
}

// counts is what a unit adds to the rows.
func (u *byUnits) counts(unit analysis.Unit, since bool) (all []slots.Count) {
	count := func(row int, n, y int64) {
		if row >= 0 {
			all = append(all, slots.Count{Row: row, N: uint32(n), Y: uint32(y)})
		}
	}
	a := unit.Arm
	for i, r := range u.rows {
		switch r.Of {
		case mishap.CountFailures:
			count(i, a.Requests, a.Requests-a.Successes)
		case mishap.CountEvents:
			count(i, 1, a.Events)
		case mishap.CountSlow:
			at := slices.IndexFunc(u.limits, func(t Threshold) bool { return t.Row == r.Name })
			if at < 0 {
				continue
			}
			own, change := u.limits[at].Control, u.limits[at].Control
			if since {
				change = u.limits[at].Experiment
			}
			if since && unit.Experiment {
				own = change
			}
			answers := above(a.Latency, -1)
			count(i, answers, above(a.Latency, u.bound(own)))
			count(u.changes[i], answers, above(a.Latency, u.bound(change)))
		}
	}
	return all
}

// silent counts slots of users that had no event as some that had none: what
// makes events cease must not make their units cease too.
func (u *byUnits) silent(came time.Time) {
	if u.metric.Metric != mishap.EventRate || u.targets > 0 {
		return
	}
	for slot := range uint32(slots.Labels) {
		for _, arm := range []slots.Arm{slots.Control, slots.Experiment} {
			u.book.Add(slots.Place{Arm: arm, Slot: slot}, came, slots.Count{N: 1})
		}
	}
}

// above is how many answers took longer than a bound.
func above(h analysis.Histogram, bound int) (n int64) {
	for i := bound + 1; i < len(h.Counts); i++ {
		n += h.Counts[i]
	}
	return n
}

// bound is the index of a threshold among the bounds; -1 if it is none of them.
func (u *byUnits) bound(d time.Duration) int {
	return slices.IndexFunc(u.bounds, func(b float64) bool { return math.Abs(b-d.Seconds()) < 1e-9*max(1, b) })
}
