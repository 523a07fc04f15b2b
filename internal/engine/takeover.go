package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mishap"
	"mishap/internal/keeper"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/runner"
)

// ErrAlive is a run whose own server is there to revert it: [desk.Desk.Abort] asks it.
var ErrAlive = errors.New("the run's server lives")

// Mend reverts what lost servers left: of one run, or of all if which is empty.
// What has an undo file is reverted at once, whatever the ledger does; runs are
// brought to their ends side by side. It answers those that it brought to an end,
// or tried to.
func (t *Takeover) Mend(ctx context.Context, which string, o RunOptions) ([]*mishap.Run, error) {
	look := t.Orphans
	if o.Stranded {
		look = t.revertible
	}
	end := t.aid.Aiding(ctx, which)
	orphans, err := look(ctx)
	end()
	if err != nil && which != "" {
		return nil, t.aid.AllUnrecorded(err)
	}
	problems := []error{err}
	if which != "" {
		if orphans, err = t.chosen(ctx, which, orphans); err != nil {
			return nil, err
		}
	}
	var here []Orphan
	for _, lost := range orphans {
		switch {
		case !lost.Away:
			here = append(here, lost)
		case which != "":
			problems = append(problems, mishap.StillIn(mishap.WithHint(fmt.Errorf("revert run %s: its faults are in machine %s itself", lost.ID, lost.Run.Plan.Host),
				"run `mishap revert` there; if that machine is gone for good, settle it: `mishap revert "+lost.ID+" --settle WHY`")))
		}
	}
	mended, err := t.mendAll(ctx, here, o)
	problems = append(problems, err)
	if which == "" {
		problems = append(problems, t.aid.Account(ctx, o.FromUndo), t.aid.Tidy(ctx, o.FromUndo))
	}
	return mended, errors.Join(problems...)
}

