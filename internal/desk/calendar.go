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
	c := api.Calendar{From: from.UTC(), To: to.UTC(), Items: []api.CalendarItem{}}
	book, err := d.member.Ledger(ctx)
	if err != nil {
		return c, err
	}
	runs, err := book.RunsBefore(ctx, to, "", mostItems)
	if err != nil {
		return c, err
	}
	for _, r := range runs {
		if r.Began.Before(from) {
			break // they come newest first
		}
		view := RunView(r)
		c.Items = append(c.Items, api.CalendarItem{At: view.Began, Experiment: r.Experiment, Run: &view})
	}
	c.More = len(c.Items) == mostItems
	if from.Before(now) {
		from = now
	}
	for _, e := range list {
		if e.Schedule == nil || !from.Before(to) {
			continue
		}
		if len(c.Items) >= mostItems {
			c.More = true
			break
		}
		due, err := d.upcoming(ctx, e, from, to, mostTicks)
		if err != nil {
			continue // what is wrong with it stands in the list of experiments
		}
		for _, up := range due {
			c.Items = append(c.Items, api.CalendarItem{At: up.Due.UTC(), Experiment: e.Name, Reason: up.Reason})
		}
		c.More = c.More || len(due) == mostTicks
	}
	slices.SortStableFunc(c.Items, func(a, b api.CalendarItem) int { return a.At.Compare(b.At) })
	return c, nil
}
