package console

import (
	"slices"
	"time"

	"mishap/internal/api"
)

const (
	week      = 7 * 24 * time.Hour
	weeks     = 2  // of one page
	mostOfDay = 20 // that are shown of one day
)

// calendarPage is two weeks, by day.
type calendarPage struct {
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
	Cut     bool // there is more than the API lists
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
	from, err := time.Parse(time.DateOnly, v.r.URL.Query().Get("from"))
	if err != nil {
		from = now.Truncate(24 * time.Hour)
	}
	from = from.AddDate(0, 0, -(int(from.Weekday())+6)%7) // Monday
	p := calendarPage{From: from, To: from.Add(weeks * week), Last: from.Add(weeks*week - time.Hour)}
	p.Before, p.Next = with("/calendar", "from", from.Add(-week).Format(time.DateOnly)), with("/calendar", "from", from.Add(week).Format(time.DateOnly))
	var c api.Calendar
	if err := v.get(with("/v1/calendar", "from", p.From.Format(time.RFC3339), "to", p.To.Format(time.RFC3339)), &c); err != nil {
		return shown{}, err
	}
	p.More, p.Unknown = c.More, c.Unknown
	for at := from; at.Before(p.To); at = at.AddDate(0, 0, 1) {
		p.Days = append(p.Days, dayView{At: at, Today: at.Equal(now.Truncate(24 * time.Hour)), Cut: cut(c, at)})
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
		d := &p.Days[min(int(item.At.Sub(from)/(24*time.Hour)), len(p.Days)-1)]
		if len(d.Items) == mostOfDay {
			d.Further++
			continue
		}
		d.Items = append(d.Items, viewItem(item))
	}
	return shown{template: "calendar", title: "Calendar", at: "calendar", data: p}, nil
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
