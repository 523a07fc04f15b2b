package desk

import (
	"cmp"
	"context"
	"maps"
	"strings"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/catalog"
	"mishap/internal/ledger"
	"mishap/internal/report"
	"mishap/internal/scheduler"
)

// latestRuns is how many runs an experiment is shown with.
const latestRuns = 20

// OverviewQuery asks for a page of the experiments in force.
type OverviewQuery struct {
	After string `query:"after" maxLength:"200" doc:"only experiments behind this name"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Find  string `query:"find" maxLength:"200" doc:"only experiments whose name, claim, owner or tags have this text"`
	Name  string `query:"name" maxLength:"200" doc:"only the experiment of that name"`
}

func (q OverviewQuery) wants(e mishap.Experiment) bool {
	if q.Name != "" {
		return e.Name == q.Name
	}
	text := strings.ToLower(q.Find)
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	if has(e.Name) || has(e.Claim) || has(e.Owner) {
		return true
	}
	for key, value := range e.Tags {
		if has(key + "=" + value) {
			return true
		}
	}
	return false
}

// Overview is a page of experiments, which are given by name, with all that decides
// whether they run.
func (d *Desk) Overview(ctx context.Context, all []api.ExperimentView, q OverviewQuery, now time.Time) (api.Overview, error) {
	page := api.Overview{Rows: []api.OverviewRow{}}
	about, err := d.aboutAll(ctx, now)
	if err != nil {
		return page, err
	}
	for _, e := range all {
		if !q.wants(e.Experiment) {
			continue
		}
		page.Of++
		if e.Name <= q.After {
			continue
		}
		if len(page.Rows) == q.Limit {
			page.After = page.Rows[q.Limit-1].Name
			continue
		}
		row, err := d.overviewRow(ctx, about, e, now)
		if err != nil {
			return page, err
		}
		page.Rows = append(page.Rows, row)
	}
	return page, nil
}

// aboutAll is what a ledger says of all experiments.
type aboutAll struct {
	stands  func(mishap.Experiment) string
	locks   map[string]mishap.Lock
	waiting map[string]mishap.Waiting
	book    ledger.Ledger
}

func (d *Desk) aboutAll(ctx context.Context, now time.Time) (aboutAll, error) {
	about := aboutAll{locks: map[string]mishap.Lock{}, waiting: map[string]mishap.Waiting{}}
	var err error
	if about.stands, err = d.standsAgainst(ctx); err != nil {
		return about, err
	}
	if about.book, err = d.member.Ledger(ctx); err != nil {
		return about, err
	}
	locks, err := about.book.Locks(ctx)
	if err != nil {
		return about, err
	}
	for _, l := range locks {
		about.locks[l.Experiment] = l
	}
	queue, err := about.book.Queue(ctx, now)
	for _, w := range queue {
		about.waiting[w.Experiment] = w
	}
	return about, err
}

func (d *Desk) overviewRow(ctx context.Context, about aboutAll, e api.ExperimentView, now time.Time) (api.OverviewRow, error) {
	row := api.OverviewRow{Name: e.Name, Claim: e.Claim, Owner: e.Owner, Tags: maps.Clone(e.Tags), From: e.From, Runs: []api.RunView{}, Known: e.Known(now), Stands: about.stands(e.Experiment)}
	if row.Stands == "" {
		row.Stands = e.Forbidden
	}
	_, row.Locked = about.locks[e.Name]
	if w, waits := about.waiting[e.Name]; waits {
		row.Waiting = &w
	}
	records, err := about.book.RunsOf(ctx, e.Name, latestRuns)
	if err != nil {
		return row, err
	}
	for _, r := range records {
		row.Runs = append(row.Runs, RunView(r))
	}
	if e.Schedule == nil {
		return row, nil
	}
	row.Rhythm = report.Rhythm(*e.Schedule)
	next, err := d.upcoming(ctx, e.Experiment, now, now.AddDate(50, 0, 0), 1)
	if err != nil { // of this experiment, and no reason to show none
		row.Stands = cmp.Or(row.Stands, err.Error())
	}
	if len(next) > 0 {
		row.Next = &next[0]
	}
	return row, nil
}

// upcoming lists the times of an experiment's schedule in a stretch, at most limit.
func (d *Desk) upcoming(ctx context.Context, e mishap.Experiment, from, to time.Time, limit int) ([]api.Upcoming, error) {
	table, err := scheduler.New(e.Name, *e.Schedule)
	if err != nil {
		return nil, err
	}
	timed, err := d.catalog.Timed(e)
	if err != nil {
		return nil, err
	}
	all := []api.Upcoming{}
	for _, tick := range table.Between(from, to, limit) {
		up := api.Upcoming{Tick: tick}
		if known := e.Known(tick.Due); known != nil {
			up.Reason = "known impact: " + known.What
		} else if err := catalog.AskTimed(ctx, timed, e, tick.Due); err != nil {
			up.Reason = catalog.ReasonOf(err)
		}
		all = append(all, up)
	}
	return all, nil
}

// RunView is a run as a list shows it.
func RunView(r ledger.Record) api.RunView {
	v := api.RunView{Run: r.ID, Experiment: r.Experiment, Group: r.Group, State: r.State, Verdict: r.Verdict, Cause: r.Cause, Reason: r.Reason, Trigger: r.Kind, By: r.By, Began: r.Began.UTC()}
	if !r.Active() {
		ended := r.Ended.UTC()
		v.Ended = &ended
	}
	return v
}
