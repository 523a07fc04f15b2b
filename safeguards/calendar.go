package safeguards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/outside"
)

type calendarWith struct {
	Dates    []string      `json:"dates,omitempty" jsonschema:"whole days, such as 2026-12-24, or 2026-12-24..2027-01-02"`
	File     string        `json:"file,omitempty" jsonschema:"an iCalendar file, or a text file with a day or a range of days per line"`
	URL      mishap.Secret `json:"url,omitzero" jsonschema:"an iCalendar feed"`
	Timezone string        `json:"timezone" jsonschema:"IANA name of the zone that whole days and times without a zone are meant in"`
	During   string        `json:"during,omitempty" jsonschema:"refuse (the default): no run during an event; allow: runs only during one"`
}

func calendarKind(d Deps) mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "calendar",
			Summary: "no run on holidays and blackout dates",
			Doc: "Refuses a run that could not end before an event of a calendar begins, faults and recovery included, and stops one that is on when it does. " +
				"With `during: allow` the calendar holds the times at which runs are welcome instead. " +
				"A feed is read again every 10 minutes; one that cannot be read is good for a day, after which nobody can tell.",
			Params:  calendarWith{},
			Example: "safeguard: calendar\nwith: {dates: [\"2026-12-24..2027-01-02\"], timezone: Europe/London}\n",
		},
		Timed: true,
		New: func(with json.RawMessage) (mishap.Safeguard, error) {
			w, err := readCalendar(with)
			problems := []error{err}
			c := &calendar{calendarWith: w, files: d.Files, feed: feed{url: w.URL, secret: d.Secret, dial: d.Dial}}
			if c.zone, err = time.LoadLocation(w.Timezone); err != nil || w.Timezone == "" || w.Timezone == "Local" {
				problems = append(problems, &mishap.FieldError{Path: "with.timezone", Msg: fmt.Sprintf("%q is not a time zone", w.Timezone), Hint: "write an IANA name such as Europe/London or UTC"})
				c.zone = time.UTC
			}
			if w.Dates == nil && w.File == "" && w.URL == (mishap.Secret{}) {
				problems = append(problems, &mishap.FieldError{Path: "with", Msg: "names no dates", Hint: "give dates, a file or a url"})
			}
			if !w.URL.IsReference() && w.URL.Value != "" && !isWeb(w.URL.Value) {
				problems = append(problems, &mishap.FieldError{Path: "with.url", Msg: "is not an http address", Hint: "write it like https://calendar.example/holidays.ics"})
			}
			if w.During != "" && w.During != "refuse" && w.During != "allow" {
				problems = append(problems, &mishap.FieldError{Path: "with.during", Msg: fmt.Sprintf("%q is neither refuse nor allow", w.During), Hint: mishap.Suggest(w.During, []string{"refuse", "allow"})})
			}
			for i, text := range w.Dates {
				e, err := readDays(text, c.zone)
				if err != nil {
					problems = append(problems, &mishap.FieldError{Path: fmt.Sprintf("with.dates[%d]", i), Msg: err.Error(), Hint: "write a day like 2026-12-24, or days like 2026-12-24..2027-01-02"})
				}
				c.own = append(c.own, e)
			}
			return c, errors.Join(problems...)
		},
		Uses: func(with json.RawMessage) (mishap.Uses, error) {
			w, err := readCalendar(with)
			return w.uses(), err
		},
	}
}

func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

func readCalendar(with json.RawMessage) (w calendarWith, err error) {
	err = mishap.Decode("with", with, &w)
	return w, err
}

// uses is the file and the feed.
func (w calendarWith) uses() mishap.Uses {
	u := mishap.UsesOf(w)
	if w.File != "" {
		u.Files = append(u.Files, w.File)
	}
	if at, err := url.Parse(w.URL.Value); err == nil && at.Host != "" {
		u.Hosts = append(u.Hosts, outside.HostPort(at))
	}
	return u
}

// calendar is a set of events, from up to three places.
type calendar struct {
	calendarWith
	zone *time.Location
	own  []event

	files *outside.Files
	feed  feed
}

