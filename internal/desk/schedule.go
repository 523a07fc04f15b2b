package desk

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mishap"
	"mishap/internal/api"
)

// Schedule lists the next times of every experiment that has a schedule, after
// an instant, at most limit of each, and why each would or would not run.
func (d *Desk) Schedule(ctx context.Context, list []mishap.Experiment, after time.Time, limit int) ([]api.Scheduled, error) {
	stands, err := d.standsAgainst(ctx)
	if err != nil {
		return nil, err
	}
	waiting, last, err := d.notStarted(ctx)
	if err != nil {
		return nil, err
	}
	var all []api.Scheduled
	for _, e := range list {
		if e.Schedule == nil {
			continue
		}
		next, err := d.upcoming(ctx, e, after, after.AddDate(50, 0, 0), limit)
		if err != nil {
			return nil, err
		}
		one := api.Scheduled{Experiment: e.Name, Schedule: *e.Schedule, Source: e.Source, Now: stands(e), Waiting: waiting[e.Name], Last: last[e.Name], Next: next}
		all = append(all, one)
	}
	return all, nil
}

// notStarted are, by experiment, those that wait for their turn, and the latest
// runs that did not start.
func (d *Desk) notStarted(ctx context.Context) (map[string]*mishap.Waiting, map[string]*api.NotStarted, error) {
	waiting, last := map[string]*mishap.Waiting{}, map[string]*api.NotStarted{}
	if !d.member.HasLedger(ctx) {
		return waiting, last, nil
	}
	book, err := d.member.Ledger(ctx)
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
	records, err := book.Runs(ctx, api.MostRuns)
	for _, r := range records { // newest first
		if _, known := last[r.Experiment]; known {
			continue
		}
		last[r.Experiment] = nil
		if r.State == mishap.Refused {
			last[r.Experiment] = &api.NotStarted{Run: r.ID, At: r.Began.UTC(), Cause: r.Cause, Reason: r.Reason}
		}
	}
	return waiting, last, err
}

// standsAgainst answers what keeps an experiment from being run by itself, as
// ledger and settings of this machine say, whatever the time is.
func (d *Desk) standsAgainst(ctx context.Context) (func(mishap.Experiment) string, error) {
	locked := map[string]string{}
	halt, err := d.member.Halted(ctx)
	if err != nil {
		return nil, err
	}
	if d.member.HasLedger(ctx) {
		book, err := d.member.Ledger(ctx)
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
	policy := d.catalog.Policy(d.settings.Server.Sources)
	return func(e mishap.Experiment) string {
		lacks := e.Lacks(d.settings.Live().Labels)
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
func (d *Desk) StandsNow(ctx context.Context) (func(mishap.Experiment) []string, error) {
	stands, err := d.standsAgainst(ctx)
	if err != nil {
		return nil, err
	}
	waiting, last, err := d.notStarted(ctx)
	return func(e mishap.Experiment) (lines []string) {
		if why := stands(e); why != "" && e.Schedule != nil {
			lines = append(lines, "does not run now: "+why)
		}
		if w := waiting[e.Name]; w != nil {
			lines = append(lines, fmt.Sprintf("waits since %s: %s", mishap.Moment(w.Since), w.Why))
		}
		if l := last[e.Name]; l != nil {
			lines = append(lines, fmt.Sprintf("did not start at %s (%s): %s", mishap.Moment(l.At), l.Cause, l.Reason))
		}
		return lines
	}, err
}
