package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"mishap"
	"mishap/internal/runner"
)

// world is a system of switches: a fault turns one off, reverting turns it on.
// Every call on it may be made to fail.
type world struct {
	mu      sync.Mutex
	off     map[string]bool
	trace   []string
	fail    map[string]int            // "revert a" → how often it fails
	probe   func() mishap.Observation // nil: met
	healthy func() error              // nil: yes
}

func newWorld() *world { return &world{off: map[string]bool{}, fail: map[string]int{}} }

// process is a server of the run: it is told before and after every ledger,
// keeper and target call, and may die there.
type process struct{ around func(point string) }

func (p *process) call(w *world, name string, f func() error) error {
	p.around("before " + name)
	w.mu.Lock()
	w.trace = append(w.trace, name)
	var err error
	if w.fail[name] > 0 {
		w.fail[name]--
		err = errors.New(name + " fails")
	} else {
		err = f()
	}
	w.mu.Unlock()
	p.around("after " + name)
	return err
}

func (w *world) anyOff() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for name, off := range w.off {
		if off {
			out = append(out, name)
		}
	}
	return out
}

// injector turns off the switch that a fault is named after.
type injector struct {
	w    *world
	p    *process
	name string
}

func (i injector) Prepare(context.Context, mishap.Request) ([]mishap.Injection, error) {
	return []mishap.Injection{{
		Injector: "switch", Target: mishap.Target{ID: i.name, Kind: "switch"}, Matched: 1,
		Undo: json.RawMessage(`"on"`), Keys: []mishap.Key{{Thing: "switch/" + i.name, Attribute: "state"}},
	}}, nil
}

func (i injector) Inject(_ context.Context, in mishap.Injection) error {
	return i.p.call(i.w, "inject "+in.Target.ID, func() error { i.w.off[in.Target.ID] = true; return nil })
}

func (i injector) Revert(_ context.Context, in mishap.Injection) (mishap.Reverted, error) {
	if string(in.Undo) != `"on"` {
		return mishap.Reverted{}, fmt.Errorf("undo of %s is missing", in.Target.ID)
	}
	err := i.p.call(i.w, "revert "+in.Target.ID, func() error { i.w.off[in.Target.ID] = false; return nil })
	return mishap.Reverted{State: mishap.InjectionReverted}, err
}

func (i injector) Verify(_ context.Context, in mishap.Injection) (mishap.Effect, error) {
	i.w.mu.Lock()
	defer i.w.mu.Unlock()
	if i.w.off[in.Target.ID] {
		return mishap.Effect{InForce: mishap.Yes}, nil
	}
	return mishap.Effect{InForce: mishap.No}, nil
}

type probe struct{ w *world }

func (p probe) Observe(context.Context) mishap.Observation {
	if p.w.probe != nil {
		return p.w.probe()
	}
	return mishap.Observation{Result: mishap.Met}
}

type guard struct{ w *world }

func (g guard) Check(context.Context, mishap.Situation) error {
	g.w.mu.Lock()
	healthy := g.w.healthy
	g.w.mu.Unlock()
	if healthy != nil {
		return healthy()
	}
	return nil
}

func (w *world) setHealthy(f func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.healthy = f
}

// calls is what was called so far, in order.
func (w *world) calls() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.trace)
}

// keeper injects in this process, and may be lost.
type keeper struct {
	w    *world
	p    *process
	held map[string]mishap.Injection
	lost chan struct{}
}

func newKeeper(w *world, p *process) *keeper {
	return &keeper{w: w, p: p, held: map[string]mishap.Injection{}, lost: make(chan struct{})}
}

func (k *keeper) Hold(_ context.Context, in mishap.Injection) error {
	return k.p.call(k.w, "hold "+in.Target.ID, func() error { k.held[in.ID] = in; return nil })
}

func (k *keeper) all(ids []string) (all []mishap.Injection) {
	for _, id := range ids {
		all = append(all, k.held[id])
	}
	return all
}

func (k *keeper) Inject(ctx context.Context, ids []string) []error {
	return mishap.InjectAll(ctx, injector{w: k.w, p: k.p}, k.all(ids))
}

