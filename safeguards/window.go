package safeguards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
)

type windowWith struct {
	Days     days   `json:"days,omitempty" jsonschema:"days on which runs may go on: Mon-Fri, or a list; default all. A window over midnight belongs to the day it begins on"`
	Hours    hours  `json:"hours" jsonschema:"from-to on the 24-hour clock, such as 09:00-17:00 or 22:00-06:00"`
	Timezone string `json:"timezone" jsonschema:"IANA name of the time zone, such as Europe/London"`
}

func windowKind() mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "window",
			Summary: "runs only on certain days and hours",
			Doc: "Refuses a run that could not end inside the window, faults and recovery included, and stops one that is still on when it closes. " +
				"Days and hours are those of the time zone's clock; when that is changed, the window follows the clock.",
			Params:  windowWith{},
			Example: "safeguard: window\nwith: {days: Mon-Fri, hours: \"09:00-17:00\", timezone: Europe/London}\n",
		},
		Timed: true,
		New: func(with json.RawMessage) (mishap.Safeguard, error) {
			w, err := readWindow(with)
			if w.Hours == (hours{}) && err == nil {
				err = &mishap.FieldError{Path: "with.hours", Msg: "is missing", Hint: "for example hours: \"09:00-17:00\""}
			}
			zone, bad := time.LoadLocation(w.Timezone)
			if bad != nil || w.Timezone == "" || w.Timezone == "Local" {
				err = errors.Join(err, &mishap.FieldError{Path: "with.timezone", Msg: fmt.Sprintf("%q is not a time zone", w.Timezone), Hint: "write an IANA name such as Europe/London or UTC"})
			}
			return window{w, zone}, err
		},
		Uses: func(with json.RawMessage) (mishap.Uses, error) {
			w, err := readWindow(with)
			return mishap.UsesOf(w), err
		},
	}
}

func readWindow(with json.RawMessage) (windowWith, error) {
	w := windowWith{Days: everyDay()}
	err := mishap.Decode("with", with, &w)
	return w, err
}

type window struct {
	windowWith
	zone *time.Location
}

// Check asks whether now, and before the start also the latest end, is inside.
func (w window) Check(_ context.Context, s mishap.Situation) error {
	end, inside := w.end(s.Now)
	local := s.Now.In(w.zone).Format("Mon 15:04")
	if !inside {
		return &mishap.Veto{Safeguard: "window", Reason: fmt.Sprintf("it is %s in %s, the window is %s %s", local, w.Timezone, w.Days, w.Hours), Hint: "run it then, or change the window"}
	}
	e := s.Plan.Experiment
	need := e.Longest() + e.Recovery.Within.Std()
	if s.Started.IsZero() && s.Now.Add(need).After(end) {
		return &mishap.Veto{
			Safeguard: "window",
			Reason:    fmt.Sprintf("it is %s in %s, the window closes at %s, and the run may need %s", local, w.Timezone, end.In(w.zone).Format("15:04"), mishap.Duration(need)),
			Hint:      "run it earlier, or make it shorter",
		}
	}
	return nil
}

// Refuses lists the times between the windows. It asks by the rule of Check wherever the
// zone's clock shows that one opens or closes, or is changed.
func (w window) Refuses(_ context.Context, from, to time.Time) (closed []mishap.Span, _ error) {
	reason := fmt.Sprintf("the window is %s %s (%s)", w.Days, w.Hours, w.Timezone)
	cuts := w.cuts(from, to)
	for i, at := range cuts[:len(cuts)-1] {
		last := len(closed) - 1
		switch _, open := w.end(at); {
		case open:
		case last >= 0 && closed[last].To.Equal(at):
			closed[last].To = cuts[i+1]
		default:
			closed = append(closed, mishap.Span{Safeguard: "window", From: at, To: cuts[i+1], Reason: reason})
		}
	}
	return closed, nil
}

