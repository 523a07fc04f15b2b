package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"mishap"
)

// Memory is a ledger without a disk: the twin of [SQLite] for tests on fake
// time, which a real database cannot follow.
type Memory struct {
	mu         sync.Mutex
	runs       map[string]*memoryRun
	keys       map[mishap.Key]string // key → injection
	things     map[string]string     // thing → the run that it belongs to
	injections map[string]*memoryInjection
	halt       *Halt
	schedules  map[string]Schedule
	queue      map[string]Turn // by experiment
	locks      map[string]mishap.Lock
	approvals  map[string]mishap.Approval
	told       map[string]time.Time
	acts       []Act
	lastAct    int64
	revisions  []Revision
	sources    map[string]SourceState
	alive      map[string]bool // servers
	stops      map[string]StopRequest
}

type memoryRun struct {
	Record
	entries    [][]byte
	injections []string
	footprints []mishap.Footprint
}

type memoryInjection struct {
	mishap.Injection
	state mishap.InjectionState
}

// NewMemory makes an empty ledger.
func NewMemory() *Memory {
	return &Memory{
		runs: map[string]*memoryRun{}, keys: map[mishap.Key]string{}, things: map[string]string{}, injections: map[string]*memoryInjection{},
		schedules: map[string]Schedule{}, queue: map[string]Turn{}, locks: map[string]mishap.Lock{}, approvals: map[string]mishap.Approval{}, told: map[string]time.Time{}, sources: map[string]SourceState{}, alive: map[string]bool{}, stops: map[string]StopRequest{},
	}
}

// Close does nothing.
func (m *Memory) Close() error { return nil }

func (r *memoryRun) append(e mishap.Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write entry %d: %w", e.Seq, err)
	}
	if int(e.Seq) <= len(r.entries) && e.Seq > 0 {
		if !bytes.Equal(r.entries[e.Seq-1], text) {
			return fmt.Errorf("append entry %d of run %s: another one is there", e.Seq, e.Run)
		}
		return nil
	}
	if int(e.Seq) != len(r.entries)+1 {
		return fmt.Errorf("append entry %d of run %s: the last one is %d", e.Seq, e.Run, len(r.entries))
	}
	r.entries = append(r.entries, text)
	return nil
}

func (m *Memory) owned(lease Lease) (*memoryRun, error) {
	r := m.runs[lease.Run]
	switch {
	case r == nil:
		return nil, fmt.Errorf("%w: %s", ErrUnknownRun, lease.Run)
	case r.Lease() != lease:
		return nil, fmt.Errorf("%w: run %s, fence %d", ErrFenced, lease.Run, r.Fence)
	}
	return r, nil
}

// Append is like [SQLite.Append].
func (m *Memory) Append(_ context.Context, lease Lease, entries ...mishap.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := lease.check(entries); err != nil {
		return err
	}
	r, err := m.owned(lease)
	if err != nil {
		return err
	}
	for i, e := range entries { // all or none
		if i == 0 && int(e.Seq) > len(r.entries)+1 || i > 0 && e.Seq != entries[i-1].Seq+1 {
			return fmt.Errorf("append entry %d of run %s: the last one is %d", e.Seq, e.Run, len(r.entries)+i)
		}
	}
	for _, e := range entries {
		if err := r.append(e); err != nil {
			return err
		}
		m.follow(r, e)
	}
	return nil
}

// follow does what follows from an entry.
func (m *Memory) follow(r *memoryRun, e mishap.Entry) {
	switch {
	case e.State != nil:
		r.State = e.State.To
		if !r.State.Ended() {
			return
		}
		m.finish(r, e)
		for _, id := range r.injections {
			m.free(id)
			m.injections[id].Undo = nil
		}
		maps.DeleteFunc(m.things, func(_, run string) bool { return run == r.ID })
	case e.Injection != nil && m.injections[e.Injection.ID] != nil:
		in := m.injections[e.Injection.ID]
		in.state = e.Injection.State()
		if in.state.Settled() {
			m.free(in.ID)
			return
		}
		for _, key := range in.Keys {
			if m.keys[key] == "" {
				m.keys[key] = in.ID
			}
		}
	}
}

func (m *Memory) free(injection string) {
	for key, holder := range m.keys {
		if holder == injection {
			delete(m.keys, key)
		}
	}
}

