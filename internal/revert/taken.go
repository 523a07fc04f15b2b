package revert

import (
	"context"
	"time"

	"mishap"
)

// Taken says whose the things of an injection are by now, if they are another run's.
// What was read of that since a time will do. An error means that it cannot be known.
type Taken func(ctx context.Context, in mishap.Injection, since time.Time) (why string, err error)

// Yields is for one attempt, see [Ours]: it asks before anything is reverted, and anew
// in each, since another run may begin at any time. That it gets no answer keeps
// nothing in, for the vault may be down; but if the network is, it may be back before
// the call that reverts is made, and an answer may only be slow. So what the fault is
// in must answer first, and then the vault be asked again.
func (t Taken) Yields(ctx context.Context, restore func(mishap.Injection) (mishap.Injector, error)) func(mishap.Injection) (string, error) {
	began, down := time.Now(), time.Time{} // down: when it was known that nothing but the vault is
	return func(in mishap.Injection) (string, error) {
		if t == nil {
			return "", nil
		}
		why, err := t(ctx, in, began)
		if err == nil {
			return why, nil
		}
		if !down.IsZero() {
			why, _ = t(ctx, in, down)
			return why, nil
		}
		injector, err := restore(in)
		if err == nil {
			_, err = injector.Verify(ctx, in)
		}
		if err != nil {
			return "", err
		}
		for n := range again {
			if n > 0 && !sleep(ctx, againAfter) {
				return "", ctx.Err()
			}
			down = time.Now()
			if why, err = t(ctx, in, down); err == nil {
				return why, nil
			}
		}
		return why, nil
	}
}

// again is how often a vault is asked again that did not answer, and againAfter the
// time between two of that: all of it must leave time for the call that reverts.
const (
	again      = 2
	againAfter = time.Second
)
