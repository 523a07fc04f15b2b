package ledger

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"mishap"
)

// Locks is like [SQLite.Locks].
func (m *Memory) Locks(context.Context) ([]mishap.Lock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []mishap.Lock
	for _, l := range m.locks {
		all = append(all, l)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Experiment < all[j].Experiment })
	return all, nil
}

// Unlock is like [SQLite.Unlock].
func (m *Memory) Unlock(ctx context.Context, experiment, by, reason string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.locks[experiment]; !ok {
		return fmt.Errorf("%w: %s", ErrNotLocked, experiment)
	}
	delete(m.locks, experiment)
	m.audit(ctx, Act{At: at, By: by, What: "unlock " + experiment + ": " + reason})
	return nil
}

func (m *Memory) audit(ctx context.Context, a Act) {
	a = a.through(ctx)
	m.lastAct++
	a.ID = m.lastAct
	m.acts = append(m.acts, a)
}

// Record is like [SQLite.Record].
func (m *Memory) Record(ctx context.Context, a Act) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.audit(ctx, a)
	return nil
}

// Audit is like [SQLite.Audit].
func (m *Memory) Audit(_ context.Context, after, before int64, limit int) ([]Act, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Act
	for _, a := range m.acts {
		if a.ID > after && (before <= 0 || a.ID < before) {
			all = append(all, a)
		}
	}
	if before > 0 {
		slices.Reverse(all)
	}
	return all[:min(limit, len(all))], nil
}

// RetireActs is like [SQLite.RetireActs].
func (m *Memory) RetireActs(_ context.Context, before time.Time, limit int) (n int, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acts = slices.DeleteFunc(m.acts, func(a Act) bool {
		old := a.At.Before(before) && n < limit
		if old {
			n++
		}
		return old
	})
	return n, nil
}

// Approve is like [SQLite.Approve].
func (m *Memory) Approve(ctx context.Context, a mishap.Approval) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.approvals[a.Experiment] = a
	m.audit(ctx, approvalAct(a))
	return nil
}

// Approvals is like [SQLite.Approvals].
func (m *Memory) Approvals(context.Context) ([]mishap.Approval, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []mishap.Approval
	for _, a := range m.approvals {
		all = append(all, a)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Experiment < all[j].Experiment })
	return all, nil
}

// Disapprove is like [SQLite.Disapprove].
func (m *Memory) Disapprove(ctx context.Context, experiment, by string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.approvals[experiment]; !ok {
		return fmt.Errorf("%w: %s", ErrNotApproved, experiment)
	}
	delete(m.approvals, experiment)
	m.audit(ctx, Act{At: at, By: by, What: "take back the approval of " + experiment})
	return nil
}

// First is like [SQLite.First].
func (m *Memory) First(_ context.Context, what string, at time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, told := m.told[what]; told {
		return false, nil
	}
	m.told[what] = at
	return true, nil
}