// mendAll takes runs over side by side, so that a revert of one that hangs delays
// no other.
func (t *Takeover) mendAll(ctx context.Context, all []Orphan, o RunOptions) ([]*mishap.Run, error) {
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
		side.Go(func() { runs[i], problems[i] = t.TakeOver(ctx, lost, own) })
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
func (t *Takeover) chosen(ctx context.Context, which string, orphans []Orphan) ([]Orphan, error) {
	record, err := t.member.FindOngoing(ctx, which)
	if err != nil {
		return nil, err
	}
	for _, o := range orphans {
		if o.ID == record.ID {
			return []Orphan{o}, nil
		}
	}
	if !record.Active() {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: run %s is %s", ErrAlive, record.ID, record.State)
}

// TakeOver takes a run over and brings it to its end. What its undo file holds is
// reverted before, also if it cannot be taken over.
func (t *Takeover) TakeOver(ctx context.Context, lost Orphan, o RunOptions) (*mishap.Run, error) {
	run, err := t.resume(ctx, lost, o)
	err = t.aid.Unrecorded(lost.ID, err)
	if _, begun := t.aid.Aided(lost.ID); err != nil && run == nil && !begun && !errors.Is(err, mishap.ErrStillIn) && len(lost.Run.Outstanding()) > 0 {
		err = mishap.StillIn(fmt.Errorf("revert run %s, of which nothing is reverted yet: %w", lost.ID, err))
	}
	return run, err
}

func (t *Takeover) resume(ctx context.Context, lost Orphan, o RunOptions) (*mishap.Run, error) {
	book, err := t.member.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	server, err := t.member.Join(ctx, "revert")
	if err != nil {
		return nil, err
	}
	defer t.member.Attend(lost.ID)()
	if err := t.awaitKeeper(ctx, lost.ID, o); err != nil {
		return nil, err
	}
	if len(lost.Run.Outstanding()) > 0 {
		o.tell(t.reverting(lost.Run))
	}
	t.aid.Aided(lost.ID)
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
	if lost.Run, err = mishap.Replay(entries); err != nil {
		return nil, err
	}
	injections, err := book.Injections(ctx, lost.ID)
	if err != nil {
		return nil, err
	}
	measured, err := t.catalog.MakeProbes(lost.Run.Plan.Experiment)
	if err != nil {
		return nil, err
	}
	stops, done, err := t.member.Listen(ctx, lease, o.Stops)
	if err != nil {
		return nil, err
	}
	defer done()
	r := &runner.Runner{
		Journal: journal{book, lease}, Probes: measured, Seen: t.member.Watch(o.Seen), Stops: stops, Log: t.log,
		Restore: t.catalog.Restore, Yield: t.aid.YieldIfLapsed(book, lease.Server),
		RevertWithin: t.settings.RevertWithin.Std(), GiveUp: o.GiveUp,
	}
	keepIn(t.catalog, r, lost.ID)
	why := mishap.StateChange{Cause: mishap.CauseCrash, Reason: "the server of the run was lost"}
	if lost.Run.State == mishap.Stranded {
		why = mishap.StateChange{Cause: mishap.CauseRetry, Reason: "a stranded injection is tried again"}
	}
	run, err := r.Resume(ctx, entries, injections, why)
	if run != nil && len(run.Outstanding()) == 0 {
		err = errors.Join(err, t.aid.Discard(ctx, run, injections))
	}
	t.member.Forget(ctx, book, lost.Server)
	return run, err
}

// awaitKeeper lets a keeper that still reverts finish, unless somebody stops who
// waits for it: what is in is left to the keeper then.
func (t *Takeover) awaitKeeper(ctx context.Context, run string, o RunOptions) error {
	undo, _ := keeper.UndoOf(t.settings.State, run)
	upTo := max(t.settings.RevertWithin.Std(), undo.RevertTakes()) + time.Minute
	ctx, cancel := context.WithTimeout(ctx, upTo)
	defer cancel()
	for told := false; ; told = true {
		files, _ := keeper.ReadUndo(t.settings.State) // what cannot be read has no keeper that could be known
		working := false
		for _, u := range files {
			working = working || u.Run == run && u.Alive
		}
		if !working {
			return nil
		}
		if !told {
			o.tell(awaited(undo, upTo))
		}
		select {
		case s := <-o.Stops:
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

// Waiting is what is gone through before a run that was taken over is at its end, so
// that nobody wonders what takes so long.
type Waiting struct {
	Run    string
	Keeper bool          // its keeper still reverts, and is waited for; else it is reverted now
	PID    int           // of that keeper; 0 if that is not known
	UpTo   time.Duration // how long it may take, until it is given up
}

// String says it for a person.
func (w Waiting) String() string {
	switch {
	case w.Keeper && w.PID > 0:
		return fmt.Sprintf("waiting for the keeper of run %s (process %d), which still reverts, for up to %s", w.Run, w.PID, mishap.Duration(w.UpTo))
	case w.Keeper:
		return fmt.Sprintf("waiting for the keeper of run %s, which still reverts, for up to %s", w.Run, mishap.Duration(w.UpTo))
	}
	return fmt.Sprintf("reverting run %s first, for up to %s", w.Run, mishap.Duration(w.UpTo))
}

// tell says what is waited for, if anybody wants to know.
func (o RunOptions) tell(w Waiting) {
	if o.Waits != nil {
		o.Waits(w)
	}
}

// awaited is the wait for a keeper.
func awaited(u keeper.Undo, upTo time.Duration) Waiting {
	return Waiting{Run: u.Run, Keeper: true, PID: u.Keeper(), UpTo: upTo}
}

// reverting is the revert of what may be in force of a run.
func (t *Takeover) reverting(run *mishap.Run) Waiting {
	w := Waiting{Run: run.ID}
	for _, in := range run.Outstanding() {
		w.UpTo = max(w.UpTo, max(t.settings.RevertWithin.Std(), in.RevertTakes.Std())+in.Settles.Std())
	}
	return w
}
