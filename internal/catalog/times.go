package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mishap"
	"mishap/internal/scheduler"
)

// checkSchedule reports what is wrong with an experiment's schedule, and what
// people take it for that it is not.
func (c *Catalog) checkSchedule(e mishap.Experiment) error {
	table, err := scheduler.New(e.Name, *e.Schedule)
	if err != nil {
		return err
	}
	return errors.Join(c.checkTimes(e, table), table.Warnings())
}

// checkTimes reports that an experiment can never run because its own
// safeguards refuse every time.
func (c *Catalog) checkTimes(e mishap.Experiment, table *scheduler.Timetable) error {
	timed, bad := c.ownTimed(e) // those of the settings make no file wrong
	if bad != nil {
		timed = nil // what is wrong with them is said where they stand
	}
	if timed == nil {
		return nil
	}
	const mostTicks = 1000
	now := time.Now()
	ticks := table.Between(now, now.AddDate(1, 1, 0), mostTicks)
	var why error
	for _, tick := range ticks {
		if why = AskTimed(context.Background(), timed, e, tick.Due); why == nil {
			return nil
		}
	}
	if why == nil {
		return nil
	}
	path := "cron"
	if e.Schedule.About != nil {
		path = "about"
	}
	return &mishap.FieldError{
		Path: path, Msg: fmt.Sprintf("none of its next %s may run: %s", mishap.Plural(len(ticks), "time"), ReasonOf(why)),
		Hint: "choose times that the experiment's own safeguards allow",
	}
}

// Timed makes those safeguards of an experiment and of the settings that can be
// asked about any time. Calendars that are not in the file itself are not asked.
func (c *Catalog) Timed(e mishap.Experiment) ([]mishap.Safeguard, error) {
	rules, err := c.Rules()
	if err != nil {
		return nil, err
	}
	own, err := c.ownTimed(e)
	return append(slices.Clone(rules.timed), own...), err
}

// ownTimed are those of the experiment alone.
func (c *Catalog) ownTimed(e mishap.Experiment) ([]mishap.Safeguard, error) {
	kinds := map[string]mishap.SafeguardKind{}
	for _, k := range c.Safeguards() {
		kinds[k.Name] = k
	}
	var all []mishap.Safeguard
	for _, spec := range e.Safeguards {
		if k := kinds[spec.Safeguard]; k.Timed {
			one, err := k.New(spec.With)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// AskTimed asks whether the experiment could begin at a time.
func AskTimed(ctx context.Context, timed []mishap.Safeguard, e mishap.Experiment, at time.Time) error {
	for _, s := range timed {
		if err := s.Check(ctx, mishap.Situation{Plan: mishap.Plan{Experiment: e}, State: mishap.Planned, Now: at}); err != nil {
			return err
		}
	}
	return nil
}

// ReasonOf is what a safeguard gives as its reason.
func ReasonOf(err error) string {
	var veto *mishap.Veto
	if errors.As(err, &veto) {
		return veto.Error()
	}
	return err.Error()
}
