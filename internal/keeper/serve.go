package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
)

// ServeOptions is what a keeper process needs.
type ServeOptions struct {
	In  io.Reader // requests; its end is the server's death
	Out io.Writer // answers and beats
	Dir string    // the state directory
	Run string
	// Restore makes the injector of a recorded injection.
	Restore      func(mishap.Injection) (mishap.Injector, error)
	RevertWithin time.Duration // how long a revert is tried before it is stranded
	Silence      time.Duration // 0 means [Silence]
}

// Serve is the whole life of a keeper. It returns nil when everything that was
// injected is out.
func Serve(o ServeOptions) error {
	undo, err := createUndo(o.Dir, o.Run)
	if err != nil {
		return err
	}
	if o.Silence == 0 {
		o.Silence = Silence
	}
	k := &keeping{ServeOptions: o, undo: undo}
	stop := make(chan struct{})
	defer close(stop)
	go k.beat(stop)
	if k.loop(k.read(stop)) {
		return undo.remove() // the server has everything in its journal
	}
	return k.revertAll()
}

// keeping is a keeper at work. Only its loop touches the list.
type keeping struct {
	ServeOptions
	undo  *undoFile
	list  []*held
	write sync.Mutex // of Out
}

type held struct {
	in       mishap.Injection
	state    mishap.InjectionState
	injector mishap.Injector
	end      deadline
	locks    []io.Closer // of its resource keys on this machine
}

// unlock lets others have the resource keys.
func (h *held) unlock() {
	for _, l := range h.locks {
		_ = l.Close()
	}
	h.locks = nil
}

// beat tells the server that the keeper lives, also while a call takes long.
func (k *keeping) beat(stop <-chan struct{}) {
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	for {
		k.send(answer{})
		select {
		case <-t.C:
		case <-stop:
			return
		}
	}
}

// send writes one line. A server that does not read any more is noticed by its
// silence.
func (k *keeping) send(a answer) {
	line, err := json.Marshal(a)
	if err != nil {
		return
	}
	k.write.Lock()
	defer k.write.Unlock()
	_, _ = k.Out.Write(append(line, '\n'))
}

// read hands on requests until the pipe ends.
func (k *keeping) read(stop <-chan struct{}) <-chan request {
	requests := make(chan request)
	go func() {
		defer close(requests)
		lines := bufio.NewReader(k.In)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var r request
			if json.Unmarshal(line, &r) != nil {
				return // not our server: revert
			}
			select {
			case requests <- r:
			case <-stop:
				return
			}
		}
	}()
	return requests
}

// loop serves requests. It returns true if the server said goodbye with nothing
// left in, and false if everything must be reverted.
func (k *keeping) loop(requests <-chan request) bool {
	tick := time.NewTicker(min(k.Silence/10, 500*time.Millisecond))
	defer tick.Stop()
	heard := after(k.Silence)
	for {
		select {
		case r, ok := <-requests:
			if !ok {
				return false
			}
			if r.Op == opBye {
				k.send(answer{N: r.N})
				return len(k.outstanding()) == 0
			}
			k.handle(r)
			heard = after(k.Silence)
		case <-tick.C:
			if heard.passed() {
				return false
			}
			if k.expire() {
				heard = after(k.Silence) // the calls took time in which nobody listened
			}
		}
	}
}

func (k *keeping) handle(r request) {
	var reverted mishap.Reverted
	var err error
	switch r.Op {
	case opBeat:
		return
	case opHold:
		err = k.hold(r.Injection)
	case opInject:
		err = k.inject(r.ID)
	case opRevert:
		reverted, err = k.revert(r.ID)
	default:
		err = fmt.Errorf("unknown request %q", r.Op)
	}
	a := answer{N: r.N, Reverted: reverted}
	if err != nil {
		a.Error, a.Taken = err.Error(), errors.Is(err, mishap.ErrTaken)
	}
	k.send(a)
}

// hold takes the injection's resource keys on this machine, and writes it with
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
	for _, key := range in.Keys {
		lock, err := lockHost(key)
		if err != nil {
			h.unlock()
			return err
		}
		h.locks = append(h.locks, lock)
	}
	if err := k.undo.write(record{Hold: in}); err != nil {
		h.unlock()
		return err
	}
	k.list = append(k.list, h)
	return nil
}

func (k *keeping) find(id string) (*held, error) {
	for _, h := range k.list {
		if h.in.ID == id {
			return h, nil
		}
	}
	return nil, fmt.Errorf("injection %s was not handed over", id)
}

func (k *keeping) outstanding() []*held {
	var out []*held
	for i := len(k.list) - 1; i >= 0; i-- {
		if k.list[i].state.MayBeIn() {
			out = append(out, k.list[i])
		}
	}
	return out
}

func (k *keeping) move(h *held, to mishap.InjectionState, detail string) error {
	h.state = to
	return k.undo.write(record{ID: h.in.ID, To: to, Detail: detail})
}

// inject makes the call, once the disk says that it may have been made.
func (k *keeping) inject(id string) error {
	h, err := k.find(id)
	if err != nil {
		return err
	}
	if h.state != mishap.InjectionPrepared {
		return fmt.Errorf("inject %s: it is %s already", id, h.state)
	}
	if err := k.move(h, mishap.InjectionInjecting, ""); err != nil {
		return err
	}
	h.end = after(h.in.For.Std() + grace)
	if err := guarded("inject", func(ctx context.Context) error { return h.injector.Inject(ctx, h.in) }); err != nil {
		return err
	}
	return k.move(h, mishap.InjectionInjected, "")
}

// revert makes one attempt. What it finds out is written down, but not being
// able to write holds no revert up.
func (k *keeping) revert(id string) (mishap.Reverted, error) {
	h, err := k.find(id)
	if err != nil {
		return mishap.Reverted{}, err
	}
	_ = k.move(h, mishap.InjectionReverting, "")
	var r mishap.Reverted
	err = guarded("revert", func(ctx context.Context) (err error) { r, err = h.injector.Revert(ctx, h.in); return err })
	if err == nil && !r.State.Settled() {
		err = fmt.Errorf("the injector answered %q, which settles nothing", r.State)
	}
	if err == nil {
		_ = k.move(h, r.State, r.Detail)
		h.unlock()
	}
	return r, err
}

// guarded makes a call that neither hangs for ever nor panics.
func guarded(what string, call func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s panicked: %v", what, p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	return call(ctx)
}

// expire reverts what is in long after its time, and reports whether it tried.
func (k *keeping) expire() (tried bool) {
	for _, h := range k.outstanding() {
		if h.end.passed() {
			tried = true
			_, _ = k.revert(h.in.ID)
		}
	}
	return tried
}

// revertAll reverts in rounds, newest first, so that one failing revert does
// not hold up the others, and gives up after RevertWithin.
func (k *keeping) revertAll() error {
	wait := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMultiplier(1.6),
		backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(k.RevertWithin))
	for {
		failed := map[string]error{}
		for _, h := range k.outstanding() {
			if _, err := k.revert(h.in.ID); err != nil {
				failed[h.in.ID] = err
			}
		}
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

func (k *keeping) strand(failed map[string]error) error {
	var all []error
	for _, h := range k.outstanding() {
		err := failed[h.in.ID]
		_ = k.move(h, mishap.InjectionStranded, err.Error())
		all = append(all, fmt.Errorf("injection %s is stranded: %w", h.in.ID, err))
	}
	return errors.Join(all...)
}
