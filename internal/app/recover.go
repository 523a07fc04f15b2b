package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
	"mishap/internal/engine"
	"mishap/internal/notify"
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

// recoverLoop brings every run whose server is gone to reverted, and tries what
// is stranded again, as long as the server lives.
func (s *serving) recoverLoop(ctx context.Context) {
	tick := time.NewTicker(recoverEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.Rejoin(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("get a new lease", "error", err)
			continue
		}
		if !s.Fenced() {
			s.recoverAll(ctx, false)
		}
	}
}

// recoverAll takes over what lost servers left; with wait it returns when each
// is reverted, or stranded.
func (s *serving) recoverAll(ctx context.Context, wait bool) {
	end := s.Aiding(ctx, "")
	orphans, err := s.Orphans(ctx)
	end()
	if err != nil && ctx.Err() == nil {
		s.log.Error("look for lost runs", "error", err)
	}
	var all sync.WaitGroup
	for _, lost := range orphans {
		if lost.Away || lost.Run.Plan.Experiment.Lacks(s.Settings.Labels) != nil || !s.retries.take(lost.ID) {
			continue
		}
		s.runs.Add(1)
		all.Go(func() {
			defer s.runs.Done()
			s.recover(lost)
		})
	}
	if wait {
		all.Wait()
		if err := errors.Join(s.Account(ctx, func(line string) { s.log.Warn(line) }), s.Unsettled()); err != nil {
			s.log.Error("revert what no run of the ledger accounts for", "error", err)
		}
		if err := s.Tidy(ctx); err != nil {
			s.log.Warn("tidy up after lost servers", "error", err)
		}
	}
}

// recover takes one run over and brings it as far as it goes.
func (s *serving) recover(lost engine.Orphan) {
	s.log.Warn("take over", "run", lost.ID, "experiment", lost.Experiment, "state", lost.State, "outstanding", len(lost.Run.Outstanding()))
	run, err := s.TakeOver(s.life, lost, engine.RunOptions{Seen: s.seen, GiveUp: s.giveUp})
	settled := run != nil && len(run.Outstanding()) == 0
	s.retries.done(lost.ID, settled || run == nil && err == nil)
	switch {
	case err != nil:
		s.log.Error("take over", "run", lost.ID, "error", err)
	case run != nil:
		s.log.Info("taken over", "run", run.ID, "result", engine.Mended(run))
	}
	if settled && lost.Run.State == mishap.Stranded {
		s.notify(runMessage(notify.Reverted, run, "What was stranded is reverted: "+engine.Mended(run)))
	}
}
