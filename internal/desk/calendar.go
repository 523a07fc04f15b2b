package desk

import (
	"context"
	"slices"
	"time"

	"mishap"
	"mishap/internal/api"
)

const (
	mostItems = 2000 // of a calendar
	mostTicks = 100  // of one experiment
)

// Calendar is what ran and what is due in a stretch of time, of the experiments in
// force.
func (d *Desk) Calendar(ctx context.Context, list []mishap.Experiment, from, to, now time.Time) (api.Calendar, error) {
	c := api.Calendar{From: from.UTC(), To: to.UTC(), Items: []api.CalendarItem{}, Closed: []api.CalendarSpan{}}
	book, err := d.member.Ledger(ctx)
	if err != nil {
		return c, err
	}
	if err := d.addClosed(ctx, &c, book, now); err != nil {
		return c, err
	}
	runs, err := book.RunsBefore(ctx, to, "", mostItems+1)
	if err != nil {
		return c, err
	}
	for _, r := range runs {
		if r.Began.Before(from) {
			break // they come newest first
		}
		if len(c.Items) == mostItems {
			c.CutBefore = c.Items[mostItems-1].At
			break
		}
		view := RunView(r)
		c.Items = append(c.Items, api.CalendarItem{At: view.Began, Experiment: r.Experiment, Run: &view})
	}
	if from.Before(now) {
		from = now
	}
	if from.Before(to) {
		d.addDue(ctx, &c, list, from)
	}
	c.More = !c.CutBefore.IsZero() || !c.CutAfter.IsZero()
	slices.SortStableFunc(c.Items, func(a, b api.CalendarItem) int { return a.At.Compare(b.At) })
	return c, nil
}

// addDue adds what is due from a time on, and from when on some of it is left out.
func (d *Desk) addDue(ctx context.Context, c *api.Calendar, list []mishap.Experiment, from time.Time) {
	for _, e := range list {
		if e.Schedule == nil {
			continue
		}
		if len(c.Items) >= mostItems {
			c.CutAfter = from.UTC()
			return
		}
		due, err := d.upcoming(ctx, e, from, c.To, mostTicks+1)
		if err != nil {
			continue // what is wrong with it stands in the list of experiments
		}
		if len(due) > mostTicks {
			due = due[:mostTicks]
			if last := due[mostTicks-1].Due.UTC(); c.CutAfter.IsZero() || last.Before(c.CutAfter) {
				c.CutAfter = last
			}
		}
		for _, up := range due {
			c.Items = append(c.Items, api.CalendarItem{At: up.Due.UTC(), Experiment: e.Name, Reason: up.Reason})
		}
	}
}