// event is a span of time that has a name.
type event struct {
	from, to time.Time // to is not part of it
	name     string
}

// readDays reads "2026-12-24" or "2026-12-24..2027-01-02", both ends included.
func readDays(text string, zone *time.Location) (event, error) {
	first, last, ranged := strings.Cut(strings.TrimSpace(text), "..")
	if !ranged {
		last = first
	}
	from, err := time.ParseInLocation(time.DateOnly, strings.TrimSpace(first), zone)
	if err != nil {
		return event{}, fmt.Errorf("%q is not a day", first)
	}
	to, err := time.ParseInLocation(time.DateOnly, strings.TrimSpace(last), zone)
	if err != nil {
		return event{}, fmt.Errorf("%q is not a day", last)
	}
	if to.Before(from) {
		return event{}, fmt.Errorf("%s ends before it begins", text)
	}
	return event{from, to.AddDate(0, 0, 1), strings.TrimSpace(text)}, nil
}

// Check asks whether the time until the run's latest end is free of events, or
// inside one where that is wanted. Once faults are in, only now counts.
func (c *calendar) Check(ctx context.Context, s mishap.Situation) error {
	until := s.Now
	if s.Started.IsZero() {
		e := s.Plan.Experiment
		until = s.Now.Add(e.Longest() + e.Recovery.Within.Std())
	}
	events, err := c.events(ctx, s.Now, until)
	if err != nil {
		return err
	}
	for _, e := range events {
		if c.During == "allow" && !e.from.After(s.Now) && e.to.After(until) {
			return nil
		}
		if c.During != "allow" {
			return &mishap.Veto{Safeguard: "calendar", Reason: fmt.Sprintf("%s is on from %s to %s, and a run may last until %s", e.name, c.moment(e.from), c.moment(e.to), c.moment(until)), Hint: "run it after that"}
		}
	}
	if c.During == "allow" {
		return &mishap.Veto{Safeguard: "calendar", Reason: fmt.Sprintf("no event of the calendar lasts from %s to %s", c.moment(s.Now), c.moment(until)), Hint: "run it during one"}
	}
	return nil
}

// Refuses lists the events; or where runs are welcome during them, the times between.
func (c *calendar) Refuses(ctx context.Context, from, to time.Time) ([]mishap.Span, error) {
	events, err := c.events(ctx, from, to)
	if err != nil {
		return nil, err
	}
	spans := make([]mishap.Span, len(events))
	for i, e := range events {
		spans[i] = mishap.Span{Safeguard: "calendar", From: e.from, To: e.to, Reason: e.name}
	}
	slices.SortStableFunc(spans, func(a, b mishap.Span) int { return a.From.Compare(b.From) })
	if c.During == "allow" {
		spans = gaps(spans, mishap.Span{Safeguard: "calendar", From: from, To: to, Reason: "no event of the calendar"})
	}
	return spans, nil
}

// gaps are what spans leave of a whole, each of which is like it.
func gaps(open []mishap.Span, whole mishap.Span) (closed []mishap.Span) {
	at := whole.From
	for _, o := range open {
		if o.From.After(at) && at.Before(whole.To) {
			one := whole
			one.From, one.To = at, o.From
			if one.To.After(whole.To) {
				one.To = whole.To
			}
			closed = append(closed, one)
		}
		if o.To.After(at) {
			at = o.To
		}
	}
	if at.Before(whole.To) {
		whole.From = at
		closed = append(closed, whole)
	}
	return closed
}

func (c *calendar) moment(t time.Time) string { return t.In(c.zone).Format("2006-01-02 15:04") }

// events lists what overlaps a span of time.
func (c *calendar) events(ctx context.Context, from, until time.Time) ([]event, error) {
	var all []event
	for _, e := range c.own {
		if e.overlaps(from, until) {
			all = append(all, e)
		}
	}
	for _, read := range []func(context.Context) ([]byte, error){c.readFile, c.feed.read} {
		text, err := read(ctx)
		if err != nil {
			return nil, err
		}
		found, err := readEvents(text, c.zone, from, until)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (e event) overlaps(from, until time.Time) bool {
	return e.from.Before(until.Add(1)) && e.to.After(from)
}
