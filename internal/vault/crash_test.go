package vault_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/runner"
	"mishap/internal/vault"
)

// server is a process that runs an experiment, and dies at one of its calls: from
// then on nothing that it does has an effect.
type server struct {
	mu    sync.Mutex
	calls int
	at    int // the call that it dies at
	dead  bool
	where string
	leave context.CancelCauseFunc
}

var errDead = errors.New("this process is dead")

// meet is before or after a call.
func (s *server) meet(point string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls++; s.calls == s.at {
		s.dead, s.where = true, point
		s.leave(runner.ErrLeave)
	}
	if s.dead {
		return errDead
	}
	return nil
}

// over watches the calls of a vault.
func (s *server) over(m *memory) {
	m.before = func(op, name string) error { return s.meet("before " + op + " " + name) }
	m.after = func(op, name string) error { return s.meet("after " + op + " " + name) }
}

// instances are what a fault stops: an injector of the system, for one process.
type instances struct {
	*system
	all []mishap.Injection // what is found
	of  *server            // nil: nothing happens to it
}

func (i instances) call(what, id string, do func()) error {
	if i.of != nil {
		if err := i.of.meet("before " + what); err != nil {
			return err
		}
	}
	i.mu.Lock()
	do()
	i.mu.Unlock()
	if i.of != nil {
		return i.of.meet("after " + what)
	}
	return nil
}

func (i instances) Prepare(context.Context, mishap.Request) ([]mishap.Injection, error) {
	return slices.Clone(i.all), nil
}

func (i instances) Inject(_ context.Context, in mishap.Injection) error {
	return i.call("inject "+in.ID, in.Target.ID, func() { i.in[in.Target.ID] = true })
}

func (i instances) Revert(_ context.Context, in mishap.Injection) (mishap.Reverted, error) {
	if len(in.Undo) == 0 || in.Run == "" || in.Target.Where.Account == "" {
		return mishap.Reverted{}, fmt.Errorf("%s says too little: %+v", in.ID, in)
	}
	err := i.call("revert "+in.ID, in.Target.ID, func() { delete(i.in, in.Target.ID) })
	return mishap.Reverted{State: mishap.InjectionReverted}, err
}

func (i instances) Verify(_ context.Context, in mishap.Injection) (mishap.Effect, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.in[in.Target.ID] {
		return mishap.Effect{InForce: mishap.Yes}, nil
	}
	return mishap.Effect{InForce: mishap.No}, nil
}

// ledger is a journal that outlives its server, or is lost with it.
type ledger struct {
	of      *server
	mu      sync.Mutex
	entries []mishap.Entry
	undo    []mishap.Injection
}

func (l *ledger) Append(_ context.Context, entries ...mishap.Entry) error {
	if err := l.of.meet("before append"); err != nil {
		return err
	}
	l.mu.Lock()
	l.entries = append(l.entries, entries...)
	l.mu.Unlock()
	return l.of.meet("after append")
}

func (l *ledger) Prepare(ctx context.Context, e mishap.Entry, in mishap.Injection) error {
	l.mu.Lock()
	l.undo = append(l.undo, in)
	l.mu.Unlock()
	return l.Append(ctx, e)
}

func (i instances) runner(l runner.Journal, k runner.Vault, log *testing.T) *runner.Runner {
	return &runner.Runner{
		Journal: l, Vault: k, RevertWithin: 2 * time.Minute, Renew: 5 * time.Second, Log: testLog(log),
		Restore: func(mishap.Injection) (mishap.Injector, error) { return i, nil },
	}
}

// sweep is what another machine does, that knows nothing.
func (i instances) sweep(t *testing.T, p places) vault.Swept {
	return p.vaults(t, "bob@desk").Sweep(t.Context(), vault.Sweeping{Places: p.list(), Revert: func(ctx context.Context, all []mishap.Injection) (ended []vault.Ended) {
		run, err := i.runner(nil, nil, t).Recorded(ctx, all)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range run.Injections {
			ended = append(ended, vault.Ended{State: in.State, Detail: in.Detail})
		}
		return ended
	}})
}

