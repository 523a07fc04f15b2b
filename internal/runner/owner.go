package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mishap"
)

// Owner is an injector whose target knows for itself to which run it belongs,
// across ledgers and machines, and what others change in it meanwhile.
type Owner interface {
	// Own makes the target belong to the run for one lease, until Disown. An
	// error wraps [mishap.ErrTaken] if it is another's.
	Own(ctx context.Context, in mishap.Injection) error
	// Disturbed lets the lease begin anew, and says all that others changed
	// since Own; of a target that was lost, since an unknown time.
	Disturbed(ctx context.Context, in mishap.Injection) ([]mishap.Disturbance, error)
	Disown(ctx context.Context, in mishap.Injection) error
}

// owned are the targets that belong to a run. A goroutine asks after them; what
// it finds is taken and recorded by the loop of the run.
type owned struct {
	every time.Duration
	news  chan struct{} // has something if there is something to take

	mu    sync.Mutex
	list  []*owning
	found []mishap.Disturbance
	stop  func() // of the goroutine, which has ended then; nil before it begins
}

// owning is one of them. Whoever asks after it has ask.
type owning struct {
	Owner
	in   mishap.Injection
	ask  sync.Mutex
	good time.Time // the last time that it answered
	told map[string]bool
}

// own makes the target of an injection belong to the run, if it can.
func (x *execution) own(ctx context.Context, in mishap.Injection) error {
	o, err := x.ownerOf(in)
	if o == nil || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	now := time.Now()
	err = o.Own(ctx, in)
	if err == nil {
		x.owned.add(&owning{Owner: o, in: in, good: now, told: map[string]bool{}})
	}
	return err
}

func (x *execution) ownerOf(in mishap.Injection) (Owner, error) {
	injector, err := x.injector(in)
	if err != nil {
		return nil, err
	}
	o, _ := injector.(Owner)
	return o, nil
}

// ownAgain is own after the run has changed its server: whoever has the target
// by now disturbs the run.
func (x *execution) ownAgain(ctx context.Context) {
	for _, in := range x.undo {
		if x.rec.run.Injection(in.ID) == nil {
			continue
		}
		switch err := x.own(ctx, in); {
		case errors.Is(err, mishap.ErrTaken):
			x.rec.note(mishap.Entry{Disturbance: &mishap.Disturbance{Injection: in.ID, By: "by others", What: err.Error(), Since: time.Now()}})
		case err != nil:
			x.Log.Warn("own target", "injection", in.ID, "error", err)
		}
	}
}

func (o *owned) add(one *owning) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, one)
	if o.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	o.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		tick := time.NewTicker(o.every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				for _, one := range o.all() {
					_ = o.look(ctx, one) // it is asked again, and at the end for the last time
				}
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (o *owned) all() []*owning {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.list)
}

func (o *owned) look(ctx context.Context, one *owning) error {
	one.ask.Lock()
	defer one.ask.Unlock()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	now := time.Now()
	all, err := one.Disturbed(ctx, one.in)
	for _, d := range all {
		if key := d.By + " " + d.What; !one.told[key] {
			one.told[key] = true
			o.find(one.disturbance(d))
		}
	}
	if err == nil {
		one.good = now
	}
	return err
}

// disturbance fills in what the target could not know.
func (one *owning) disturbance(d mishap.Disturbance) mishap.Disturbance {
	d.Injection = one.in.ID
	if d.Since.IsZero() {
		d.Since = one.good
	}
	return d
}

func (o *owned) find(d mishap.Disturbance) {
	o.mu.Lock()
	o.found = append(o.found, d)
	o.mu.Unlock()
	select {
	case o.news <- struct{}{}:
	default:
	}
}

func (o *owned) take() []mishap.Disturbance {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.found
	o.found = nil
	return all
}

// disturbed records what others changed, and gives the reason to end a hold.
func (x *execution) disturbed() *mishap.StateChange {
	var stop *mishap.StateChange
	for _, d := range x.owned.take() {
		x.rec.note(mishap.Entry{Disturbance: &d})
		if stop == nil {
			stop = &mishap.StateChange{Cause: mishap.CauseDisturbed, Reason: fmt.Sprintf("changed by others: %s %s", d.What, d.By)}
		}
	}
	return stop
}

// lastLook asks once more, when everything was seen that is judged. A target
// that does not answer may have been changed since it last did.
func (x *execution) lastLook(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for _, one := range x.owned.all() {
		err := x.owned.look(ctx, one)
		if err != nil {
			err = x.owned.look(ctx, one) // once more: a busy machine is no disturbance
		}
		if err != nil {
			x.owned.find(one.disturbance(mishap.Disturbance{By: "by somebody, for all that is known", What: fmt.Sprintf("%s could not be asked (%s) and may have been changed", one.in.Target.Label(), err)}))
		}
	}
	_ = x.disturbed()
}

// disown gives every target back; one that does not answer is free when its
// lease is over.
func (x *execution) disown() {
	list := x.owned.all()
	if len(list) > 0 {
		x.owned.stop()
	}
	for _, one := range list {
		ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
		if err := one.Disown(ctx, one.in); err != nil {
			x.Log.Warn("give target back", "injection", one.in.ID, "error", err)
		}
		cancel()
	}
}
