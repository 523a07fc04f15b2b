// Package scheduler computes when an experiment is due. It is pure: the same
// schedule gives the same times on every machine, for the past and the future.
package scheduler

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // so that zones exist where the machine has none

	"mishap"
)

// horizon is how far ahead a time is looked for. The longest wait between two
// times of a cron expression is that for 29 February over a century that is not
// a leap year, on a certain weekday: 40 years.
const horizon = 41 * 366 * 24 * time.Hour

// Timetable is a schedule as points in time.
type Timetable struct {
	experiment string
	schedule   mishap.Schedule
	times      times
}

// times answers the first time after an instant; false if there is none.
type times interface {
	next(after time.Time) (time.Time, bool)
}

// New reads the schedule of the named experiment. Problems are
// [*mishap.FieldError] values with paths such as "cron", joined.
func New(experiment string, s mishap.Schedule) (*Timetable, error) {
	t := &Timetable{experiment: experiment, schedule: s}
	zone, err := loadZone(s.Timezone)
	problems := []error{err}
	switch {
	case s.Cron == "" && s.About == nil:
		problems = append(problems, &mishap.FieldError{Path: "cron", Msg: "a schedule needs cron or about", Hint: `for example cron: "0 10 * * MON-FRI"`})
	case s.Cron != "" && s.About != nil:
		problems = append(problems, &mishap.FieldError{Path: "about", Msg: "a schedule has either cron or about", Hint: "remove one of them"})
	case s.About != nil:
		t.times, err = newDraws(t, zone)
		problems = append(problems, err)
	default:
		t.times, err = newWall(s.Cron, zone)
		problems = append(problems, err)
	}
	if s.About != nil && s.Jitter > 0 {
		problems = append(problems, &mishap.FieldError{Path: "jitter", Msg: "about draws a random time already", Hint: "remove jitter"})
	}
	return t, errors.Join(problems...)
}

func loadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return time.UTC, &mishap.FieldError{Path: "timezone", Msg: fmt.Sprintf("%q is not a time zone", name), Hint: "write an IANA name such as Europe/London or UTC"}
	}
	return zone, nil
}

// Next is the first tick whose time is after the instant; false if there is
// none. What counts is the schedule's time, not the later one with jitter.
func (t *Timetable) Next(after time.Time) (mishap.Tick, bool) {
	at, ok := t.times.next(after)
	if !ok {
		return mishap.Tick{}, false
	}
	return mishap.Tick{At: at, Due: at.Add(t.jitter(at))}, true
}

// jitter is drawn from seed, experiment and time. It never reaches the next
// tick, so that ticks stay in order.
func (t *Timetable) jitter(at time.Time) time.Duration {
	most := t.schedule.Jitter.Std()
	if most <= 0 {
		return 0
	}
	if next, ok := t.times.next(at); ok {
		most = min(most, next.Sub(at))
	}
	return t.draw("jitter", at).upTo(most).Truncate(time.Millisecond)
}

// Between lists the ticks whose times are after from and not after to, at most
// limit of them.
func (t *Timetable) Between(from, to time.Time, limit int) []mishap.Tick {
	var all []mishap.Tick
	for len(all) < limit {
		tick, ok := t.Next(from)
		if !ok || tick.At.After(to) {
			break
		}
		all = append(all, tick)
		from = tick.At
	}
	return all
}

// Warnings are what people take the schedule for that it is not, as joined
// [*mishap.Warning] values; nil if there is nothing to say.
func (t *Timetable) Warnings() error {
	if w, ok := t.times.(wall); ok {
		return w.warnings()
	}
	return nil
}
