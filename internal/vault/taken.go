package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
)

// takenWithin is how long a revert waits for the vault. One that does not answer
// keeps nothing from being reverted.
const takenWithin = 3 * time.Second

// claims are those of one place as they were read last.
type claims struct {
	turn chan struct{}   // of whoever reads them
	at   time.Time       // when that began
	run  map[string]mark // by name, as far as could be read
	err  error           // why not all could be
}

// Taken says whose the injection's things are by now, if they are another run's: what
// was lost was swept then, and is not to be reverted again. What was read since a time
// will do. An error means that it cannot be known in a moment.
func (v *Vaults) Taken(ctx context.Context, in mishap.Injection, since time.Time) (why string, err error) {
	if v == nil || !Keeps(in) {
		return "", nil
	}
	claimed, err := v.claimed(ctx, in.Target.Where, since)
	for _, k := range in.Keys {
		if m, is := claimed[claimName(k.Thing)]; is && m.Run != in.Run {
			return fmt.Sprintf("it was swept, and %s belongs to run %s of %s by now", k.Thing, m.Run, m.By), nil
		}
	}
	return "", err
}

// claimed reads the claims of a place, once for all that ask at the same time.
func (v *Vaults) claimed(ctx context.Context, where mishap.Place, since time.Time) (map[string]mark, error) {
	v.mu.Lock()
	if v.claims == nil {
		v.claims = map[mishap.Place]*claims{}
	}
	if v.claims[where] == nil {
		v.claims[where] = &claims{turn: make(chan struct{}, 1)}
	}
	c := v.claims[where]
	v.mu.Unlock()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !c.at.Before(since) {
		return c.run, c.err
	}
	c.at = time.Now()
	ctx, cancel := context.WithTimeout(ctx, takenWithin)
	defer cancel()
	if c.run, c.err = v.readClaims(ctx, where); c.err != nil {
		v.Log.Warn("see in the vault whose a thing is before it is reverted", "account", where.Account, "region", where.Region, "error", c.err)
	}
	return c.run, c.err
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

// remains is how long it does not lapse, if nothing prolongs it.
func (l *lapse) remains() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look()
	if l.is || l.since.IsZero() {
		return 0
	}
	now := time.Now()
	return heldFor - max(now.Sub(l.since), now.Round(0).Sub(l.since.Round(0)))
}

func (l *lapse) look() {
	now := time.Now()
	l.is = l.is || !l.since.IsZero() && (now.Sub(l.since) >= heldFor || now.Round(0).Sub(l.since.Round(0)) >= heldFor)
}

// Confirm is asked right before a call that injects. An error means that others may
// have swept the run: what would revert it may be gone.
func (k *Keep) Confirm() error {
	for _, p := range k.all() {
		if p.lapse.lapsed() {
			return errors.New(inPlace(p.where) + " could not be written for a minute: others may have swept this run, and nothing more is injected")
		}
	}
	return nil
}

// Taken is [Vaults.Taken] where others may have swept the run.
func (k *Keep) Taken(ctx context.Context, in mishap.Injection, since time.Time) (string, error) {
	for _, p := range k.all() {
		if p.where == in.Target.Where && (p.adopted || p.lapse.lapsed()) {
			return k.vaults.Taken(ctx, in, since)
		}
	}
	return "", nil
}

// Remains is how long nobody else may sweep the run from now on, if nothing is
// prolonged.
func (k *Keep) Remains() time.Duration {
	least := heldFor
	for _, p := range k.all() {
		least = min(least, p.lapse.remains())
	}
	return least
}
