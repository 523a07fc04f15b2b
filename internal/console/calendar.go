package console

import (
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
	More         bool
}

// dayView is a day, and what of it there is no room for.
type dayView struct {
	At      time.Time
	Today   bool
	Items   []itemView
	Further int
	Cut     bool // there is more than the API lists
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
	p := calendarPage{From: from, To: from.Add(weeks * week)}
	p.Before, p.Next = with("/calendar", "from", from.Add(-week).Format(time.DateOnly)), with("/calendar", "from", from.Add(week).Format(time.DateOnly))
	var c api.Calendar
	if err := v.get(with("/v1/calendar", "from", p.From.Format(time.RFC3339), "to", p.To.Format(time.RFC3339)), &c); err != nil {
		return shown{}, err
	}
	p.More = c.More
	for at := from; at.Before(p.To); at = at.AddDate(0, 0, 1) {
		p.Days = append(p.Days, dayView{At: at, Today: at.Equal(now.Truncate(24 * time.Hour)), Cut: cut(c, at)})
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
