package ledger

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"mishap"
)

func (m *Memory) mayAdvance(a *Advance) error {
	if a == nil {
		return nil
	}
	if one, ok := m.schedules[a.Experiment]; !ok || !one.Tick.At.Equal(a.From) {
		return fmt.Errorf("%w: %s at %s", ErrTickTaken, a.Experiment, mishap.Moment(a.From))
	}
	return nil
}

func (m *Memory) advance(a *Advance, begun time.Time) {
	switch {
	case a == nil:
	case a.Next == nil:
		delete(m.schedules, a.Experiment)
	default:
		one := m.schedules[a.Experiment]
		one.Tick, one.Advanced, one.Since = *a.Next, a.Now, a.Since
		delete(m.queue, a.Experiment)
		if !begun.IsZero() {
			one.Turn, one.Since = begun, time.Time{}
		} else if a.Wants != nil {
			m.queue[a.Experiment] = Turn{Waiting: mishap.Waiting{Experiment: a.Experiment, Wants: a.Wants}, Tick: a.Next.At}
		}
		m.schedules[a.Experiment] = one
	}
}

// Reset is like [SQLite.Reset].
func (m *Memory) Reset(_ context.Context, all []Schedule) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range all {
		if was, ok := m.schedules[one.Experiment]; ok && was.Spec == one.Spec {
			was.Tick, was.Advanced, was.Since = one.Tick, one.Advanced, time.Time{}
			delete(m.queue, one.Experiment)
			m.schedules[one.Experiment] = was
		}
	}
	return nil
}

// AskStop is like [SQLite.AskStop].
func (m *Memory) AskStop(ctx context.Context, s StopRequest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs[s.Run] == nil {
		return fmt.Errorf("%w: %s", ErrUnknownRun, s.Run)
	}
	if _, ok := m.stops[s.Run]; !ok {
		m.stops[s.Run] = s
	}
	m.audit(ctx, Act{At: s.At, By: s.By, What: "abort run " + s.Run + ": " + s.Reason})
	return nil
}

// Stops is like [SQLite.Stops].
func (m *Memory) Stops(_ context.Context, server string) ([]StopRequest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []StopRequest
	for _, s := range m.stops {
		if r := m.runs[s.Run]; r.Active() && r.Server == server {
			all = append(all, s)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Run < all[j].Run })
	return all, nil
}

// Due is like [SQLite.Due].
func (m *Memory) Due(_ context.Context, at time.Time, limit int, mine func(Schedule) bool) ([]Schedule, error) {
	all := m.listed(func(s Schedule) bool { return !s.Tick.Due.After(at) && mine(s) })
	sort.SliceStable(all, func(i, j int) bool { return all[i].place().Compare(all[j].place()) < 0 })
	return all[:min(limit, len(all))], nil
}

// NextDue is like [SQLite.NextDue].
func (m *Memory) NextDue(_ context.Context, after time.Time) (time.Time, error) {
	var next time.Time
	for _, s := range m.listed(func(s Schedule) bool { return s.Tick.Due.After(after) }) {
		if next.IsZero() || s.Tick.Due.Before(next) {
			next = s.Tick.Due
		}
	}
	return next, nil
}

// Schedules is like [SQLite.Schedules].
func (m *Memory) Schedules(context.Context) ([]Schedule, error) {
	return m.listed(anySchedule), nil
}

// Looked is like [SQLite.Looked].
func (m *Memory) Looked(_ context.Context, s SourceState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.Reached.IsZero() {
		s.Reached = m.sources[s.Name].Reached
	}
	m.sources[s.Name] = s
	return nil
}

// ForgetSource is like [SQLite.ForgetSource].
func (m *Memory) ForgetSource(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sources, name)
	for experiment, s := range m.schedules {
		if s.Source == name {
			delete(m.schedules, experiment)
		}
	}
	return nil
}

// Sources is like [SQLite.Sources].
func (m *Memory) Sources(context.Context) ([]SourceState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []SourceState
	for _, s := range m.sources {
		s.Revision = m.latest(s.Name)
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all, nil
}

func (m *Memory) listed(keep func(Schedule) bool) []Schedule {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Schedule
	for _, s := range m.schedules {
		if keep(s) {
			all = append(all, s)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Experiment < all[j].Experiment })
	return all
}

// SetSchedules is like [SQLite.SetSchedules].
func (m *Memory) SetSchedules(_ context.Context, source string, all []Schedule) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[string]Schedule{}
	for _, s := range m.schedules {
		if s.Source != source {
			next[s.Experiment] = s
		}
	}
	for _, s := range all {
		if was, ok := m.schedules[s.Experiment]; ok && was.Spec == s.Spec && was.Source == source {
			s = was
		} else if ok {
			s.Turn = was.Turn
		}
		if s.Source != source || s.Spec != m.schedules[s.Experiment].Spec {
			delete(m.queue, s.Experiment)
		}
		s.Source = source
		next[s.Experiment] = s
	}
	m.schedules = next
	return nil
}

// Revision is like [SQLite.Revision].
func (m *Memory) Revision(_ context.Context, source string) (Revision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.latest(source), nil
}

func (m *Memory) latest(source string) Revision {
	for _, r := range slices.Backward(m.revisions) {
		if r.Source == source {
			return r
		}
	}
	return Revision{}
}

// Publish is like [SQLite.Publish].
func (m *Memory) Publish(_ context.Context, r Revision, after int64) (Revision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.latest(r.Source).Seq != after {
		return r, ErrOutdated
	}
	r.Seq = int64(len(m.revisions)) + 1
	m.revisions = append(m.revisions, r)
	return r, nil
}

// Latest is like [SQLite.Latest].
func (m *Memory) Latest(context.Context) ([]Record, error) {
	last := map[string]Record{}
	for _, r := range m.records(func(r Record) bool { return r.State != mishap.Refused }) {
		last[r.Experiment] = r
	}
	var all []Record
	for _, r := range last {
		all = append(all, r)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Experiment < all[j].Experiment })
	return all, nil
}

// Join is like [SQLite.Join].
func (m *Memory) Join(context.Context, func(error)) (string, func() error, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := fmt.Sprintf("memory%d", len(m.alive)+1)
	m.alive[id] = true
	return id, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.alive[id] = false
		return nil
	}, nil
}

// Alive is like [SQLite.Alive].
func (m *Memory) Alive(_ context.Context, server string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alive[server], nil
}

// Servers is like [SQLite.Servers].
func (m *Memory) Servers(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for id := range m.alive {
		all = append(all, id)
	}
	slices.Sort(all)
	return all, nil
}

// Forget is like [SQLite.Forget].
func (m *Memory) Forget(_ context.Context, server string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.alive[server] {
		delete(m.alive, server)
	}
}

// InjectionCounts is like [SQLite.InjectionCounts].
func (m *Memory) InjectionCounts(context.Context) (map[mishap.InjectionState]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[mishap.InjectionState]int{}
	for _, st := range mishap.InjectionStates() {
		counts[st] = 0
	}
	for _, r := range m.runs {
		for _, id := range r.injections {
			if r.Active() {
				counts[m.injections[id].state]++
			}
		}
	}
	return counts, nil
}
