package keeper

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"mishap"
	"mishap/internal/revert"
)

// ServeOptions is what a keeper process needs.
type ServeOptions struct {
	In  io.Reader // requests; its end is the server's death
	Out io.Writer // answers and beats
	Dir string    // the state directory
	Run string
	// Restore makes the injector of a recorded injection.
	Restore      func(mishap.Injection) (mishap.Injector, error)
	RevertWithin time.Duration // how long a revert is tried before it is stranded, if its kind does not say longer
	Silence      time.Duration // 0 means [Silence]
	// Lease is after how long others may own the run, if they cannot see that this
	// process lives; 0: never. A keeper that was frozen for longer leaves to them
	// what is not in this machine itself.
	Lease time.Duration
	// Taken says whose the things of an injection elsewhere are by now, if they are
	// another run's, of whatever ledger; nil: nobody's.
	Taken revert.Taken
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
	k := &keeping{ServeOptions: o, own: after(o.Lease), undo: undo, locks: map[string]io.Closer{}, injecting: make(chan struct{}, 1)}
	defer k.unlock()
	stop := make(chan struct{})
	defer close(stop)
	go k.beat(stop)
	if k.loop(k.read(stop)) {
		return undo.remove() // the server has everything in its journal
	}
	return k.revertAll()
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
// left in, and false if everything must be reverted. It makes no call itself, so
// that the server's death is noticed whatever takes long.
func (k *keeping) loop(requests <-chan request) bool {
	tick := time.NewTicker(min(k.Silence/10, 500*time.Millisecond))
	defer tick.Stop()
	heard := after(k.Silence)
	for {
		k.vouch()
		select {
		case r, ok := <-requests:
			if !ok {
				return false
			}
			if r.Op == opBye {
				k.send(answer{N: r.N})
				k.vouch()
				return len(k.outstanding()) == 0 && !k.left()
			}
			k.handle(r)
			heard = after(k.Silence)
		case <-tick.C:
			if heard.passed() {
				return false
			}
			k.expire()
		}
	}
}

// handle answers a request, now or, if it takes a call, when that has returned.
func (k *keeping) handle(r request) {
	k.isHeld(r.Held)
	switch r.Op {
	case opBeat:
	case opHold:
		k.answer(r, nil, k.hold(r.Injection))
	case opInject:
		go func() { k.answer(r, k.inject(r.IDs), nil) }()
	case opRevert:
		go func() {
			some, err := k.find(r.IDs)
			if err != nil {
				k.answer(r, nil, err)
				return
			}
			replies := k.attempt(some)
			k.answer(r, replies, nil)
			k.note(some, replies)
		}()
	default:
		k.answer(r, nil, fmt.Errorf("unknown request %q", r.Op))
	}
}

func (k *keeping) answer(r request, replies []mishap.Reply[mishap.Reverted], err error) {
	a := answer{N: r.N}
	for _, one := range replies {
		told := reply{Reverted: one.Value}
		if one.Err != nil {
			told.Error = mishap.Advised(one.Err)
		}
		a.Replies = append(a.Replies, told)
	}
	if err != nil {
		a.Error, a.Taken = mishap.Advised(err), errors.Is(err, mishap.ErrTaken)
	}
	k.send(a)
}
