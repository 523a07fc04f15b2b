package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"mishap"
	"mishap/internal/spawn"
)

// ErrLost is the answer of a keeper that is dead, or was silent and killed.
var ErrLost = errors.New("the keeper was lost")

// takenError is a [mishap.ErrTaken] that the keeper found.
type takenError struct{ text string }

func (t takenError) Error() string { return t.text }

// Is makes it a [mishap.ErrTaken].
func (t takenError) Is(target error) bool { return target == mishap.ErrTaken }

// Keeper is the server's side of a keeper process. It is safe for concurrent
// use.
type Keeper struct {
	command *spawn.Cmd
	in      io.WriteCloser
	next    atomic.Int64
	heard   atomic.Int64 // Unix nanoseconds of the last line
	write   sync.Mutex
	mu      sync.Mutex
	waiting map[int64]chan answer
	holds   atomic.Pointer[func() time.Duration] // see [Keeper.Holding]
	lost    chan struct{}                        // closed when the process cannot answer any more
	exited  chan struct{}                        // closed when it has been waited for
}

// Start starts a keeper process: argv is a command line that calls [Serve] on
// its standard input and output. It gets a session of its own, so that neither
// Ctrl-C nor the end of a terminal reaches it.
func Start(argv []string) (*Keeper, error) {
	k := &Keeper{command: spawn.Command(argv[0], argv[1:]...), waiting: map[int64]chan answer{}, lost: make(chan struct{}), exited: make(chan struct{})}
	k.command.OwnSession()

	var err error
	if k.in, err = k.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	out, err := k.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	if err := k.command.Start(); err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	k.heard.Store(time.Now().UnixNano())
	go k.read(out)
	go k.beat()
	return k, nil
}

// PID is the keeper's process id.
func (k *Keeper) PID() int { return k.command.Process.Pid }

// Holding lets the keeper know how long nobody else may sweep its run, in each of its
// server's beats.
func (k *Keeper) Holding(remains func() time.Duration) { k.holds.Store(&remains) }

// Lost is closed when the keeper is dead, or was silent and has been killed.
func (k *Keeper) Lost() <-chan struct{} { return k.lost }

// Hold makes the injection and its undo durable with the keeper.
func (k *Keeper) Hold(ctx context.Context, in mishap.Injection) error {
	_, err := k.ask(ctx, request{Op: opHold, Injection: &in})
	return err
}

// Inject injects what is held, and that one call takes. It answers for each.
func (k *Keeper) Inject(ctx context.Context, ids []string) []error {
	errs := make([]error, len(ids))
	for i, r := range k.askEach(ctx, opInject, ids) {
		errs[i] = r.Err
	}
	return errs
}

// Revert makes one attempt to revert what is held, and that one call takes. It
// answers for each.
func (k *Keeper) Revert(ctx context.Context, ids []string) []mishap.Reply[mishap.Reverted] {
	return k.askEach(ctx, opRevert, ids)
}

func (k *Keeper) askEach(ctx context.Context, op string, ids []string) []mishap.Reply[mishap.Reverted] {
	a, err := k.ask(ctx, request{Op: op, IDs: ids})
	if err == nil && len(a.Replies) != len(ids) {
		err = fmt.Errorf("the keeper answered for %d of %s", len(a.Replies), mishap.Plural(len(ids), "injection"))
	}
	if err != nil {
		return mishap.Same[mishap.Reverted](len(ids), err)
	}
	replies := make([]mishap.Reply[mishap.Reverted], len(ids))
	for i, r := range a.Replies {
		if replies[i].Value = r.Reverted; r.Error != "" {
			replies[i].Err = errors.New(r.Error)
		}
	}
	return replies
}

// Close ends the keeper. With something left in, it reverts that first, and
// goes on after Close has returned because ctx ended.
func (k *Keeper) Close(ctx context.Context) error {
	_, err := k.ask(ctx, request{Op: opBye})
	if errors.Is(err, ErrLost) {
		err = nil // it cannot be more gone
	}
	_ = k.in.Close()
	select {
	case <-k.exited:
	case <-ctx.Done():
		return fmt.Errorf("end keeper: %w", ctx.Err())
	}
	return err
}

// ask sends a request and waits for its answer.
func (k *Keeper) ask(ctx context.Context, r request) (answer, error) {
	r.N = k.next.Add(1)
	got := make(chan answer, 1)
	k.mu.Lock()
	k.waiting[r.N] = got
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		delete(k.waiting, r.N)
		k.mu.Unlock()
	}()
	if err := k.send(r); err != nil {
		return answer{}, err
	}
	select {
	case a := <-got:
		switch {
		case a.Taken:
			return a, takenError{a.Error}
		case a.Error != "":
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-k.lost:
		return answer{}, ErrLost
	case <-ctx.Done():
		return answer{}, fmt.Errorf("wait for keeper: %w", ctx.Err())
	}
}

func (k *Keeper) send(r request) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("ask keeper: %w", err)
	}
	k.write.Lock()
	defer k.write.Unlock()
	if _, err := k.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil
}

// read hands answers to those who wait, until the keeper is gone.
func (k *Keeper) read(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		k.heard.Store(time.Now().UnixNano())
		var a answer
		if json.Unmarshal(line, &a) != nil {
			break // not a keeper
		}
		k.mu.Lock()
		if got := k.waiting[a.N]; got != nil {
			got <- a
			delete(k.waiting, a.N)
		}
		k.mu.Unlock()
	}
	close(k.lost)
	_ = k.command.Wait()
	close(k.exited)
}

// beat tells the keeper that its server lives, and kills one that is silent: a
// frozen keeper that thaws would inject and revert behind everybody's back.
func (k *Keeper) beat() {
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	sent := make(chan struct{}, 1)
	for {
		select {
		case <-t.C:
		case <-k.lost:
			return
		}
		if time.Since(time.Unix(0, k.heard.Load())) > Silence {
			_ = k.command.Process.Kill() // by pidfd, where the system has them
			return
		}
		select {
		case sent <- struct{}{}: // a full pipe must not stop the clock
			go func() { _ = k.send(k.signOfLife()); <-sent }()
		default:
		}
	}
}

// signOfLife is a beat.
func (k *Keeper) signOfLife() request {
	beat := request{Op: opBeat}
	if remains := k.holds.Load(); remains != nil {
		beat.Held = time.Now().Add((*remains)())
	}
	return beat
}
