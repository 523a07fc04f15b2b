package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"mishap"
	"mishap/internal/keeper"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/runner"
)

// ErrAlive is a run whose own server is there to revert it: [App.Abort] asks it.
var ErrAlive = errors.New("the run's server lives")

// orphan is a run whose server is gone before its end.
type orphan struct {
	ledger.Record
	run  *mishap.Run
	away bool // something is in another machine itself, which only a server there can reach
}

// orphans lists the runs whose servers are gone, and those of this one that
// nobody here is on, oldest first.
func (a *App) orphans(ctx context.Context) ([]orphan, error) {
	return a.unfinished(ctx, func(r ledger.Record, alive bool) bool { return !alive || a.Unattended(r) })
}

// revertible are the orphans, and what is stranded with a server that lives: that
// tries again after minutes, and a person does not wait for it.
func (a *App) revertible(ctx context.Context) ([]orphan, error) {
	return a.unfinished(ctx, func(r ledger.Record, alive bool) bool {
		return !alive || r.State == mishap.Stranded || a.Unattended(r)
	})
}

// unfinished lists the runs that are meant, oldest first.
func (a *App) unfinished(ctx context.Context, meant func(r ledger.Record, alive bool) bool) ([]orphan, error) {
	if !a.HasLedger(ctx) {
		return nil, nil
	}
	book, err := a.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	active, err := book.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	var all []orphan
	for _, r := range active {
		alive, err := book.Alive(ctx, r.Server)
		if err != nil {
			return all, err
		}
		if !meant(r, alive) {
			continue
		}
		entries, err := book.Entries(ctx, r.ID)
		if err != nil {
			return all, err
		}
		run, err := mishap.Replay(entries)
		if err != nil {
			return all, err
		}
		all = append(all, orphan{r, run, elsewhere(run)})
	}
	return all, nil
}

// Leftovers names what lost servers left: one line per fault that is or may be
// in, or per run that only has to be closed.
func (a *App) Leftovers(ctx context.Context) ([]string, error) {
	if _, err := os.Stat(a.Settings.State); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing was ever run
	}
	orphans, err := a.orphans(ctx)
	strays, unasked, errUndo := a.strays(ctx)
	var lines []string
	for _, o := range orphans {
		left := o.run.Outstanding()
		what := "was lost"
		if o.run.State == mishap.Stranded {
			what = "is stranded"
		}
		if o.away {
			what += " with machine " + o.run.Plan.Host
		}
		for _, in := range left {
			lines = append(lines, fmt.Sprintf("run %s of %s %s: %s on %s may still be in (%s)", o.ID, o.Experiment, what, in.Fault, in.Target.Label(), in.State))
		}
		if len(left) == 0 {
			lines = append(lines, fmt.Sprintf("run %s of %s was lost while %s; nothing is in", o.ID, o.Experiment, o.run.State))
		}
	}
	for _, u := range append(strays, unasked...) {
		if !u.Whole() {
			lines = append(lines, fmt.Sprintf("undo file %s cannot be read: %s; what it held may still be in", u.Path, u.Damage))
		}
		for _, h := range u.Outstanding() {
			lines = append(lines, fmt.Sprintf("run %s, which is not in the ledger: %s on %s may still be in (%s)", u.Run, h.Fault, h.Target.Label(), h.State))
		}
	}
	return lines, errors.Join(err, errUndo, a.Unsettled())
}

// Mend reverts what lost servers left: of one run, or of all if which is empty.
// What has an undo file is reverted at once, whatever the ledger does; runs are
// brought to their ends side by side. It answers those that it brought to an end,
// or tried to.
func (a *App) Mend(ctx context.Context, which string, o RunOptions) ([]*mishap.Run, error) {
	look := a.orphans
	if o.Stranded {
		look = a.revertible
	}
	end := a.Aiding(ctx, which)
	orphans, err := look(ctx)
	end()
	if err != nil && which != "" {
		return nil, a.allUnrecorded(err)
	}
	problems := []error{err}
	if which != "" {
		if orphans, err = a.chosen(ctx, which, orphans); err != nil {
			return nil, err
		}
	}
	var here []orphan
	for _, lost := range orphans {
		switch {
		case !lost.away:
			here = append(here, lost)
		case which != "":
			problems = append(problems, mishap.StillIn(mishap.WithHint(fmt.Errorf("revert run %s: its faults are in machine %s itself", lost.ID, lost.run.Plan.Host),
				"run `mishap revert` there; if that machine is gone for good, settle it: `mishap revert "+lost.ID+" --settle WHY`")))
		}
	}
	mended, err := a.mendAll(ctx, here, o)
	problems = append(problems, err)
	if which == "" {
		problems = append(problems, a.mendStrays(ctx, o.Stray), a.tidy(ctx))
	}
	return mended, errors.Join(problems...)
}

// mendAll takes runs over side by side, so that a revert of one that hangs delays
// no other.
func (a *App) mendAll(ctx context.Context, all []orphan, o RunOptions) ([]*mishap.Run, error) {
	if len(all) == 0 {
		return nil, nil
	}
	o.Seen = oneByOne(o.Seen)
	stops, done := fanOut(o.Stops, len(all))
	defer done()
	runs, problems := make([]*mishap.Run, len(all)), make([]error, len(all))
	var side sync.WaitGroup
	for i, lost := range all {
		own := o
		own.Stops = stops[i]
		side.Go(func() { runs[i], problems[i] = a.mend(ctx, lost, own) })
	}
	side.Wait()
	return slices.DeleteFunc(runs, func(r *mishap.Run) bool { return r == nil }), errors.Join(problems...)
}

