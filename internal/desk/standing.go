package desk

import (
	"context"
	"time"

	"mishap/internal/report"
)

// Standing is what status says beside the runs.
func (d *Desk) Standing(ctx context.Context) (report.Standing, error) {
	s := report.Standing{Left: d.catalog.LeftBehind(ctx, nil)}
	s.Unserved = true
	for _, n := range d.member.Neighbours(true) {
		s.Servers = append(s.Servers, n.String())
		s.Unserved = s.Unserved && n.Kind != "serve"
	}
	if !d.member.HasLedger(ctx) {
		return s, nil
	}
	book, err := d.member.Ledger(ctx)
	if err != nil {
		return s, err
	}
	if s.Locks, err = book.Locks(ctx); err != nil {
		return s, err
	}
	sources, err := book.Sources(ctx)
	for _, src := range sources {
		s.Sources = append(s.Sources, report.SourceStanding{
			Name: src.Name, Commit: src.Revision.Commit, Since: src.Revision.At, Revision: src.Revision.Seq, Problem: src.Problem, Holds: src.Holds,
		})
	}
	if err != nil {
		return s, err
	}
	if s.Waiting, err = book.Queue(ctx, time.Now()); err != nil {
		return s, err
	}
	s.Experiments, err = d.Latest(ctx)
	return s, err
}

// Latest is what ran last of each experiment of the ledger, and when it is due.
func (d *Desk) Latest(ctx context.Context) (all []report.ExperimentStanding, err error) {
	book, err := d.member.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	latest, err := book.Latest(ctx)
	if err != nil {
		return nil, err
	}
	schedules, err := book.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	due := map[string]time.Time{}
	for _, one := range schedules {
		due[one.Experiment] = one.Tick.Due
	}
	for _, r := range latest {
		all = append(all, report.ExperimentStanding{Name: r.Experiment, Run: r.ID, State: r.State, Verdict: r.Verdict, Began: r.Began, Next: due[r.Experiment]})
		delete(due, r.Experiment)
	}
	for name, next := range due { // those that never ran
		all = append(all, report.ExperimentStanding{Name: name, Next: next})
	}
	return all, nil
}
