package server

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
	"mishap/internal/aid"
	"mishap/internal/engine"
	"mishap/internal/ledger"
	"mishap/internal/notify"
	"mishap/internal/sweep"
	"mishap/internal/vault"
)

// recoverEvery is how often a server looks for runs whose server is gone.
const recoverEvery = time.Second

// retries are the runs that are stranded, and when each is tried again.
type retries struct {
	mu    sync.Mutex
	waits map[string]*retry
}

type retry struct {
	policy *backoff.ExponentialBackOff
	next   time.Time
	busy   bool
}

// take reports whether it is time to try the run, and keeps others from it.
func (r *retries) take(run string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waits == nil {
		r.waits = map[string]*retry{}
	}
	one := r.waits[run]
	if one == nil {
		one = &retry{policy: backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(10*time.Second), backoff.WithMultiplier(2), backoff.WithMaxInterval(10*time.Minute), backoff.WithMaxElapsedTime(0))}
		r.waits[run] = one
	}
	if one.busy || time.Now().Before(one.next) {
		return false
	}
	one.busy = true
	return true
}

// done says how a try ended.
func (r *retries) done(run string, settled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if settled {
		delete(r.waits, run)
		return
	}
	one := r.waits[run]
	one.busy, one.next = false, time.Now().Add(one.policy.NextBackOff())
}

// takeover takes runs over whose servers are gone.
type takeover struct {
	*shared
	lost     *engine.Takeover
	aid      *aid.Aider
	sweeper  *sweep.Sweeper // nil: there are no vaults
	launcher *launcher
	events   *events
	retries  retries
}

// recoverLoop brings every run whose server is gone to reverted, and tries what
// is stranded again, as long as the server lives.
func (t *takeover) recoverLoop(ctx context.Context) {
	tick := time.NewTicker(recoverEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := t.member.Rejoin(ctx); err != nil && ctx.Err() == nil {
			t.log.Error("get a new lease", "error", err)
			continue
		}
		if !t.member.Fenced() {
			t.recoverAll(ctx, false)
		}
	}
}

// recoverAll takes over what lost servers left; with wait it returns when each
// is reverted, or stranded.
func (t *takeover) recoverAll(ctx context.Context, wait bool) {
	end := t.aid.Aiding(ctx, "")
	orphans, err := t.lost.Orphans(ctx)
	end()
	if err != nil && ctx.Err() == nil {
		t.log.Error("look for lost runs", "error", err)
	}
	var all sync.WaitGroup
	for _, lost := range orphans {
		if lost.Away || lost.Run.Plan.Experiment.Lacks(t.settings.Live().Labels) != nil || !t.retries.take(lost.ID) {
			continue
		}
		t.launcher.runs.Add(1)
		all.Go(func() {
			defer t.launcher.runs.Done()
			t.recover(lost)
		})
	}
	if wait {
		all.Wait()
		tell := func(line string) { t.log.Warn(line) }
		if err := errors.Join(t.aid.Account(ctx, tell), t.aid.Unsettled()); err != nil {
			t.log.Error("revert what no run of the ledger accounts for", "error", err)
		}
		if err := t.aid.Tidy(ctx, tell); err != nil {
			t.log.Warn("tidy up after lost servers", "error", err)
		}
	}
}

// sweepLoop reverts what lost runs left in the vaults that no server of this ledger
// has: of other ledgers, or of one that is lost.
func (t *takeover) sweepLoop(ctx context.Context) {
	if t.sweeper == nil {
		return
	}
	t.sweeper.Watch(ctx, t.ours, func(f vault.Found) {
		t.log.Warn("swept from the vault", "run", f.Run, "by", f.By, "account", f.Where.Account, "region", f.Where.Region, "injections", len(f.Left), "out", f.Out(), "problem", f.Problem)
	})
}

// ours are the runs that this ledger brings to their ends. If it cannot be asked,
// their holds keep what lives from being swept.
func (t *takeover) ours(ctx context.Context) func(run string) bool {
	active, err := t.book.Unfinished(ctx)
	if err != nil && ctx.Err() == nil {
		t.log.Error("look for runs under way", "error", err)
	}
	return func(run string) bool {
		return slices.ContainsFunc(active, func(r ledger.Record) bool { return r.ID == run })
	}
}

// recover takes one run over and brings it as far as it goes.
func (t *takeover) recover(lost engine.Orphan) {
	t.log.Warn("take over", "run", lost.ID, "experiment", lost.Experiment, "state", lost.State, "outstanding", len(lost.Run.Outstanding()))
	run, err := t.lost.TakeOver(t.life, lost, engine.RunOptions{Seen: t.events.seen, GiveUp: t.launcher.giveUp})
	settled := run != nil && len(run.Outstanding()) == 0
	t.events.left(lost.ID)
	t.retries.done(lost.ID, settled || run == nil && err == nil)
	switch {
	case err != nil:
		t.log.Error("take over", "run", lost.ID, "error", err)
	case run != nil:
		t.log.Info("taken over", "run", run.ID, "result", engine.Mended(run))
	}
	if settled && lost.Run.State == mishap.Stranded {
		t.notify(runMessage(notify.Reverted, run, "What was stranded is reverted: "+engine.Mended(run)))
	}
}
