package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/scheduler"
)

// checkSchedule reports what is wrong with an experiment's schedule, and what
// people take it for that it is not.
func (a *App) checkSchedule(e mishap.Experiment) error {
	table, err := scheduler.New(e.Name, *e.Schedule)
	if err != nil {
		return err
	}
	return errors.Join(a.checkTimes(e, table), table.Warnings())
}

// checkTimes reports that an experiment can never run because its own
// safeguards refuse every time.
func (a *App) checkTimes(e mishap.Experiment, table *scheduler.Timetable) error {
	timed, bad := a.timed(e)
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
		if why = askTimed(context.Background(), timed, e, tick.Due); why == nil {
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
		Path: path, Msg: fmt.Sprintf("none of its next %d times may run: %s", len(ticks), reasonOf(why)),
		Hint: "choose times that the experiment's own safeguards allow",
	}
}

// timed makes those safeguards of an experiment and of the settings that can be
// asked about any time. Calendars that are not in the file itself are not asked.
func (a *App) timed(e mishap.Experiment) ([]mishap.Safeguard, error) {
	kinds := map[string]mishap.SafeguardKind{}
	for _, k := range a.Safeguards() {
		kinds[k.Name] = k
	}
	rules, err := a.houseRules()
	if err != nil {
		return nil, err
	}
	all := slices.Clone(rules.timed)
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

// askTimed asks whether the experiment could begin at a time.
func askTimed(ctx context.Context, timed []mishap.Safeguard, e mishap.Experiment, at time.Time) error {
	for _, s := range timed {
		if err := s.Check(ctx, mishap.Situation{Plan: mishap.Plan{Experiment: e}, State: mishap.Planned, Now: at}); err != nil {
			return err
		}
	}
	return nil
}

func reasonOf(err error) string {
	var veto *mishap.Veto
	if errors.As(err, &veto) {
		return veto.Error()
	}
	return err.Error()
}

// Upcoming is a time of a schedule and what would become of it.
type Upcoming struct {
	mishap.Tick
	Reason string `json:"reason,omitempty"` // why it would not run; empty if it would
}

// Scheduled is an experiment that has a schedule, and its next times.
type Scheduled struct {
	Experiment string          `json:"experiment"`
	Schedule   mishap.Schedule `json:"schedule"`
	Source     mishap.Source   `json:"source"`
	Now        string          `json:"now,omitempty"` // why it would not run now, whatever the time; empty if nothing stands against it
	Next       []Upcoming      `json:"next"`
}

// Schedule lists the next times of every experiment that has a schedule, after
// an instant, at most limit of each, and why each would or would not run.
func (a *App) Schedule(ctx context.Context, list []mishap.Experiment, after time.Time, limit int) ([]Scheduled, error) {
	stands, err := a.standsAgainst(ctx)
	if err != nil {
		return nil, err
	}
	var all []Scheduled
	for _, e := range list {
		if e.Schedule == nil {
			continue
		}
		table, err := scheduler.New(e.Name, *e.Schedule)
		if err != nil {
			return nil, err
		}
		timed, err := a.timed(e)
		if err != nil {
			return nil, err
		}
		one := Scheduled{Experiment: e.Name, Schedule: *e.Schedule, Source: e.Source, Now: stands(e), Next: []Upcoming{}}
		for _, tick := range table.Between(after, after.AddDate(50, 0, 0), limit) {
			up := Upcoming{Tick: tick}
			if known := e.Known(tick.Due); known != nil {
				up.Reason = "known impact: " + known.What
			} else if err := askTimed(ctx, timed, e, tick.Due); err != nil {
				up.Reason = reasonOf(err)
			}
			one.Next = append(one.Next, up)
		}
		all = append(all, one)
	}
	return all, nil
}

// standsAgainst answers what keeps an experiment from being run by itself, as
// ledger and settings of this machine say, whatever the time is.
func (a *App) standsAgainst(ctx context.Context) (func(mishap.Experiment) string, error) {
	locked := map[string]string{}
	halt, err := a.Halted(ctx)
	if err != nil {
		return nil, err
	}
	if a.hasLedger() {
		book, err := a.ledger(ctx)
		if err != nil {
			return nil, err
		}
		locks, err := book.Locks(ctx)
		if err != nil {
			return nil, err
		}
		for _, l := range locks {
			locked[l.Experiment] = fmt.Sprintf("it deviated in run %s and is locked until `mishap unlock %s`", l.Run, l.Experiment)
		}
	}
	return func(e mishap.Experiment) string {
		lacks := e.Lacks(a.Settings.Labels)
		switch {
		case halt != nil:
			return halt.String()
		case locked[e.Name] != "":
			return locked[e.Name]
		case lacks != nil:
			return "a server with these settings lacks the labels " + strings.Join(lacks, ", ")
		}
		return forbidden(e, a.Settings.Server.Allow)
	}, nil
}
