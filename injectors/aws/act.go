package aws

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/target"
)

const (
	firstPoll    = 200 * time.Millisecond // before the second look at a target that is on its way
	longestPoll  = 2 * time.Second        // between two looks
	changingWait = 12 * time.Second       // how long a reverted target may be on its way to normal until it counts as that
)

// Inject asks for the fault, and returns when the API says that it comes.
func (i *injector[Client, With]) Inject(ctx context.Context, in mishap.Injection) error {
	config, on, err := i.recorded(ctx, in)
	if err != nil {
		return err
	}
	client, asked := i.connect(config), false
	for wait := range waits(ctx) {
		now, err := i.read(ctx, client, on)
		switch {
		case err != nil:
			return err
		case now.status == injecting, now.status == injected:
			return nil
		case now.status == gone:
			return target.None("%s is %s", i.called(on), now.word)
		case now.status == foreign:
			return mishap.WithHint(fmt.Errorf("%s is %s: somebody else changed it since it was planned", i.called(on), now.word), "plan again")
		case !asked:
			if err := i.inject(ctx, i.connect(once(config)), on); err != nil {
				return err
			}
			asked = true // now read it back: a revert must not find it as it was
		}
		wait()
	}
	return fmt.Errorf("wait until %s is %s: %w", i.called(on), i.injecting, ctx.Err())
}

// Revert undoes the fault, as soon as that can be, and reads back. It waits a
// while for normal: what cannot come back may be on its way first, and then fall
// back.
func (i *injector[Client, With]) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	config, on, err := i.recorded(ctx, in)
	if err != nil {
		return mishap.Reverted{}, err
	}
	client := i.connect(config)
	var now look
	var since time.Time // that it is on its way to normal
	for wait := range waits(ctx) {
		if now, err = i.read(ctx, client, on); err != nil {
			return mishap.Reverted{}, err
		}
		switch now.status {
		case normal:
			return i.settled(mishap.InjectionReverted, now), nil
		case gone:
			return i.settled(mishap.InjectionGone, now), nil
		case foreign:
			return i.settled(mishap.InjectionSuperseded, now), nil
		case changing:
			if since.IsZero() {
				since = time.Now()
			}
			if time.Since(since) >= changingWait {
				return i.settled(mishap.InjectionReverted, now), nil
			}
		case injected:
			since = time.Time{}
			if err := i.revert(ctx, client, on); err != nil {
				return mishap.Reverted{}, err
			}
		case injecting: // it cannot be undone before it is done
		}
		wait()
	}
	return mishap.Reverted{}, fmt.Errorf("wait until %s, which is %s, is %s: %w", i.called(on), now.word, i.normal, ctx.Err())
}

// Verify looks at the target.
func (i *injector[Client, With]) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	config, on, err := i.recorded(ctx, in)
	if err != nil {
		return mishap.Effect{}, err
	}
	now, err := i.read(ctx, i.connect(config), on)
	if err != nil {
		return mishap.Effect{}, err
	}
	effect := mishap.Effect{InForce: mishap.No, Detail: i.detail(now)}
	if now.status == injecting || now.status == injected {
		effect.InForce = mishap.Yes
	}
	return effect, nil
}

// recorded finds the way to where the target is. Credentials of another account
// must not act there.
func (i *injector[Client, With]) recorded(ctx context.Context, in mishap.Injection) (aws.Config, recorded[With], error) {
	account, region, on, err := i.readUndo(in)
	if err != nil {
		return aws.Config{}, on, err
	}
	place, err := i.deps.Place(ctx, region)
	if err != nil {
		return aws.Config{}, on, err
	}
	if place.Account != account {
		return aws.Config{}, on, mishap.WithHint(fmt.Errorf("%s is in account %s, the credentials are for %s", i.called(on), account, place.Account), "use credentials for that account")
	}
	return place.Config, on, nil
}

func (i *injector[Client, With]) called(on recorded[With]) string { return i.noun + " " + on.id }

func (i *injector[Client, With]) detail(now look) string { return i.noun + " is " + now.word }

func (i *injector[Client, With]) settled(as mishap.InjectionState, now look) mishap.Reverted {
	return mishap.Reverted{State: as, Detail: i.detail(now)}
}

// once makes no retries.
func once(c aws.Config) aws.Config {
	c.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return c
}

// waits yields until ctx is done; each time the loop calls wait, which takes
// longer from time to time.
func waits(ctx context.Context) iter.Seq[func()] {
	return func(yield func(func()) bool) {
		for d := firstPoll; ctx.Err() == nil; d = min(2*d, longestPoll) {
			wait := func() {
				select {
				case <-ctx.Done():
				case <-time.After(d):
				}
			}
			if !yield(wait) {
				return
			}
		}
	}
}
