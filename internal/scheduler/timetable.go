// Package scheduler computes when an experiment is due. It is pure: the same
// schedule gives the same times on every machine, for the past and the future.
package scheduler

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // so that zones exist where the machine has none

	"github.com/robfig/cron/v3"

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

// readCron reads five fields or a descriptor.
func readCron(text string) (spec *cron.SpecSchedule, everyHour bool, err error) {
	wrong := func(msg, hint string) (*cron.SpecSchedule, bool, error) {
		return nil, false, &mishap.FieldError{Path: "cron", Msg: msg, Hint: hint}
	}
	fields := strings.Fields(text)
	switch {
	case strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ="):
		return wrong("a time zone does not belong here", "write timezone: Europe/London beside cron")
	case strings.HasPrefix(text, "@every"):
		return wrong("@every counts from the start of a server, so that its times cannot be known", `write "*/15 * * * *" for every 15 minutes`)
	case strings.HasPrefix(text, "@reboot"):
		return wrong("@reboot is not a time", `write "@daily", or five fields`)
	case !strings.HasPrefix(text, "@") && len(fields) != 5:
		return wrong(fmt.Sprintf("%q has %d fields, not five", text, len(fields)), `minute hour day-of-month month day-of-week, such as "0 10 * * MON-FRI"`)
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	parsed, err := parser.Parse(text)
	if err != nil {
		return wrong(fmt.Sprintf("%q is not a cron expression: %v", text, err), `minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC, day of week 0-6 or SUN-SAT; or @hourly, @daily, @weekly, @monthly, @yearly`)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return wrong(fmt.Sprintf("%q has no fixed times", text), `write five fields, such as "0 10 * * MON-FRI"`)
	}
	spec.Location = time.UTC
	return spec, text == "@hourly" || len(fields) == 5 && fields[1] == "*", nil
}