// oneByOne lets several runs tell one listener.
func oneByOne(seen func(mishap.Entry, *mishap.Run)) func(mishap.Entry, *mishap.Run) {
	if seen == nil {
		return nil
	}
	var mu sync.Mutex
	return func(e mishap.Entry, r *mishap.Run) {
		mu.Lock()
		defer mu.Unlock()
		seen(e, r)
	}
}

// fanOut hands every stop to n runs.
func fanOut(from <-chan runner.Stop, n int) ([]chan runner.Stop, func()) {
	all := make([]chan runner.Stop, n)
	for i := range all {
		all[i] = make(chan runner.Stop, 4)
	}
	over := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-from:
				for _, to := range all {
					member.Offer(to, s)
				}
			case <-over:
				return
			}
		}
	}()
	return all, func() { close(over) }
}

// chosen is the one orphan that is meant, or why there is none.
func (a *App) chosen(ctx context.Context, which string, orphans []orphan) ([]orphan, error) {
	record, err := a.find(ctx, which)
	if err != nil {
		return nil, err
	}
	for _, o := range orphans {
		if o.ID == record.ID {
			return []orphan{o}, nil
		}
	}
	if !record.Active() {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: run %s is %s", ErrAlive, record.ID, record.State)
}

// mend takes a run over and brings it to its end. What its undo file holds is
// reverted before, also if it cannot be taken over.
func (a *App) mend(ctx context.Context, lost orphan, o RunOptions) (*mishap.Run, error) {
	run, err := a.resume(ctx, lost, o)
	err = a.unrecorded(lost.ID, err)
	if _, begun := a.aided(undoOf(lost.ID)); err != nil && run == nil && !begun && !errors.Is(err, mishap.ErrStillIn) && len(lost.run.Outstanding()) > 0 {
		err = mishap.StillIn(fmt.Errorf("revert run %s, of which nothing is reverted yet: %w", lost.ID, err))
	}
	return run, err
}

func (a *App) resume(ctx context.Context, lost orphan, o RunOptions) (*mishap.Run, error) {
	book, err := a.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	server, err := a.Join(ctx, "revert")
	if err != nil {
		return nil, err
	}
	defer a.Attend(lost.ID)()
	if err := a.awaitKeeper(ctx, lost.ID, o.Stops); err != nil {
		return nil, err
	}
	a.aided(undoOf(lost.ID))
	lease, err := book.TakeOver(ctx, lost.Lease(), server)
	if errors.Is(err, ledger.ErrFenced) {
		return nil, nil // somebody else is on it
	}
	if err != nil {
		return nil, err
	}
	// Only now nobody else writes: what was read before may be outdated.
	entries, err := book.Entries(ctx, lost.ID)
	if err != nil {
		return nil, err
	}
	if lost.run, err = mishap.Replay(entries); err != nil {
		return nil, err
	}
	injections, err := book.Injections(ctx, lost.ID)
	if err != nil {
		return nil, err
	}
	measured, err := a.MakeProbes(lost.run.Plan.Experiment)
	if err != nil {
		return nil, err
	}
	stops, done, err := a.Listen(ctx, lease, o.Stops)
	if err != nil {
		return nil, err
	}
	defer done()
	r := &runner.Runner{
		Journal: journal{book, lease}, Probes: measured, Seen: a.Watch(o.Seen), Stops: stops, Log: a.log,
		Restore: a.Restore, Yield: a.yieldIfLapsed(book, lease.Server),
		RevertWithin: a.Settings.RevertWithin.Std(), GiveUp: o.GiveUp,
	}
	why := mishap.StateChange{Cause: mishap.CauseCrash, Reason: "the server of the run was lost"}
	if lost.run.State == mishap.Stranded {
		why = mishap.StateChange{Cause: mishap.CauseRetry, Reason: "a stranded injection is tried again"}
	}
	run, err := r.Resume(ctx, entries, injections, why)
	if run != nil && len(run.Outstanding()) == 0 {
		err = errors.Join(err, a.discard(ctx, run, injections))
	}
	a.Forget(ctx, book, lost.Server)
	return run, err
}

// awaitKeeper lets a keeper that still reverts finish, unless somebody stops who
// waits for it: what is in is left to the keeper then.
func (a *App) awaitKeeper(ctx context.Context, run string, stops <-chan runner.Stop) error {
	ctx, cancel := context.WithTimeout(ctx, a.Settings.RevertWithin.Std()+time.Minute)
	defer cancel()
	for {
		files, _ := keeper.ReadUndo(a.Settings.State) // what cannot be read has no keeper that could be known
		working := false
		for _, u := range files {
			working = working || u.Run == run && u.Alive
		}
		if !working {
			return nil
		}
		select {
		case s := <-stops:
			return keeperReverts(run, errors.New(s.Reason))
		case <-ctx.Done():
			return keeperReverts(run, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func keeperReverts(run string, why error) error {
	return mishap.StillIn(mishap.WithHint(fmt.Errorf("the keeper of run %s still reverts: %w", run, why), "wait until it gives up, or see what its revert waits for"))
}

// Mended says in words how a run that was taken over ended.
func Mended(r *mishap.Run) string {
	if left := r.Outstanding(); len(left) > 0 {
		return fmt.Sprintf("%s; %s on %s is still %s", r.State, left[0].Fault, left[0].Target.Label(), left[0].State)
	}
	verdict, reason := mishap.Judge(r)
	if verdict == mishap.NoVerdict {
		return fmt.Sprintf("%s: %s", r.State, reason)
	}
	return fmt.Sprintf("reverted, %s: %s", verdict, reason)
}