func (k *keeper) Revert(ctx context.Context, ids []string) []mishap.Reply[mishap.Reverted] {
	return mishap.RevertAll(ctx, injector{w: k.w, p: k.p}, k.all(ids))
}

func (k *keeper) Lost() <-chan struct{} { return k.lost }

// memory is a journal that may break.
type memory struct {
	p       *process
	mu      sync.Mutex
	entries []mishap.Entry
	undo    map[string]mishap.Injection
	broken  bool
	outage  *outage
}

func (m *memory) Append(_ context.Context, entries ...mishap.Entry) error {
	m.p.around("before append")
	if m.outage != nil {
		return m.appendDuring(entries)
	}
	m.mu.Lock()
	if m.broken {
		m.mu.Unlock()
		return errors.New("the ledger is gone")
	}
	m.entries = append(m.entries, entries...)
	m.mu.Unlock()
	m.p.around("after append")
	return nil
}

func (m *memory) Prepare(ctx context.Context, e mishap.Entry, in mishap.Injection) error {
	m.p.around("before prepare")
	if m.outage != nil {
		if err := m.appendDuring([]mishap.Entry{e}); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.undo[in.ID] = in
	m.mu.Unlock()
	if m.outage != nil {
		return nil
	}
	return m.Append(ctx, e)
}

// appendDuring appends as a real ledger does: what it has already is not written
// again.
func (m *memory) appendDuring(entries []mishap.Entry) error {
	if m.outage.strikes(true) {
		return errAway
	}
	m.mu.Lock()
	for _, e := range entries {
		if e.Seq == int64(len(m.entries))+1 {
			m.entries = append(m.entries, e)
		}
	}
	m.mu.Unlock()
	if m.outage.strikes(false) {
		return errAway
	}
	return nil
}

// has reports whether a target's undo is written.
func (m *memory) has(target string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, in := range m.undo {
		if in.Target.ID == target {
			return true
		}
	}
	return false
}

func (m *memory) injections() []mishap.Injection {
	var out []mishap.Injection
	for _, in := range m.undo {
		out = append(out, in)
	}
	return out
}

// set is an experiment on the world, ready to run.
type set struct {
	w      *world
	p      *process
	ledger *memory
	keeper *keeper
	runner *runner.Runner
	stops  chan runner.Stop
	first  mishap.Entry
}

var phases = []mishap.Phase{mishap.Before, mishap.During, mishap.After}

func newSet(t *testing.T, faults ...mishap.Fault) *set {
	t.Helper()
	w, p := newWorld(), &process{around: func(string) {}}
	s := &set{w: w, p: p, ledger: &memory{p: p, undo: map[string]mishap.Injection{}}, keeper: newKeeper(w, p), stops: make(chan runner.Stop, 4)}
	x := mishap.Experiment{
		Name: "x", Faults: faults, Recovery: mishap.DefaultRecovery(),
		SteadyState: []mishap.ProbeSpec{{Name: "p", Every: mishap.Duration(time.Second), Timeout: mishap.Duration(time.Second), When: phases}},
	}
	plan := mishap.Plan{Experiment: x}
	s.runner = &runner.Runner{
		Journal: s.ledger, Keeper: s.keeper, Stops: s.stops, RevertWithin: 2 * time.Minute, Renew: 5 * time.Second,
		Probes: []mishap.Probe{probe{w}}, Guards: []runner.Guard{{Name: "g", Safeguard: guard{w}}},
		Restore: func(in mishap.Injection) (mishap.Injector, error) { return injector{w, p, in.Target.ID}, nil },
	}
	for _, f := range faults {
		i := injector{w, p, f.Name}
		found, _ := i.Prepare(context.Background(), mishap.Request{})
		found[0].Fault = f.Name
		plan.Injections = append(plan.Injections, found...)
		s.runner.Faults = append(s.runner.Faults, runner.Fault{Fault: f, Injector: i, Kind: mishap.InjectorKind{Keeper: mishap.KeeperProcess}})
	}
	s.first = mishap.Entry{Run: "r1", Seq: 1, At: time.Now(), Planned: &plan}
	s.ledger.entries = []mishap.Entry{s.first}
	return s
}

func fault(name string, d time.Duration) mishap.Fault {
	return mishap.Fault{Name: name, Injector: "switch", For: mishap.Duration(d)}
}
