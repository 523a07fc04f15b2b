package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
)

const (
	// takenWithin is how long a revert waits for the vault. One that does not answer
	// keeps nothing from being reverted.
	takenWithin = 3 * time.Second
	// takenFor is how long that is good for which was read of whose the things are.
	takenFor = 5 * time.Second
)

// claims are those of one place as they were read last.
type claims struct {
	mu  sync.Mutex
	at  time.Time
	run map[string]mark // by name
}

// Taken says whose the injection's things are by now, if they are another run's: what
// was lost was swept then, and is not to be reverted again. Empty if they are not, or
// if that cannot be known in a moment.
func (v *Vaults) Taken(ctx context.Context, in mishap.Injection) string {
	if v == nil || !Keeps(in) {
		return ""
	}
	for name, m := range v.claimed(ctx, in.Target.Where) {
		for _, k := range in.Keys {
			if name == claimName(k.Thing) && m.Run != in.Run {
				return fmt.Sprintf("it was swept, and %s belongs to run %s of %s by now", k.Thing, m.Run, m.By)
			}
		}
	}
	return ""
}

// claimed reads the claims of a place, once for all that ask at the same time.
func (v *Vaults) claimed(ctx context.Context, where mishap.Place) map[string]mark {
	v.mu.Lock()
	if v.claims == nil {
		v.claims = map[mishap.Place]*claims{}
	}
	if v.claims[where] == nil {
		v.claims[where] = &claims{}
	}
	c := v.claims[where]
	v.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && time.Since(c.at) < takenFor {
		return c.run
	}
	ctx, cancel := context.WithTimeout(ctx, takenWithin)
	defer cancel()
	all, err := v.readClaims(ctx, where)
	if err != nil {
		v.Log.Warn("see in the vault whose a thing is before it is reverted", "account", where.Account, "region", where.Region, "error", err)
	}
	c.at, c.run = time.Now(), all
	return all
}

func (v *Vaults) readClaims(ctx context.Context, where mishap.Place) (map[string]mark, error) {
	all := map[string]mark{}
	s, err := v.store(ctx, where)
	if err != nil {
		return all, err
	}
	return all, s.List(ctx, claimsFolder, func(items []Item, _ time.Time) error {
		for _, item := range items {
			if m, err := parseMark(item.Text); err == nil {
				all[item.Name] = m
			}
		}
		return ctx.Err()
	})
}

// lapse notices that a hold was over without having been prolonged, by both clocks of
// this machine: one stands still while it sleeps, and the other may be set.
type lapse struct {
	mu    sync.Mutex
	since time.Time // that it was prolonged last
	is    bool
}

// prolonged says that what was asked for at a time is written.
func (l *lapse) prolonged(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look()
	l.since = at
}

// lapsed reports whether others may have swept it at some time.
func (l *lapse) lapsed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look()
	return l.is
}

func (l *lapse) look() {
	now := time.Now()
	l.is = l.is || !l.since.IsZero() && (now.Sub(l.since) >= heldFor || now.Round(0).Sub(l.since.Round(0)) >= heldFor)
}

// Confirm is asked right before a call that injects. An error means that others may
// have swept the run: what would revert it may be gone.
func (k *Keep) Confirm() error {
	for _, p := range k.parts {
		if p.lapse.lapsed() {
			return errors.New(inPlace(p.where) + " could not be written for a minute: others may have swept this run, and nothing more is injected")
		}
	}
	return nil
}

// Taken is [Vaults.Taken] where others may have swept the run.
func (k *Keep) Taken(ctx context.Context, in mishap.Injection) string {
	for _, p := range k.parts {
		if p.where == in.Target.Where && (p.adopted || p.lapse.lapsed()) {
			return k.vaults.Taken(ctx, in)
		}
	}
	return ""
}
