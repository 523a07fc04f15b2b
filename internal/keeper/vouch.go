package keeper

import (
	"context"
	"time"

	"mishap"
)

// vouch says that this process runs, and notices that it did not for a whole lease.
func (k *keeping) vouch() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lapsed = k.lapsed || k.Lease > 0 && k.own.passed()
	k.own = after(k.Lease)
}

// others reports whether an injection may be another server's to revert by now.
func (k *keeping) others(in mishap.Injection) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lapsed && !in.Target.Where.Local()
}

// isHeld is told until when nobody else may have what is in a cloud.
func (k *keeping) isHeld(until time.Time) {
	if !until.IsZero() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.held = after(time.Until(until))
	}
}

// yields is for one attempt of this keeper's own: it says why an injection is another
// run's by now.
func (k *keeping) yields(ctx context.Context) func(mishap.Injection) (string, error) {
	taken := k.Taken.Yields(ctx, k.Restore)
	return func(in mishap.Injection) (string, error) {
		k.mu.Lock()
		held := !k.held.passed()
		k.mu.Unlock()
		if held || in.Target.Where.Local() {
			return "", nil
		}
		return taken(in)
	}
}

// left reports whether something is left to who owns the run now: the undo file
// stays until that is recorded.
func (k *keeping) left() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.list {
		if k.lapsed && h.state.MayBeIn() {
			return true
		}
	}
	return false
}
