package scheduler

import (
	"fmt"
	"time"

	"mishap"
)

// wall are the times at which the clock on a wall of the zone matches a cron
// expression.
//
// When clocks go forward, a time that is skipped fires at once when they do:
// 01:30 in London in March at 02:00. When they go back, a time that comes twice
// fires the first time only. An expression whose hours are all hours means
// "every hour": it goes on through the second hour, and makes up for nothing
// when whole hours are skipped, because no hour passes without it.
//
// The expression is evaluated on a clock without a zone, and its times are then
// mapped to instants: the cron library itself skips the first kind and doubles
// the second.
type wall struct {
	expression
	zone *time.Location
}

func newWall(text string, zone *time.Location) (times, error) {
	e, err := readCron(text)
	if err != nil {
		return nil, err
	}
	w := wall{e, zone}
	// A leap year's first day, so that the answer does not depend on today.
	if _, ok := w.next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); !ok {
		return nil, &mishap.FieldError{Path: "cron", Msg: fmt.Sprintf("%q can never fire: there is no such day", text), Hint: "look at the day of the month and the month"}
	}
	return w, nil
}

// segment is a span in which the zone's clock goes on evenly.
type segment struct {
	start, end time.Time     // zero: without an end on that side
	offset     time.Duration // wall minus UTC
}

func (w wall) segment(at time.Time) segment {
	local := at.In(w.zone)
	_, seconds := local.Zone()
	start, end := local.ZoneBounds()
	return segment{start, end, time.Duration(seconds) * time.Second}
}

// next goes from segment to segment. Wall times are kept as if they were UTC.
func (w wall) next(after time.Time) (time.Time, bool) {
	s := w.segment(after)
	from := after.UTC().Add(s.offset)
	for last := after.Add(horizon); ; {
		if !w.everyHour && !s.start.IsZero() {
			// What the wall showed before the clocks went back has fired.
			shown := s.start.UTC().Add(w.segment(s.start.Add(-1)).offset)
			if from.Before(shown) {
				from = shown.Add(-1)
			}
		}
		at, ok := w.match(from, last)
		if !ok {
			return time.Time{}, false
		}
		if instant := at.Add(-s.offset); s.end.IsZero() || instant.Before(s.end) {
			return instant, true
		}
		next := w.segment(s.end)
		skippedFrom, skippedTo := s.end.UTC().Add(s.offset), s.end.UTC().Add(next.offset)
		if at, ok := w.match(skippedFrom.Add(-1), last); ok && at.Before(skippedTo) && !w.goesOn(skippedTo.Sub(skippedFrom)) {
			return s.end.UTC(), true
		}
		s, from = next, skippedTo.Add(-1)
	}
}

// goesOn reports whether an expression fires after a gap as if there was none:
// its hours are all hours, and the gap is of whole hours and swallows no day
// that it names.
func (w wall) goesOn(gap time.Duration) bool {
	const day = 24 * time.Hour
	anyDay := w.spec.Dom&w.spec.Dow&starBit != 0 && w.spec.Month&starBit != 0
	return w.everyHour && gap%time.Hour == 0 && (gap < day || anyDay)
}

// match is the first wall time after from that fits the expression. The library
// looks five years ahead and then answers the zero time.
func (w wall) match(from, last time.Time) (time.Time, bool) {
	for from.Before(last) {
		if at := w.spec.Next(from); !at.IsZero() {
			return at, true
		}
		from = from.AddDate(4, 0, 0)
	}
	return time.Time{}, false
}
