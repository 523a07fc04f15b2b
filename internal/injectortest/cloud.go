package injectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mishap"
)

// Cloud is an API in memory, on whatever time it is: instances that take their
// time to stop and to start, and reads that show what was. Its faults stop them.
// Set it up before it is used.
type Cloud struct {
	Stops, Starts time.Duration // what each takes
	Stale         time.Duration // reads show what was so long ago
	// Around is told each call, and may fail it: before it took effect, and after,
	// when only the answer is lost. Nil tells nobody.
	Around func(call string, ids []string, after bool) error

	mu    sync.Mutex
	all   map[string][]change
	calls map[string]int
}

// change is what an instance is from a time on.
type change struct {
	at    time.Time
	state string
}

// ErrLost is the error of a call whose answer was lost.
var ErrLost = errors.New("the connection was reset")

// Run adds running instances.
func (c *Cloud) Run(ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all, c.calls = map[string][]change{}, map[string]int{}
	}
	for _, id := range ids {
		c.all[id] = []change{{time.Time{}, "running"}}
	}
}

// Remove takes an instance away, as its group does that replaces it.
func (c *Cloud) Remove(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(id, time.Now(), "terminated")
}

// State is what an instance really is now.
func (c *Cloud) State(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.was(id, time.Now())
}

// Calls is how often each call was made.
func (c *Cloud) Calls(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[call]
}

func (c *Cloud) was(id string, at time.Time) string {
	state := "running"
	for _, ch := range c.all[id] {
		if !ch.at.After(at) {
			state = ch.state
		}
	}
	return state
}

func (c *Cloud) set(id string, at time.Time, state string) {
	c.all[id] = append(c.all[id], change{at, state})
}

// call makes a call, unless it is to fail.
func (c *Cloud) call(name string, ids []string, do func()) error {
	tell := func(after bool) error {
		if c.Around == nil {
			return nil
		}
		return c.Around(name, ids, after)
	}
	if err := tell(false); err != nil {
		return err
	}
	c.mu.Lock()
	c.calls[name]++
	do()
	c.mu.Unlock()
	return tell(true)
}

// stop asks running instances to stop.
func (c *Cloud) stop(ids []string) error {
	return c.call("stop", ids, func() {
		now := time.Now()
		for _, id := range ids {
			if c.was(id, now) == "running" {
				c.set(id, now, "stopping")
				c.set(id, now.Add(c.Stops), "stopped")
			}
		}
	})
}

// start asks stopped instances to start.
func (c *Cloud) start(ids []string) error {
	return c.call("start", ids, func() {
		now := time.Now()
		for _, id := range ids {
			if c.was(id, now) == "stopped" {
				c.set(id, now, "pending")
				c.set(id, now.Add(c.Starts), "running")
			}
		}
	})
}

func (c *Cloud) describe(ids []string) (states map[string]string, err error) {
	states = map[string]string{}
	err = c.call("describe", ids, func() {
		for _, id := range ids {
			states[id] = c.was(id, time.Now().Add(-c.Stale))
		}
	})
	return states, err
}

// Kind is a fault that stops instances of the cloud: those that `targets` lists.
// How long reads are stale is how long it settles.
func (c *Cloud) Kind() mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind:  mishap.Kind{Name: "cloud-stop", Params: struct{}{}},
		Batch: 100, Settles: c.Stale, RevertTakes: 15 * time.Minute, Keeper: mishap.KeeperProcess,
		New: func(f mishap.Fault) (mishap.Injector, error) {
			var ids []string
			if err := json.Unmarshal(f.Targets, &ids); err != nil {
				return nil, err
			}
			return &CloudStop{cloud: c, ids: ids}, nil
		},
		Restore: func(mishap.Injection) (mishap.Injector, error) { return &CloudStop{cloud: c}, nil },
	}
}

// CloudStop stops instances of a [Cloud].
type CloudStop struct {
	cloud *Cloud
	ids   []string
}

