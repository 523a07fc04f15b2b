package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
	"mishap/internal/bounded"
)

// keeping is a keeper at work. Its loop reads; calls that inject and revert are
// made beside it. Those that inject are made one after another, those on one
// injection too, and a revert waits for nothing else.
type keeping struct {
	ServeOptions
	undo      *undoFile
	write     sync.Mutex // of Out
	injecting sync.Mutex // held by the call that injects
	turns     bounded.Turns
	locks     map[string]io.Closer // of its things, on this machine; only its loop touches it

	mu     sync.Mutex // guards what follows
	list   []*held
	over   bool     // nothing is injected any more
	own    deadline // when others may own the run, unless this process is seen to run before
	lapsed bool     // it was frozen beyond that
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

func (k *keeping) find(id string) (*held, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.list {
		if h.in.ID == id {
			return h, nil
		}
	}
	return nil, fmt.Errorf("injection %s was not handed over", id)
}

// outstanding lists what may be in and is this keeper's to revert, newest first.
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

// move puts the injection into another state, on the disk as well.
func (k *keeping) move(h *held, to mishap.InjectionState, detail string) error {
	k.mu.Lock()
	h.state = to
	k.mu.Unlock()
	return k.undo.write(record{ID: h.in.ID, To: to, Detail: detail, Keys: h.in.Keys})
}

// inject makes the call, once the disk says that it may have been made.
func (k *keeping) inject(id string) error {
	h, err := k.find(id)
	if err != nil {
		return err
	}
	k.injecting.Lock()
	defer k.injecting.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	leave, err := k.turns.Take(ctx, id)
	if err == nil {
		err = k.begin(h, cancel)
	}
	if err != nil {
		leave()
		return err
	}
	_, err = bounded.Call(ctx, callTimeout, "inject", func(ctx context.Context) (struct{}, error) {
		defer leave()
		if k.vouch(); k.others(h.in) {
			return struct{}{}, fmt.Errorf("inject %s: this keeper stood still for a whole lease", id)
		}
		return struct{}{}, h.injector.Inject(ctx, h.in)
	})
	if err != nil {
		return err
	}
	k.lasts(h, 0)
	return k.move(h, mishap.InjectionInjected, "")
}

// begin records that the injection may be in from now on, unless it is not to be
// injected.
func (k *keeping) begin(h *held, cancel context.CancelFunc) error {
	k.mu.Lock()
	state, unwanted := h.state, h.unwanted || k.over
	if state == mishap.InjectionPrepared && !unwanted {
		h.state, h.cancel = mishap.InjectionInjecting, cancel
	}
	k.mu.Unlock()
	switch {
	case unwanted:
		return fmt.Errorf("inject %s: it is being reverted", h.in.ID)
	case state != mishap.InjectionPrepared:
		return fmt.Errorf("inject %s: it is %s already", h.in.ID, state)
	}
	k.lasts(h, callTimeout)
	if err := k.undo.write(record{ID: h.in.ID, To: mishap.InjectionInjecting, Keys: h.in.Keys}); err != nil {
		k.mu.Lock()
		h.state = mishap.InjectionPrepared // nothing was called
		k.mu.Unlock()
		return err
	}
	return nil
}

// lasts lets the time of the injection begin when a call has returned that takes
// call at most, and that of the others of its fault anew: it counts from the last
// of them. It is over a silence after what it should be, so that a server that
// lives is the first.
func (k *keeping) lasts(h *held, call time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, other := range k.list {
		if other.in.Fault == h.in.Fault {
			other.end = after(call + other.in.Lasts() + k.Silence)
		}
	}
}

// revert makes one attempt and tells of it. A call that injects the same is told
// to end, and waited for. Reverting needs no disk: what was found out is written
// down after it was told.
func (k *keeping) revert(id string, tell func(mishap.Reverted, error)) {
	h, err := k.find(id)
	if err != nil {
		tell(mishap.Reverted{}, err)
		return
	}
	k.mu.Lock()
	h.unwanted = true
	if h.cancel != nil {
		h.cancel()
	}
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	leave, err := k.turns.Take(ctx, id)
	if err != nil {
		leave()
		tell(mishap.Reverted{}, err)
		return
	}
	r, err := bounded.Call(ctx, callTimeout, "revert", func(ctx context.Context) (mishap.Reverted, error) {
		defer leave()
		return h.injector.Revert(ctx, h.in)
	})
	if err == nil && !r.State.Settled() {
		err = fmt.Errorf("the injector answered %q, which settles nothing", r.State)
	}
	if err == nil {
		k.mu.Lock()
		h.state = r.State
		k.mu.Unlock()
	}
	tell(r, err)
	if err == nil {
		_ = k.undo.write(record{ID: id, To: r.State, Detail: r.Detail, Keys: h.in.Keys})
	}
}

// expire reverts what is in long after its time.
func (k *keeping) expire() {
	for _, h := range k.outstanding() {
		k.mu.Lock()
		due := h.end.passed() && !h.expiring
		h.expiring = h.expiring || due
		k.mu.Unlock()
		if due {
			go k.revert(h.in.ID, func(mishap.Reverted, error) {
				k.mu.Lock()
				h.expiring = false
				k.mu.Unlock()
			})
		}
	}
}

// revertAll reverts in rounds and gives up after RevertWithin.
func (k *keeping) revertAll() error {
	k.mu.Lock()
	k.over = true
	k.mu.Unlock()
	wait := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMultiplier(1.6),
		backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(k.RevertWithin))
	for {
		k.vouch()
		failed := k.revertRound()
		if len(failed) == 0 {
			return nil
		}
		pause := wait.NextBackOff()
		if pause == backoff.Stop {
			return k.strand(failed)
		}
		time.Sleep(pause)
	}
}

// revertRound makes one attempt on all that is in, newest first as long as that
// is quick, and side by side then, so that none holds up another.
func (k *keeping) revertRound() map[*held]error {
	head, cancel := context.WithTimeout(context.Background(), headStart)
	defer cancel()
	var round sync.WaitGroup
	var mu sync.Mutex
	failed := map[*held]error{}
	for _, h := range k.outstanding() {
		told := make(chan struct{})
		round.Go(func() {
			k.revert(h.in.ID, func(_ mishap.Reverted, err error) {
				if err != nil {
					mu.Lock()
					failed[h] = err
					mu.Unlock()
				}
				close(told)
			})
		})
		select {
		case <-told:
		case <-head.Done():
		}
	}
	round.Wait()
	return failed
}

func (k *keeping) strand(failed map[*held]error) error {
	var all []error
	for _, h := range k.outstanding() {
		if err := failed[h]; err != nil {
			_ = k.move(h, mishap.InjectionStranded, err.Error())
			all = append(all, fmt.Errorf("injection %s is stranded: %w", h.in.ID, err))
		}
	}
	return errors.Join(all...)
}
