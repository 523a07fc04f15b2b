// Package sweep reverts what the vaults hold and nobody else does: once, for a person,
// and again and again, for a server.
package sweep

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
	"mishap/internal/runner"
	"mishap/internal/vault"
)

// Sweeper sweeps the vaults of the places that the settings list.
type Sweeper struct {
	Vaults       *vault.Vaults
	Places       []mishap.Place
	Restore      func(mishap.Injection) (mishap.Injector, error)
	RevertWithin time.Duration
	Log          *slog.Logger
}

// Sweep reverts what is past its hold; runs that are named, whether it is or not. Begun
// may be nil.
func (s *Sweeper) Sweep(ctx context.Context, begun func(vault.Found), runs ...string) vault.Swept {
	return s.Vaults.Sweep(ctx, vault.Sweeping{Places: s.Places, Runs: runs, Begun: begun, Revert: s.revert})
}

// List only looks.
func (s *Sweeper) List(ctx context.Context, runs ...string) vault.Swept {
	return s.Vaults.Sweep(ctx, vault.Sweeping{Places: s.Places, Runs: runs})
}

// sure is how long what was read of a vault is good for: nobody settles a record and
// begins another run on the same things sooner.
const sure = 2 * time.Second

// revert reverts the injections of a record, as a run does that was lost. Another sweep
// may do so as well, and be done before.
func (s *Sweeper) revert(ctx context.Context, all []mishap.Injection) []vault.Ended {
	read := time.Now()
	r := &runner.Runner{Restore: s.Restore, RevertWithin: s.RevertWithin, Log: s.Log, Taken: func(ctx context.Context, in mishap.Injection, since time.Time) (string, error) {
		if time.Since(read) < sure {
			return "", nil
		}
		return s.Vaults.Taken(ctx, in, since)
	}}
	run, err := r.Recorded(ctx, all)
	ended := make([]vault.Ended, len(all))
	for i, in := range all {
		ended[i] = vault.Ended{State: mishap.InjectionStranded, Detail: "it was not reverted"}
		if err != nil {
			ended[i].Detail = err.Error()
		} else if now := run.Injection(in.ID); now != nil {
			ended[i] = vault.Ended{State: now.State, Detail: now.Detail}
		}
	}
	return ended
}

// every is the time between two sweeps of a server.
const every = 30 * time.Second

// Watch sweeps until ctx ends, and tells of each record that it has reverted, or
// tried to. What skip answers for, at the begin of a sweep, is somebody else's to
// revert. What stays in is tried again after longer and longer times.
func (s *Sweeper) Watch(ctx context.Context, skip func(context.Context) func(run string) bool, tell func(vault.Found)) {
	again := &retries{}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		theirs := skip(ctx)
		swept := s.Vaults.Sweep(ctx, vault.Sweeping{Places: s.Places, Revert: s.revert, Skip: func(run string) bool {
			return theirs(run) || again.waits(run)
		}})
		for _, f := range swept.Records {
			if f.Swept || f.Problem != nil {
				again.ended(f)
				tell(f)
			}
		}
		for _, p := range swept.Places {
			if p.Err != nil && ctx.Err() == nil {
				s.Log.Warn("sweep", "error", p.Err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// retries are the runs of which something stays in, and when each is tried again.
type retries struct {
	mu  sync.Mutex
	all map[string]*retry
}

type retry struct {
	policy *backoff.ExponentialBackOff
	next   time.Time
}

func (r *retries) waits(run string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.all[run]
	return one != nil && time.Now().Before(one.next)
}

func (r *retries) ended(f vault.Found) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.Out() && f.Problem == nil {
		delete(r.all, f.Run)
		return
	}
	if r.all == nil {
		r.all = map[string]*retry{}
	}
	one := r.all[f.Run]
	if one == nil {
		one = &retry{policy: backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(time.Minute), backoff.WithMultiplier(2), backoff.WithMaxInterval(time.Hour), backoff.WithMaxElapsedTime(0))}
		r.all[f.Run] = one
	}
	if now := time.Now(); !now.Before(one.next) { // once a sweep, of however many records
		one.next = now.Add(one.policy.NextBackOff())
	}
}