// cuts are all times between two, with these, at which a window may open or close.
func (w window) cuts(from, to time.Time) []time.Time {
	all := []time.Time{from, to}
	for day := from.In(w.zone).AddDate(0, 0, -1); day.Before(to.AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
		_, change := day.ZoneBounds()
		if !change.IsZero() {
			all = append(all, change)
		}
		for _, offsetOf := range []time.Time{day.AddDate(0, 0, -1), day.AddDate(0, 0, 1)} { // a clock may show the same twice
			_, offset := offsetOf.Zone()
			midnight := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, time.FixedZone("", offset))
			for _, m := range []int{0, w.Hours.from, w.Hours.to} {
				all = append(all, midnight.Add(time.Duration(m)*time.Minute))
			}
		}
	}
	all = slices.DeleteFunc(all, func(t time.Time) bool { return t.Before(from) || t.After(to) })
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// end is when the window that is open at now closes. What counts is what the
// zone's clock shows, so that an hour which comes twice is in or out both times.
// A window that began yesterday may still be open.
func (w window) end(now time.Time) (time.Time, bool) {
	local := now.In(w.zone)
	clock, today := local.Hour()*60+local.Minute(), local.Weekday()
	yesterday := (today + 6) % 7
	from, to := w.Hours.from, w.Hours.to
	switch {
	case from < to && w.Days.has(today) && clock >= from && clock < to:
		return w.at(local, 0, to), true
	case from > to && w.Days.has(today) && clock >= from:
		return w.at(local, 1, to), true
	case from > to && w.Days.has(yesterday) && clock < to:
		return w.at(local, 0, to), true
	}
	return time.Time{}, false
}

// at is so many minutes after midnight on the zone's clock, on a day before or
// after.
func (w window) at(local time.Time, day, minutes int) time.Time {
	return time.Date(local.Year(), local.Month(), local.Day()+day, minutes/60, minutes%60, 0, 0, w.zone)
}

// hours is a span of minutes after midnight.
type hours struct{ from, to int }

// UnmarshalText reads "09:00-17:00".
func (h *hours) UnmarshalText(text []byte) error {
	from, to, ok := strings.Cut(string(text), "-")
	a, errA := minutes(from)
	b, errB := minutes(to)
	if !ok || errA != nil || errB != nil || a == b {
		return fmt.Errorf("%q are not hours; write them like 09:00-17:00", text)
	}
	*h = hours{a, b}
	return nil
}

func minutes(text string) (int, error) {
	if strings.TrimSpace(text) == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", strings.TrimSpace(text))
	return t.Hour()*60 + t.Minute(), err
}

// Form is what errors show of how it is written.
func (hours) Form() (name, example string) { return "hours", "09:00-17:00" }

// String writes the hours as they are read.
func (h hours) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", h.from/60, h.from%60, h.to/60, h.to%60)
}

// MarshalText writes the hours as they are read.
func (h hours) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// days is a set of weekdays.
type days []time.Weekday

func everyDay() days { return days{0, 1, 2, 3, 4, 5, 6} }

func (d days) has(day time.Weekday) bool { return slices.Contains(d, day) }

// String lists the days.
func (d days) String() string {
	if len(d) == 7 {
		return "every day"
	}
	var names []string
	for _, day := range d {
		names = append(names, day.String()[:3])
	}
	return strings.Join(names, ",")
}

// UnmarshalJSON reads "Mon-Fri", "Sat" or a list of such.
func (d *days) UnmarshalJSON(data []byte) error {
	var items []string
	var one string
	if json.Unmarshal(data, &one) == nil {
		items = strings.Split(one, ",")
	} else if json.Unmarshal(data, &items) != nil {
		return errors.New("must be days like Mon-Fri, or a list of days")
	}
	*d = nil
	for _, item := range items {
		first, last, ranged := strings.Cut(strings.TrimSpace(item), "-")
		if !ranged {
			last = first
		}
		a, okA := weekday(first)
		b, okB := weekday(last)
		if !okA || !okB {
			return fmt.Errorf("%q is not a day; write days like Mon-Fri or [Mon, Wed]", item)
		}
		for day := a; ; day = (day + 1) % 7 {
			*d = append(*d, day)
			if day == b {
				break
			}
		}
	}
	if *d == nil {
		return errors.New("no day is given")
	}
	return nil
}

func weekday(name string) (time.Weekday, bool) {
	for day := range time.Weekday(7) {
		if strings.EqualFold(name, day.String()) || strings.EqualFold(name, day.String()[:3]) {
			return day, true
		}
	}
	return 0, false
}
