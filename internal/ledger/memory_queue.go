package ledger

import (
	"context"
	"slices"
	"time"

	"mishap"
)

// Postpone is like [SQLite.Postpone].
func (m *Memory) Postpone(_ context.Context, all []Turn) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, turn := range all {
		m.take(turn)
	}
	return nil
}

// Claim is like [SQLite.Claim].
func (m *Memory) Claim(_ context.Context, d Schedule, turn Turn) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.schedules[d.Experiment].Tick.Due.Equal(d.Tick.Due) && m.take(turn), nil
}

// take puts a schedule in the queue.
func (m *Memory) take(turn Turn) bool {
	one, ok := m.schedules[turn.Experiment]
	if !ok || !one.Tick.At.Equal(turn.Tick) {
		return false
	}
	one.Tick.Due = turn.Until
	if one.Since.IsZero() {
		one.Since = turn.Since
	}
	m.schedules[turn.Experiment], m.queue[turn.Experiment] = one, turn
	return true
}

// Queue is like [SQLite.Queue].
func (m *Memory) Queue(_ context.Context, now time.Time) ([]mishap.Waiting, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waiting(now), nil
}

func (m *Memory) waiting(now time.Time) []mishap.Waiting {
	var all []mishap.Waiting
	for _, turn := range m.queue {
		s, ok := m.schedules[turn.Experiment]
		if ok && s.Tick.At.Equal(turn.Tick) && s.Tick.Due.After(now.Add(-queueLife)) {
			turn.Since, turn.Turn = s.Since, s.Turn
			all = append(all, turn.Waiting)
		}
	}
	slices.SortFunc(all, mishap.Waiting.Compare)
	return all
}

// place is a schedule's among those that are due.
func (s Schedule) place() mishap.Waiting {
	w := mishap.Waiting{Experiment: s.Experiment, Since: s.Since, Turn: s.Turn}
	if w.Since.IsZero() {
		w.Since = s.Tick.Due
	}
	return w
}