// Prepare takes those that run.
func (s *CloudStop) Prepare(_ context.Context, req mishap.Request) (found []mishap.Injection, err error) {
	states, err := s.cloud.describe(s.ids)
	if err != nil {
		return nil, err
	}
	for _, id := range s.ids {
		if states[id] == "running" {
			found = append(found, mishap.Injection{
				Injector: "cloud-stop", Undo: json.RawMessage(`"` + id + `"`), Matched: len(s.ids),
				Target: mishap.Target{ID: id, Kind: "instance", State: "running", Where: mishap.Place{Account: "1", Region: "r"}},
				Keys:   []mishap.Key{{Thing: "cloud/" + id, Attribute: "state"}},
			})
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no instance of %q runs: %w", req.Fault.Name, mishap.ErrNoTarget)
	}
	return found, nil
}

// ids are the instances that the records name.
func undoIDs(all []mishap.Injection) ([]string, error) {
	ids := make([]string, len(all))
	for i, in := range all {
		if err := json.Unmarshal(in.Undo, &ids[i]); err != nil || ids[i] == "" {
			return nil, fmt.Errorf("read undo of %s: it names no instance", in.ID)
		}
	}
	return ids, nil
}

// InjectAll asks them to stop, and returns when they are seen to.
func (s *CloudStop) InjectAll(ctx context.Context, all []mishap.Injection) []error {
	ids, err := undoIDs(all)
	if err == nil {
		err = s.cloud.stop(ids)
	}
	for err == nil {
		var states map[string]string
		states, err = s.cloud.describe(ids)
		waits := slices.ContainsFunc(ids, func(id string) bool { return states[id] == "running" })
		if err == nil && !waits {
			break
		}
		if err == nil {
			err = pause(ctx, time.Second)
		}
	}
	return slices.Repeat([]error{err}, len(all))
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// RevertAll asks what has stopped to start, and says what runs.
func (s *CloudStop) RevertAll(_ context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	states, ids, err := s.read(all)
	if err != nil {
		return mishap.Same[mishap.Reverted](len(all), err)
	}
	replies := make([]mishap.Reply[mishap.Reverted], len(all))
	var stopped []string
	for i, id := range ids {
		r := &replies[i].Value
		r.State, r.Detail = mishap.InjectionReverting, "instance is "+states[id]
		switch states[id] {
		case "running":
			r.State = mishap.InjectionReverted
		case "terminated":
			r.State = mishap.InjectionGone
		case "stopped":
			stopped = append(stopped, id)
		}
	}
	if stopped == nil {
		return replies
	}
	if err := s.cloud.start(stopped); err != nil {
		for i, id := range ids {
			if slices.Contains(stopped, id) {
				replies[i].Err = err
			}
		}
	}
	return replies
}

// VerifyAll says which are stopped, or on their way there.
func (s *CloudStop) VerifyAll(_ context.Context, all []mishap.Injection) []mishap.Reply[mishap.Effect] {
	states, ids, err := s.read(all)
	if err != nil {
		return mishap.Same[mishap.Effect](len(all), err)
	}
	replies := make([]mishap.Reply[mishap.Effect], len(all))
	for i, id := range ids {
		e := mishap.Effect{InForce: mishap.No, Detail: "instance is " + states[id], Gone: states[id] == "terminated"}
		if states[id] == "stopping" || states[id] == "stopped" {
			e.InForce = mishap.Yes
		}
		replies[i].Value = e
	}
	return replies
}

func (s *CloudStop) read(all []mishap.Injection) (states map[string]string, ids []string, err error) {
	if ids, err = undoIDs(all); err == nil {
		states, err = s.cloud.describe(ids)
	}
	return states, ids, err
}

// Inject is InjectAll of one.
func (s *CloudStop) Inject(ctx context.Context, in mishap.Injection) error {
	return s.InjectAll(ctx, []mishap.Injection{in})[0]
}

// Revert is RevertAll of one.
func (s *CloudStop) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	r := s.RevertAll(ctx, []mishap.Injection{in})[0]
	return r.Value, r.Err
}

// Verify is VerifyAll of one.
func (s *CloudStop) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	r := s.VerifyAll(ctx, []mishap.Injection{in})[0]
	return r.Value, r.Err
}
