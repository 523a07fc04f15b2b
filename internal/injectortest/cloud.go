package injectortest

import (
	"context"
	"encoding/json"
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
	Wire
	Stops, Starts time.Duration                   // what each takes
	Stale         time.Duration                   // reads show what was so long ago
	Around        func(call string, ids []string) // is told each call; nil: nobody is

	mu    sync.Mutex
	all   map[string][]change
	calls map[string]int
}

// change is what an instance is from a time on.
type change struct {
	at    time.Time
	state string
}

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

// call makes a call as its fate is.
func (c *Cloud) call(ctx context.Context, name string, ids []string, do func()) error {
	if c.Around != nil {
		c.Around(name, ids)
	}
	return c.Call(ctx, name, func(context.Context) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls[name]++
		do()
		return nil
	})
}

// stop asks running instances to stop.
func (c *Cloud) stop(ctx context.Context, ids []string) error {
	return c.call(ctx, "stop", ids, func() { c.move(ids, "running", "stopping", "stopped", c.Stops) })
}

// start asks stopped instances to start.
func (c *Cloud) start(ctx context.Context, ids []string) error {
	return c.call(ctx, "start", ids, func() { c.move(ids, "stopped", "pending", "running", c.Starts) })
}

// move lets those in one state go to another, through a third.
func (c *Cloud) move(ids []string, from, through, to string, takes time.Duration) {
	now := time.Now()
	for _, id := range ids {
		if c.was(id, now) == from {
			c.set(id, now, through)
			c.set(id, now.Add(takes), to)
		}
	}
}

func (c *Cloud) describe(ctx context.Context, ids []string) (states map[string]string, err error) {
	states = map[string]string{}
	err = c.call(ctx, "describe", ids, func() {
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
func (s *CloudStop) Prepare(ctx context.Context, req mishap.Request) (found []mishap.Injection, err error) {
	states, err := s.cloud.describe(ctx, s.ids)
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

// each makes calls for those whose record names an instance, and answers for each.
func each[T any](all []mishap.Injection, call func(ids []string) []mishap.Reply[T]) []mishap.Reply[T] {
	replies := make([]mishap.Reply[T], len(all))
	var ids []string
	var at []int
	for i, in := range all {
		var id string
		if err := json.Unmarshal(in.Undo, &id); err != nil || id == "" {
			replies[i].Err = fmt.Errorf("read undo of %s: it names no instance", in.ID)
			continue
		}
		ids, at = append(ids, id), append(at, i)
	}
	if ids == nil {
		return replies
	}
	for n, r := range call(ids) {
		replies[at[n]] = r
	}
	return replies
}

// InjectAll asks them to stop, and returns when they are seen to.
func (s *CloudStop) InjectAll(ctx context.Context, all []mishap.Injection) []error {
	errs := make([]error, len(all))
	for i, r := range each(all, func(ids []string) []mishap.Reply[struct{}] {
		return mishap.Same[struct{}](len(ids), s.inject(ctx, ids))
	}) {
		errs[i] = r.Err
	}
	return errs
}

func (s *CloudStop) inject(ctx context.Context, ids []string) error {
	states, err := s.cloud.describe(ctx, ids)
	if err == nil && slices.ContainsFunc(ids, func(id string) bool { return states[id] == "running" }) {
		err = s.cloud.stop(ctx, ids)
	}
	for err == nil {
		if states, err = s.cloud.describe(ctx, ids); err != nil {
			break
		}
		if !slices.ContainsFunc(ids, func(id string) bool { return states[id] == "running" }) {
			return nil
		}
		err = pause(ctx, time.Second)
	}
	return err
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
func (s *CloudStop) RevertAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	return each(all, func(ids []string) []mishap.Reply[mishap.Reverted] {
		states, err := s.cloud.describe(ctx, ids)
		if err != nil {
			return mishap.Same[mishap.Reverted](len(ids), err)
		}
		var stopped []string
		for _, id := range ids {
			if states[id] == "stopped" {
				stopped = append(stopped, id)
			}
		}
		if stopped != nil {
			err = s.cloud.start(ctx, stopped)
		}
		replies := make([]mishap.Reply[mishap.Reverted], len(ids))
		for i, id := range ids {
			r := &replies[i]
			r.Value = mishap.Reverted{State: mishap.InjectionReverting, Detail: "instance is " + states[id]}
			switch states[id] {
			case "running":
				r.Value.State = mishap.InjectionReverted
			case "terminated":
				r.Value.State = mishap.InjectionGone
			case "stopped":
				r.Err = err
			}
		}
		return replies
	})
}

// VerifyAll says which are stopped, or on their way there.
func (s *CloudStop) VerifyAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Effect] {
	return each(all, func(ids []string) []mishap.Reply[mishap.Effect] {
		states, err := s.cloud.describe(ctx, ids)
		if err != nil {
			return mishap.Same[mishap.Effect](len(ids), err)
		}
		replies := make([]mishap.Reply[mishap.Effect], len(ids))
		for i, id := range ids {
			e := mishap.Effect{InForce: mishap.No, Detail: "instance is " + states[id], Gone: states[id] == "terminated"}
			if states[id] == "stopping" || states[id] == "stopped" {
				e.InForce = mishap.Yes
			}
			replies[i].Value = e
		}
		return replies
	})
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
