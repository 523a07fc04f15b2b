package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"mishap"
	"mishap/internal/bounded"
	"mishap/internal/revert"
)

// keeping is a keeper at work. Its loop reads; calls that inject and revert are
// made beside it. Those that inject are made one after another, those on one
// injection too, and a revert waits for nothing else.
type keeping struct {
	ServeOptions
	undo      *undoFile
	write     sync.Mutex    // of Out
	injecting chan struct{} // has something while a call injects
	turns     bounded.Turns
	settling  revert.Settling
	locks     map[string]io.Closer // of its things, on this machine; only its loop touches it

	mu     sync.Mutex // guards what follows
	list   []*held
	over   bool     // nothing is injected any more
	own    deadline // when others may own the run, unless this process is seen to run before
	lapsed bool     // it was frozen beyond that
	held   deadline // until then nobody else may have swept what is in a cloud
}

// held is one injection. The keeper's lock guards all but its first two fields.
type held struct {
	in       mishap.Injection
	injector mishap.Injector

	state    mishap.InjectionState
	end      deadline
	unwanted bool               // a revert was asked for: it is not injected any more
	cancel   context.CancelFunc // of the call that injects it; nil if there is none
	expiring bool               // its time is over, and a revert under way
}

// lock takes the things of a run on this machine. They are the run's until its
// keeper ends: also while it waits for the system to recover.
func (k *keeping) lock(keys []mishap.Key) error {
	for _, key := range keys {
		if k.locks[key.Thing] != nil {
			continue
		}
		lock, err := LockHost(Claim{Thing: key.Thing, Run: k.Run, PID: os.Getpid(), Server: os.Getppid(), State: k.Dir})
		if err != nil {
			return err
		}
		k.locks[key.Thing] = lock
	}
	return nil
}

// unlock lets others have the things.
func (k *keeping) unlock() {
	for _, lock := range k.locks {
		_ = lock.Close()
	}
}

// hold takes the things of the injection on this machine, and writes it with
// its undo to the disk.
func (k *keeping) hold(in *mishap.Injection) error {
	if in == nil {
		return errors.New("hold: there is no injection")
	}
	injector, err := k.Restore(*in)
	if err != nil {
		return fmt.Errorf("hold injection %s: %w", in.ID, err)
	}
	h := &held{in: *in, state: mishap.InjectionPrepared, injector: injector}
	if err := k.lock(in.Keys); err != nil {
		return err
	}
	if err := k.undo.write(record{Hold: in}); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = append(k.list, h)
	return nil
}

// find lists the injections with those ids, in their order.
func (k *keeping) find(ids []string) (some []*held, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range ids {
		n := slices.IndexFunc(k.list, func(h *held) bool { return h.in.ID == id })
		if n < 0 {
			return nil, fmt.Errorf("injection %s was not handed over", id)
		}
		some = append(some, k.list[n])
	}
	if some == nil {
		return nil, errors.New("it names no injection")
	}
	return some, nil
}

// outstanding lists what may be in force and is this keeper's to revert, newest first.
func (k *keeping) outstanding() []*held {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []*held
	for i := len(k.list) - 1; i >= 0; i-- {
		if k.list[i].state.MayBeIn() && (!k.lapsed || k.list[i].in.Target.Where.Local()) {
			out = append(out, k.list[i])
		}
	}
	return out
}

// inject makes the call that takes the injections, once the disk says that it may
// have been made, and answers for each.
func (k *keeping) inject(ids []string) []mishap.Reply[mishap.Reverted] {
	some, err := k.find(ids)
	if err != nil {
		return mishap.Same[mishap.Reverted](len(ids), err)
	}
	k.injecting <- struct{}{}
	defer func() { <-k.injecting }()
	ctx, cancel := context.WithTimeout(context.Background(), mishap.CallWithin)
	defer cancel()
	leave, err := k.turns.Take(ctx, ids...)
	if err == nil {
		err = k.begin(some, cancel)
	}
	if err != nil {
		leave()
		return mishap.Same[mishap.Reverted](len(ids), err)
	}
	all := injections(some)
	errs, err := bounded.Call(ctx, mishap.CallWithin, "inject", func(ctx context.Context) ([]error, error) {
		defer leave()
		defer k.settling.Called(all)
		if k.vouch(); k.others(all[0]) {
			return nil, fmt.Errorf("inject %s: this keeper stood still for a whole lease", all[0].ID)
		}
		return mishap.InjectAll(ctx, some[0].injector, all), nil
	})
	if err != nil {
		return mishap.Same[mishap.Reverted](len(ids), err)
	}
	return k.injected(some, errs)
}

// injected writes down which of them are in.
func (k *keeping) injected(some []*held, errs []error) []mishap.Reply[mishap.Reverted] {
	replies := make([]mishap.Reply[mishap.Reverted], len(some))
	var in []record
	k.lasts(some[0].in.Fault, 0)
	k.mu.Lock()
	for i, h := range some {
		if replies[i].Err = errs[i]; errs[i] == nil {
			h.state = mishap.InjectionInjected
			in = append(in, h.record(mishap.InjectionInjected, ""))
		}
	}
	k.mu.Unlock()
	if in == nil {
		return replies
	}
	if err := k.undo.write(in...); err != nil {
		return mishap.Same[mishap.Reverted](len(some), err)
	}
	return replies
}

func injections(some []*held) []mishap.Injection {
	all := make([]mishap.Injection, len(some))
	for i, h := range some {
		all[i] = h.in
	}
	return all
}

// record is a line of the undo file about it.
func (h *held) record(to mishap.InjectionState, detail string) record {
	if to == mishap.InjectionEnded {
		to = mishap.InjectionGone // a reader that does not know that state takes it for settled as well
	}
	return record{ID: h.in.ID, To: to, Detail: detail, Keys: h.in.Keys}
}

// begin records that the injections may be in from now on, unless one of them is
// not to be injected.
func (k *keeping) begin(some []*held, cancel context.CancelFunc) error {
	if err := k.may(some); err != nil {
		return err
	}
	k.lasts(some[0].in.Fault, mishap.CallWithin)
	var all []record
	k.mu.Lock()
	for _, h := range some {
		h.state, h.cancel = mishap.InjectionInjecting, cancel
		all = append(all, h.record(mishap.InjectionInjecting, ""))
	}
	k.mu.Unlock()
	err := k.undo.write(all...)
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, h := range some {
			h.state = mishap.InjectionPrepared // nothing was called
		}
	}
	return err
}

// may says why one of them is not to be injected.
func (k *keeping) may(some []*held) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range some {
		switch {
		case h.unwanted || k.over:
			return fmt.Errorf("inject %s: it is being reverted", h.in.ID)
		case h.state != mishap.InjectionPrepared:
			return fmt.Errorf("inject %s: it is %s already", h.in.ID, h.state)
		}
	}
	return nil
}

// lasts lets the time of a fault's injections begin anew when a call has returned
// that takes call at most: it counts from the last of them. It is over a silence
// after what it should be, so that a server that lives is the first.
func (k *keeping) lasts(fault string, call time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.list {
		if h.in.Fault == fault {
			h.end = after(call + h.in.Lasts() + k.Silence)
		}
	}
}