// Prepare is like [SQLite.Prepare].
func (m *Memory) Prepare(_ context.Context, lease Lease, e mishap.Entry, in mishap.Injection) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.owned(lease)
	if err != nil {
		return err
	}
	for _, key := range in.Keys {
		run, own := m.things[key.Thing], m.keys[key] != ""
		if run != "" && run != in.Run || own {
			return &KeyError{Key: key, Run: run, Own: run == in.Run}
		}
	}
	if err := r.append(e); err != nil {
		return err
	}
	for _, key := range in.Keys {
		m.keys[key], m.things[key.Thing] = in.ID, in.Run
	}
	m.injections[in.ID] = &memoryInjection{Injection: in, state: mishap.InjectionPrepared}
	r.injections = append(r.injections, in.ID)
	return nil
}

// TakeOver is like [SQLite.TakeOver].
func (m *Memory) TakeOver(_ context.Context, old Lease, server string) (Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.owned(old)
	if err != nil {
		return Lease{}, err
	}
	r.Server, r.Fence = server, r.Fence+1
	return r.Lease(), nil
}

// Halt is like [SQLite.Halt].
func (m *Memory) Halt(ctx context.Context, h Halt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.halt == nil {
		m.halt = &h
	}
	m.audit(ctx, Act{At: h.At, By: h.By, What: "halt: " + h.Reason})
	return nil
}

// Resume is like [SQLite.Resume].
func (m *Memory) Resume(ctx context.Context, by, reason string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.halt = nil
	m.audit(ctx, resumed(by, reason, at))
	return nil
}

// Halted is like [SQLite.Halted].
func (m *Memory) Halted(context.Context) (*Halt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.halt, nil
}

// Entries is like [SQLite.Entries].
func (m *Memory) Entries(_ context.Context, run string) ([]mishap.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.runs[run]
	if r == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownRun, run)
	}
	return r.decode()
}

func (r *memoryRun) decode() ([]mishap.Entry, error) {
	all := make([]mishap.Entry, len(r.entries))
	for i, text := range r.entries {
		if err := json.Unmarshal(text, &all[i]); err != nil {
			return nil, fmt.Errorf("read row: %w", err)
		}
	}
	return all, nil
}

// Injections is like [SQLite.Injections].
func (m *Memory) Injections(_ context.Context, run string) ([]mishap.Injection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []mishap.Injection
	if r := m.runs[run]; r != nil {
		for _, id := range r.injections {
			all = append(all, m.injections[id].Injection)
		}
	}
	return all, nil
}

// Runs is like [SQLite.Runs].
func (m *Memory) Runs(_ context.Context, limit int) ([]Record, error) {
	return newest(m.records(func(Record) bool { return true }), limit), nil
}

// RunsOf is like [SQLite.RunsOf].
func (m *Memory) RunsOf(_ context.Context, experiment string, limit int) ([]Record, error) {
	return newest(m.records(func(r Record) bool { return r.Experiment == experiment }), limit), nil
}

// RunsBefore is like [SQLite.RunsBefore].
func (m *Memory) RunsBefore(_ context.Context, before time.Time, experiment string, limit int) ([]Record, error) {
	return newest(m.records(func(r Record) bool {
		return r.Began.Before(before) && (experiment == "" || r.Experiment == experiment)
	}), limit), nil
}

func newest(all []Record, limit int) []Record {
	slices.Reverse(all)
	return all[:min(limit, len(all))]
}

// Unfinished is like [SQLite.Unfinished].
func (m *Memory) Unfinished(context.Context) ([]Record, error) { return m.records(Record.Active), nil }

// Find is like [SQLite.Find].
func (m *Memory) Find(ctx context.Context, which string) (Record, error) {
	if which == "last" {
		found, _ := m.Runs(ctx, 1)
		return one(which, found)
	}
	return one(which, m.records(func(r Record) bool { return strings.HasPrefix(r.ID, which) }))
}

func (m *Memory) records(keep func(Record) bool) []Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sorted(keep)
}

func (m *Memory) sorted(keep func(Record) bool) []Record {
	var all []Record
	for _, r := range m.runs {
		if keep(r.Record) {
			all = append(all, r.Record)
		}
	}
	sort.Slice(all, func(i, j int) bool {
		if !all[i].Began.Equal(all[j].Began) {
			return all[i].Began.Before(all[j].Began)
		}
		return all[i].ID < all[j].ID
	})
	return all
}

// Holder is like [SQLite.Holder].
func (m *Memory) Holder(_ context.Context, thing string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.things[thing], nil
}

// InjectionState is like [SQLite.InjectionState].
func (m *Memory) InjectionState(_ context.Context, id string) (mishap.InjectionState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if in := m.injections[id]; in != nil {
		return in.state, nil
	}
	return "", nil
}

// Incarnation is empty.
func (m *Memory) Incarnation(string) string { return "" }

// Lapsed is never so.
func (m *Memory) Lapsed(string) bool { return false }
