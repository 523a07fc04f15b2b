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
// in each, since another run may begin at any time. That it gets no answer keeps nothing in, for the vault may be down; but if the network is,
// it may be back before the call that reverts is made. So what the fault is in must
// answer first, and then the vault is asked once more.
func (t Taken) Yields(ctx context.Context, restore func(mishap.Injection) (mishap.Injector, error)) func(mishap.Injection) (string, error) {
	began, answered := time.Now(), time.Time{}
	return func(in mishap.Injection) (string, error) {
		if t == nil {
			return "", nil
		}
		why, err := t(ctx, in, began)
		if err == nil {
			return why, nil
		}
		if answered.IsZero() {
			injector, err := restore(in)
			if err == nil {
				_, err = injector.Verify(ctx, in)
			}
			if err != nil {
				return "", err
			}
			answered = time.Now()
		}
		if why, err = t(ctx, in, answered); err != nil {
			why = ""
		}
		return why, nil
	}
}