// lost runs an experiment whose server dies at its n-th call, and reports whether it
// came to that.
func lost(t *testing.T, n int, p places, world *system) (*server, *ledger) {
	ctx, leave := context.WithCancelCause(t.Context())
	s := &server{at: n, leave: leave}
	defer leave(nil)
	for _, m := range p {
		s.over(m)
	}
	all := append(stops("run1", 2, ireland()), stops("run1", 1, frankfurt())...)
	dying := instances{world, all, s}
	f := mishap.Fault{Name: "stop", Injector: "ec2-stop", For: mishap.Duration(90 * time.Second)}
	fault := runner.Fault{Fault: f, Injector: dying, Kind: mishap.InjectorKind{}}
	found, _ := fault.Prepare(ctx, mishap.Request{})
	plan := mishap.Plan{Experiment: mishap.Experiment{Name: "x", Faults: []mishap.Fault{f}, Recovery: mishap.DefaultRecovery()}, Injections: found}
	first := mishap.Entry{Run: "run1", Seq: 1, At: time.Now(), Planned: &plan}
	book := &ledger{of: s, entries: []mishap.Entry{first}}
	r := dying.runner(book, p.vaults(t, "ann@laptop").Keep("run1"), t)
	r.Faults = []runner.Fault{fault}
	run, _ := r.Run(ctx, first)
	if s.where == "" && (run.State != mishap.Completed || len(world.in) != 0) {
		t.Fatalf("a run that nothing happens to is %s, %s; %d in", run.State, run.Reason, len(world.in))
	}
	s.mu.Lock()
	s.dead = true
	s.mu.Unlock()
	for _, m := range p {
		m.before, m.after = nil, nil
	}
	return s, book
}

// Ledger and state directory are lost with the server: only the vault is left.
func TestWhereverAServerDiesASweepPutsAllBack(t *testing.T) {
	crashes(t, func(t *testing.T, s *server, _ *ledger, p places, world *system) {
		time.Sleep(vault.HeldFor + 25*time.Second)
		got := instances{system: world}.sweep(t, p)
		for _, place := range got.Places {
			if place.Err != nil {
				t.Errorf("died %s: %v", s.where, place.Err)
			}
		}
	})
}

// The server's ledger is there, and another server takes the run over and dies too.
func TestWhereverAServerDiesAnotherSettlesTheVault(t *testing.T) {
	crashes(t, func(t *testing.T, s *server, l *ledger, p places, world *system) {
		if before, err := mishap.Replay(l.entries); err != nil || before.State.Ended() { // nobody takes over what has ended
			time.Sleep(vault.HeldFor + 25*time.Second)
			instances{system: world}.sweep(t, p)
			return
		}
		again := &server{leave: func(error) {}}
		l.of = again
		k := p.vaults(t, "bob@desk").Keep("run1")
		run, err := instances{system: world}.runner(l, k, t).Resume(t.Context(), slices.Clone(l.entries), l.undo, mishap.StateChange{Cause: mishap.CauseCrash})
		if err != nil || !run.State.Ended() {
			t.Errorf("died %s: %v, the run is %s", s.where, err, run.State)
		}
	})
}

// crashes lets a server die at each of its calls, and lets something be done then.
// Nothing may be left, neither in the system nor in the vaults.
func crashes(t *testing.T, then func(*testing.T, *server, *ledger, places, *system)) {
	points := 0
	for died := true; died; points++ {
		synctest.Test(t, func(t *testing.T) {
			p, world := places{ireland(): newMemory(), frankfurt(): newMemory()}, newSystem()
			s, l := lost(t, points+1, p, world)
			if died = s.where != ""; died {
				then(t, s, l, p, world)
			}
			time.Sleep(time.Hour)
			for where, m := range p {
				if names := m.names(); names != nil {
					t.Errorf("died %q: left in the vault in %s: %s", s.where, where.Region, names)
				}
			}
			if len(world.in) != 0 {
				t.Errorf("died %q: left behind: %v", s.where, world.in)
			}
		})
	}
	if points < 60 {
		t.Errorf("only %d calls were died at", points)
	}
	t.Logf("died before and after each of %d calls", (points-1)/2)
}

func TestNothingIsInjectedBeforeTheVaultHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, world := places{ireland(): newMemory(), frankfurt(): newMemory()}, newSystem()
		p[frankfurt()].takes = 20 * time.Second
		began := time.Now()
		injected := time.Time{}
		go func() {
			for range 2000 {
				time.Sleep(100 * time.Millisecond)
				world.mu.Lock()
				if len(world.in) > 0 && injected.IsZero() {
					injected = time.Now()
				}
				world.mu.Unlock()
			}
		}()
		lost(t, 0, p, world)
		if injected.Sub(began) < 60*time.Second { // a claim, a list and a record
			t.Errorf("injected after %s", injected.Sub(began))
		}
	})
}
