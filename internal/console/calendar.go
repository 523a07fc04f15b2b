package console

import (
	"net/url"
	"slices"
	"time"

	"mishap/internal/api"
)

const (
	aDay      = 24 * time.Hour
	week      = 7 * aDay
	weeks     = 2  // of one page
	mostOfDay = 20 // that are shown of one day among others
)

// calendarPage is two weeks by day, or one day and all that is of it.
type calendarPage struct {
	One          bool   // day
	Week         string // where the weeks around it are
	Days         []dayView
	Before, Next string
	From, To     time.Time
	Last         time.Time // day
	More         bool
	Closes       []string // kinds of what lets nothing start, for the legend
	Unknown      []string // of that
}

// dayView is a day, and what of it there is no room for.
type dayView struct {
	At      time.Time
	Today   bool
	Items   []itemView
	Closed  []closedView
	Further int
	Cut     bool   // there is more than the API lists
	All     string // where more of it is; empty where it is shown
}

// Said are those of a day that are not the same each week, and so stand there in words.
func (d dayView) Said() []closedView {
	return slices.DeleteFunc(slices.Clone(d.Closed), func(c closedView) bool { return c.Kind == "window" })
}

// closes is what lets nothing start, by its kind.
func closes(kind string) string {
	return map[string]string{"window": "outside of the window", "calendar": "blackout", "freeze": "frozen", "halt": "halted"}[kind]
}

// closedView is when nothing starts, as far as it is of a day.
type closedView struct {
	api.CalendarSpan
	X, Width   int  // in minutes after midnight; so wide that it can be seen
	Here, Long bool // it begins on this day; it goes on until the day's end
}

// Says is when it begins and ends, as a list of a day has it.
func (c closedView) Says() string {
	from, to := c.From.Format("15:04"), c.To.Format("15:04")
	switch {
	case c.Here && c.Long:
		return "from " + from
	case c.Here:
		return from + " to " + to
	case c.Long:
		return "all day"
	}
	return "until " + to
}

type itemView struct {
	api.CalendarItem
	Mark mark
}

func (v *visit) calendar() (shown, error) {
	now := time.Now().UTC()
	p := pageOfCalendar(v.r.URL.Query(), now)
	var c api.Calendar
	if err := v.get(with("/v1/calendar", "from", p.From.Format(time.RFC3339), "to", p.To.Format(time.RFC3339)), &c); err != nil {
		return shown{}, err
	}
	p.More, p.Unknown = c.More, c.Unknown
	for at := p.From; at.Before(p.To); at = at.AddDate(0, 0, 1) {
		d := dayView{At: at, Today: at.Equal(now.Truncate(aDay)), Cut: cut(c, at)}
		if !p.One {
			d.All = with("/calendar", "day", at.Format(time.DateOnly))
		}
		p.Days = append(p.Days, d)
	}
	for i := range p.Days {
		p.Days[i].Closed = closedOn(p.Days[i].At, c.Closed, now)
	}
	for _, kind := range []string{"window", "calendar", "freeze", "halt"} {
		if slices.ContainsFunc(c.Closed, func(s api.CalendarSpan) bool { return s.Kind == kind }) {
			p.Closes = append(p.Closes, kind)
		}
	}
	for _, item := range c.Items {
		d := &p.Days[min(int(item.At.Sub(p.From)/aDay), len(p.Days)-1)]
		if len(d.Items) == mostOfDay && !p.One {
			d.Further++
			continue
		}
		d.Items = append(d.Items, viewItem(item))
	}
	return shown{template: "calendar", title: "Calendar", at: "calendar", data: p}, nil
}

// pageOfCalendar is the page that is asked for: day=DATE is that day, from=DATE two weeks
// from its Monday on, and anything else those from this week on.
func pageOfCalendar(query url.Values, now time.Time) calendarPage {
	to := func(key string, at time.Time) string { return with("/calendar", key, at.Format(time.DateOnly)) }
	monday := func(at time.Time) time.Time { return at.AddDate(0, 0, -(int(at.Weekday())+6)%7) }
	if day, err := time.Parse(time.DateOnly, query.Get("day")); err == nil {
		return calendarPage{
			One: true, From: day, To: day.Add(aDay), Last: day, Week: to("from", monday(day)),
			Before: to("day", day.Add(-aDay)), Next: to("day", day.Add(aDay)),
		}
	}
	from, err := time.Parse(time.DateOnly, query.Get("from"))
	if err != nil {
		from = now.Truncate(aDay)
	}
	from = monday(from)
	return calendarPage{
		From: from, To: from.Add(weeks * week), Last: from.Add(weeks*week - time.Hour), Week: "/calendar",
		Before: to("from", from.Add(-week)), Next: to("from", from.Add(week)),
	}
}

// closedOn are the parts of a day at which nothing starts. What goes on ends now, as far
// as anybody knows.
func closedOn(day time.Time, all []api.CalendarSpan, now time.Time) (parts []closedView) {
	end := day.AddDate(0, 0, 1)
	minute := func(t time.Time) int { return int(t.Sub(day) / time.Minute) }
	for _, s := range all {
		to := s.To
		if to.IsZero() {
			to = now.Add(time.Minute)
		}
		if !s.From.Before(end) || !to.After(day) {
			continue
		}
		one := closedView{CalendarSpan: s, Here: !s.From.Before(day), Long: s.To.IsZero() || !to.Before(end)}
		if one.Here {
			one.X = minute(s.From)
		}
		one.Width = max(6, min(minute(end), minute(to))-one.X)
		parts = append(parts, one)
	}
	return parts
}

// cut reports a day of which the API lists less than there is.
func cut(c api.Calendar, day time.Time) bool {
	return day.Before(c.CutBefore) || !c.CutAfter.IsZero() && day.AddDate(0, 0, 1).After(c.CutAfter)
}

func viewItem(item api.CalendarItem) itemView {
	switch {
	case item.Run != nil:
		return itemView{item, standing(*item.Run)}
	case item.Reason != "":
		return itemView{item, markOf("would not run")}
	}
	return itemView{item, markOf("due")}
}
