package keeper

import "mishap"

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
