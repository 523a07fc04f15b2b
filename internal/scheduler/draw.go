package scheduler

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"mishap"
)

// number is 64 random bits.
type number uint64

// draw takes random bits from the seed, for a purpose and a time.
func (t *Timetable) draw(purpose string, at time.Time) number {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s\x00%d", t.schedule.Seed, t.experiment, purpose, at.Unix()))
	return number(binary.BigEndian.Uint64(sum[:8]))
}

// upTo is a length of time from 0 to just under most.
func (n number) upTo(most time.Duration) time.Duration {
	high, _ := bits.Mul64(uint64(n), uint64(most))
	return time.Duration(high)
}

// draws are the times of "about every N working days".
type draws struct {
	table    *Timetable
	zone     *time.Location
	every    uint64
	from, to int // minutes after midnight
}

func newDraws(t *Timetable, zone *time.Location) (times, error) {
	a := *t.schedule.About
	if a.Every < 1 || a.Every > 1000 {
		return nil, &mishap.FieldError{Path: "about.every", Msg: "must be at least 1 and at most 1000", Hint: "it is the number of working days between two runs on average"}
	}
	first, last, ok := strings.Cut(a.Hours, "-")
	from, errFrom := minutes(first)
	to, errTo := minutes(last)
	if !ok || errFrom != nil || errTo != nil || from >= to {
		return nil, &mishap.FieldError{Path: "about.hours", Msg: fmt.Sprintf("%q are not hours of a day", a.Hours), Hint: `write them like "09:00-15:00"`}
	}
	return draws{t, zone, uint64(a.Every), from, to}, nil
}

func minutes(text string) (int, error) {
	t, err := time.Parse("15:04", strings.TrimSpace(text))
	return t.Hour()*60 + t.Minute(), err
}

// next asks day after day. Where a day's draw says no, nothing happens on it.
func (d draws) next(after time.Time) (time.Time, bool) {
	local := after.In(d.zone)
	y, m, day := local.Date()
	for last := after.Add(horizon); ; day++ {
		date := time.Date(y, m, day, 0, 0, 0, 0, time.UTC)
		if date.After(last) {
			return time.Time{}, false
		}
		if at, ok := d.on(date); ok && at.After(after) {
			return at, true
		}
	}
}

// on is the time on a date, if there is one.
func (d draws) on(date time.Time) (time.Time, bool) {
	if w := date.Weekday(); w == time.Saturday || w == time.Sunday {
		return time.Time{}, false
	}
	if high, _ := bits.Mul64(uint64(d.table.draw("day", date)), d.every); high != 0 {
		return time.Time{}, false
	}
	span := time.Duration(d.to-d.from) * time.Minute
	minute := d.from + int(d.table.draw("hour", date).upTo(span)/time.Minute)
	return time.Date(date.Year(), date.Month(), date.Day(), 0, minute, 0, 0, d.zone).UTC(), true
}
