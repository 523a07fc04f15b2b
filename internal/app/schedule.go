package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/catalog"
	"mishap/internal/scheduler"
)

// timed makes those safeguards of an experiment and of the settings that can be
// asked about any time. Calendars that are not in the file itself are not asked.
func (a *App) timed(e mishap.Experiment) ([]mishap.Safeguard, error) {
	rules, err := a.houseRules()
	if err != nil {
		return nil, err
	}
	own, err := a.OwnTimed(e)
	return append(slices.Clone(rules.timed), own...), err
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
	Waiting    *mishap.Waiting `json:"waiting,omitempty"`
	Last       *NotStarted     `json:"last,omitempty"` // its latest run, if that did not start
	Next       []Upcoming      `json:"next"`
}

// NotStarted is a run that did not start.
type NotStarted struct {
	Run    string       `json:"run"`
	At     time.Time    `json:"at"`
	Cause  mishap.Cause `json:"cause"`
	Reason string       `json:"reason"`
}

// Schedule lists the next times of every experiment that has a schedule, after
// an instant, at most limit of each, and why each would or would not run.
func (a *App) Schedule(ctx context.Context, list []mishap.Experiment, after time.Time, limit int) ([]Scheduled, error) {
	stands, err := a.standsAgainst(ctx)
	if err != nil {
		return nil, err
	}
	waiting, last, err := a.notStarted(ctx)
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
		one := Scheduled{Experiment: e.Name, Schedule: *e.Schedule, Source: e.Source, Now: stands(e), Waiting: waiting[e.Name], Last: last[e.Name], Next: []Upcoming{}}
		for _, tick := range table.Between(after, after.AddDate(50, 0, 0), limit) {
			up := Upcoming{Tick: tick}
			if known := e.Known(tick.Due); known != nil {
				up.Reason = "known impact: " + known.What
			} else if err := catalog.AskTimed(ctx, timed, e, tick.Due); err != nil {
				up.Reason = catalog.ReasonOf(err)
			}
			one.Next = append(one.Next, up)
		}
		all = append(all, one)
	}
	return all, nil
}

// notStarted are, by experiment, those that wait for their turn, and the latest
// runs that did not start.
func (a *App) notStarted(ctx context.Context) (map[string]*mishap.Waiting, map[string]*NotStarted, error) {
	waiting, last := map[string]*mishap.Waiting{}, map[string]*NotStarted{}
	if !a.HasLedger(ctx) {
		return waiting, last, nil
	}
	book, err := a.Ledger(ctx)
	if err != nil {
		return nil, nil, err
	}
	queue, err := book.Queue(ctx, time.Now())
	for _, w := range queue {
		waiting[w.Experiment] = &w
	}
	if err != nil {
		return nil, nil, err
	}
	records, err := book.Runs(ctx, mostLooked)
	for _, r := range records { // newest first
		if _, known := last[r.Experiment]; known {
			continue
		}
		last[r.Experiment] = nil
		if r.State == mishap.Refused {
			last[r.Experiment] = &NotStarted{Run: r.ID, At: r.Began.UTC(), Cause: r.Cause, Reason: r.Reason}
		}
	}
	return waiting, last, err
}

// standsAgainst answers what keeps an experiment from being run by itself, as
// ledger and settings of this machine say, whatever the time is.
func (a *App) standsAgainst(ctx context.Context) (func(mishap.Experiment) string, error) {
	locked := map[string]string{}
	halt, err := a.Halted(ctx)
	if err != nil {
		return nil, err
	}
	if a.HasLedger(ctx) {
		book, err := a.Ledger(ctx)
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
	policy := a.Policy(a.Settings.Server.Sources)
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
		return policy.Forbidden(e)
	}, nil
}

// StandsNow answers, for `list`, what keeps an experiment from running, whether it
// waits, and why it did not start last.
func (a *App) StandsNow(ctx context.Context) (func(mishap.Experiment) []string, error) {
	stands, err := a.standsAgainst(ctx)
	if err != nil {
		return nil, err
	}
	waiting, last, err := a.notStarted(ctx)
	return func(e mishap.Experiment) (lines []string) {
		if why := stands(e); why != "" && e.Schedule != nil {
			lines = append(lines, "does not run now: "+why)
		}
		if w := waiting[e.Name]; w != nil {
			lines = append(lines, fmt.Sprintf("waits since %s: %s", w.Since.UTC().Format(time.RFC3339), w.Why))
		}
		if l := last[e.Name]; l != nil {
			lines = append(lines, fmt.Sprintf("did not start at %s (%s): %s", l.At.Format(time.RFC3339), l.Cause, l.Reason))
		}
		return lines
	}, err
}
