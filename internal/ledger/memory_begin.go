package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap"
)

// Begin is like [SQLite.Begin].
func (m *Memory) Begin(ctx context.Context, s Start) (Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := s.check(); err != nil {
		return Lease{}, err
	}
	if m.runs[s.First.Run] != nil {
		return Lease{}, fmt.Errorf("begin run %s: %w", s.First.Run, ErrKnownRun)
	}
	if m.halt != nil {
		return Lease{}, fmt.Errorf("%w %s", ErrHalted, m.halt.Whose())
	}
	e := s.First.Planned.Experiment
	if s.InForce != nil && m.latest(s.InForce.Source).Seq != s.InForce.Seq {
		return Lease{}, ErrOutdated
	}
	if m.tickKnown(s.First) {
		return Lease{}, ErrTickTaken
	}
	if err := m.mayAdvance(s.Advance); err != nil {
		return Lease{}, err
	}
	for _, r := range m.runs {
		if r.Active() && (r.Experiment == e.Name || r.Group == e.Group) {
			return Lease{}, &BusyError{Run: r.ID, Experiment: r.Experiment, Group: r.Group, State: r.State}
		}
	}
	if s.Admit != nil {
		facts := mishap.Facts{Runs: m.ongoing(), Queue: m.waiting(s.First.At), Now: s.First.At}
		if lock, ok := m.locks[e.Name]; ok {
			facts.Lock = &lock
		}
		if a, ok := m.approvals[e.Name]; ok {
			facts.Approvals = []mishap.Approval{a}
		}
		if err := s.Admit(facts); err != nil {
			return Lease{}, err
		}
	}
	r, err := m.insertRun(s.Server, s.First)
	if err != nil {
		return Lease{}, err
	}
	if s.Act != nil {
		m.audit(ctx, *s.Act)
	}
	m.advance(s.Advance, s.First.At)
	return r.Lease(), nil
}

func (m *Memory) insertRun(server string, first mishap.Entry) (*memoryRun, error) {
	e := first.Planned.Experiment
	r := &memoryRun{footprints: first.Planned.Footprints(), Record: Record{
		ID: first.Run, Experiment: e.Name, Group: e.Group, State: mishap.Planned, Server: server, Fence: 1, Began: first.At, Kind: mishap.TriggerHand,
	}}
	if first.Trigger != nil {
		r.Kind, r.By = first.Trigger.Kind, first.Trigger.By
		if first.Trigger.Tick != nil {
			r.Tick = first.Trigger.Tick.At
		}
	}
	m.runs[r.ID] = r
	return r, r.append(first)
}

func (m *Memory) tickKnown(first mishap.Entry) bool {
	if first.Trigger == nil || first.Trigger.Tick == nil {
		return false
	}
	for _, r := range m.runs {
		if r.Experiment == first.Planned.Experiment.Name && r.Tick.Equal(first.Trigger.Tick.At) {
			return true
		}
	}
	return false
}

// Refuse is like [SQLite.Refuse].
func (m *Memory) Refuse(_ context.Context, server string, all []Refusal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range all {
		if err := r.check(); err != nil {
			return err
		}
		if err := m.mayAdvance(r.Advance); errors.Is(err, ErrTickTaken) {
			continue
		}
		m.advance(r.Advance, time.Time{})
		if m.tickKnown(r.First) || m.runs[r.First.Run] != nil {
			continue
		}
		run, err := m.insertRun(server, r.First)
		if err != nil {
			return err
		}
		if err := run.append(r.Why); err != nil {
			return err
		}
		m.follow(run, r.Why)
	}
	return nil
}

// finish keeps what came out of a run, and locks an experiment that deviated.
func (m *Memory) finish(r *memoryRun, e mishap.Entry) {
	r.Ended = e.At
	entries, err := r.decode()
	if err != nil {
		return
	}
	run, err := mishap.Replay(entries)
	if err != nil {
		run = &mishap.Run{Reason: err.Error()} // no journal keeps a run from ending
	}
	r.Verdict, r.Reason = mishap.Judge(run)
	r.Cause = run.Cause
	if r.Verdict == mishap.Deviated {
		m.locks[r.Experiment] = mishap.Lock{Experiment: r.Experiment, Run: r.ID, Reason: r.Reason, At: e.At}
	}
}

func (m *Memory) ongoing() []mishap.Ongoing {
	var all []mishap.Ongoing
	for _, r := range m.sorted(Record.Active) {
		all = append(all, mishap.Ongoing{ID: r.ID, Experiment: r.Experiment, Group: r.Group, State: r.State, Footprints: m.runs[r.ID].footprints})
	}
	return all
}

// Ongoing is like [SQLite.Ongoing].
func (m *Memory) Ongoing(context.Context) ([]mishap.Ongoing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ongoing(), nil
}

// Retire is like [SQLite.Retire].
func (m *Memory) Retire(_ context.Context, before time.Time, keep, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.sorted(func(Record) bool { return true })
	if keep > 0 && len(all) >= keep {
		if began := all[len(all)-keep].Began; began.After(before) {
			before = began
		}
	}
	latest := map[string]string{}
	for _, r := range all {
		if r.State != mishap.Refused {
			latest[r.Experiment] = r.ID
		}
	}
	n := 0
	for _, r := range all {
		if n < limit && !r.Active() && r.Began.Before(before) && latest[r.Experiment] != r.ID {
			delete(m.runs, r.ID)
			delete(m.stops, r.ID)
			n++
		}
	}
	return n, nil
}
