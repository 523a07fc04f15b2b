package aws

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

const (
	firstPoll   = 200 * time.Millisecond // before the second look at a target that is on its way
	longestPoll = 2 * time.Second        // between two looks
	askSoon     = 500 * time.Millisecond // after which it is worth asking whether a quick revert is done
	askLater    = 2 * time.Second        // and one that takes its time
)

// Inject is [injector.InjectAll] of one.
func (i *injector[With]) Inject(ctx context.Context, in mishap.Injection) error {
	return i.InjectAll(ctx, []mishap.Injection{in})[0]
}

// Revert is [injector.RevertAll] of one.
func (i *injector[With]) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	reply := i.RevertAll(ctx, []mishap.Injection{in})[0]
	return reply.Value, reply.Err
}

// Verify is [injector.VerifyAll] of one.
func (i *injector[With]) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	reply := i.VerifyAll(ctx, []mishap.Injection{in})[0]
	return reply.Value, reply.Err
}

// InjectAll asks for the fault, once each, and returns when the API says of all
// that it comes, or why not. What a self-recovering fault does may show late, or be
// over before anybody looks, and an API may show the past for longer than a call may
// take: that it is asked for is all there is to wait for.
func (i *injector[With]) InjectAll(ctx context.Context, all []mishap.Injection) []error {
	config, b := i.recorded(ctx, all)
	for wait := range waits(ctx) {
		var ask []int
		for n, now := range b.looks(func(on []recorded[With]) []mishap.Reply[look] { return i.read(ctx, config, on) }) {
			if b.asked[n] && now.Err != nil {
				continue // it was asked for: looked at again
			}
			if now.Err == nil && i.foreseen(b.on[n], now.Value) {
				now.Value.status = foreign
			}
			switch over, err := i.injection(b.on[n], now.Value, now.Err); {
			case over:
				b.done(n, err)
			case !b.asked[n]:
				ask = append(ask, n)
			}
		}
		errs := i.inject(ctx, cloud.Once(config), b.at(ask))
		for k, n := range ask {
			i.asked.forget(b.on[n].injection)
			i.asked.hit(b.on[n].injection, errs[k] == nil || !cloud.Refused(errs[k]))
			switch {
			case cloud.Throttled(errs[k]): // nothing was done: it is asked for again
			case errs[k] != nil, i.class == mishap.SelfRecovering, i.settles >= mishap.CallWithin:
				b.done(n, errs[k])
			default:
				b.asked[n] = true // now read it back: a revert must not find it as it was
			}
		}
		if len(b.open) == 0 {
			return b.errs
		}
		wait()
	}
	for n := range b.open {
		b.errs[n] = fmt.Errorf("wait until %s is %s: %w", i.called(b.on[n]), i.injecting, ctx.Err())
	}
	return b.errs
}

// foreseen reports whether somebody else did already what the fault does: it was in
// force before anybody here asked for it, and would be undone as if it were ours.
func (i *injector[With]) foreseen(on recorded[With], now look) bool {
	return now.inForce() && !i.asked.hit(on.injection, false)
}

// injection says whether there is nothing more to do to inject.
func (i *injector[With]) injection(on recorded[With], now look, err error) (over bool, why error) {
	switch {
	case err != nil:
		return true, err
	case now.inForce():
		return true, nil
	case now.status == gone:
		return true, target.None("%s is %s", i.called(on), now.word)
	case now.status == foreign:
		return true, mishap.WithHint(fmt.Errorf("%s is %s: somebody else changed it since it was planned", i.called(on), now.word), "plan again")
	}
	return false, nil
}

// RevertAll looks, asks for what undoes the fault where it is in, and says of each
// how far it is.
func (i *injector[With]) RevertAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	ctx = cloud.Reverting(ctx)
	config, b := i.recorded(ctx, all)
	read := func(on []recorded[With]) []mishap.Reply[look] { return i.read(ctx, config, on) }
	out := make([]mishap.Reply[mishap.Reverted], len(all))
	var ask []int
	for n, now := range b.looks(read) {
		if i.asked.never(b.on[n].injection) && now.Value.inForce() {
			now.Value.status = foreign // who did that was somebody else
		}
		if out[n] = i.reverted(now); now.Err == nil && (now.Value.status == injected || now.Value.status == half) && i.revert != nil && !i.asked.lately(b.on[n].injection, i.settles) {
			ask = append(ask, n)
		}
	}
	if len(ask) > 0 {
		for k, err := range i.revert(ctx, config, b.at(ask)) {
			if n := ask[k]; err != nil {
				out[n].Err = err
			} else {
				i.asked.now(b.on[n].injection)
			}
		}
		b.only(ask)
		for n, now := range b.looks(read) { // it may be back already
			if out[n].Err == nil {
				out[n] = i.reverted(now)
			}
		}
	}
	return failed(out, b.errs)
}

// reverted says how far a revert is, from a look.
func (i *injector[With]) reverted(now mishap.Reply[look]) (r mishap.Reply[mishap.Reverted]) {
	if now.Err != nil {
		return mishap.Reply[mishap.Reverted]{Err: now.Err}
	}
	r.Value.Detail = i.detail(now.Value)
	switch now.Value.status {
	case normal:
		r.Value.State = mishap.InjectionReverted
	case ended:
		if r.Value.State = mishap.InjectionEnded; i.class == mishap.Irreversible {
			r.Value.State = mishap.InjectionGone
		}
	case gone:
		r.Value.State = mishap.InjectionGone
	case foreign:
		r.Value.State = mishap.InjectionSuperseded
	case injected, half, injecting, changing:
		r.Value.State, r.Value.Again = mishap.InjectionReverting, mishap.Duration(askSoon)
		if i.revertTakes > 0 {
			r.Value.Again = mishap.Duration(askLater)
		}
	}
	return r
}

// VerifyAll looks at the targets.
func (i *injector[With]) VerifyAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Effect] {
	ctx = cloud.Looking(ctx)
	config, b := i.recorded(ctx, all)
	out := make([]mishap.Reply[mishap.Effect], len(all))
	for n, now := range b.looks(func(on []recorded[With]) []mishap.Reply[look] { return i.read(ctx, config, on) }) {
		if now.Err != nil {
			out[n].Err = now.Err
			continue
		}
		out[n].Value = mishap.Effect{InForce: mishap.No, Detail: i.detail(now.Value), Gone: now.Value.status == gone}
		if now.Value.inForce() {
			out[n].Value.InForce = mishap.Yes
		}
	}
	return failed(out, b.errs)
}

func (a about) detail(now look) string { return a.noun + " is " + now.word }

func (i *injector[With]) called(on recorded[With]) string { return i.noun + " " + on.id }

// batch is injections of one call, by their number, and what has become of them.
type batch[With any] struct {
	on    []recorded[With]
	errs  []error
	open  map[int]bool // those that are not done
	asked map[int]bool
}

// recorded finds the way to where the targets are. They are in one place, or their
// injector's caller is wrong. Credentials of another account must not act there.
func (i *injector[With]) recorded(ctx context.Context, all []mishap.Injection) (aws.Config, *batch[With]) {
	b := &batch[With]{on: make([]recorded[With], len(all)), errs: make([]error, len(all)), open: map[int]bool{}, asked: map[int]bool{}}
	var place cloud.Place
	var to cloud.At
	for n, in := range all {
		at, on, err := readUndo[With](i.about, in)
		if err == nil && place.Config.Region == "" {
			to = at
			place, err = i.deps.Recorded(ctx, at)
		}
		if err == nil && at != to {
			err = fmt.Errorf("%s is in %s %s, and called together with what is in %s %s", i.called(on), at.Account, at.Region, to.Account, to.Region)
		}
		b.on[n], b.errs[n] = on, err
		if err == nil {
			b.open[n] = true
		}
	}
	return place.Config, b
}

// looks yields those that are open with a look at each.
func (b *batch[With]) looks(read func([]recorded[With]) []mishap.Reply[look]) iter.Seq2[int, mishap.Reply[look]] {
	return func(yield func(int, mishap.Reply[look]) bool) {
		var numbers []int
		for n := range b.on {
			if b.open[n] {
				numbers = append(numbers, n)
			}
		}
		if len(numbers) == 0 {
			return
		}
		for k, now := range read(b.at(numbers)) {
			if !yield(numbers[k], now) {
				return
			}
		}
	}
}

// at is those with these numbers.
func (b *batch[With]) at(numbers []int) (on []recorded[With]) {
	for _, n := range numbers {
		on = append(on, b.on[n])
	}
	return on
}

func (b *batch[With]) done(n int, err error) {
	b.errs[n] = err
	delete(b.open, n)
}

// only leaves those with these numbers open.
func (b *batch[With]) only(numbers []int) {
	b.open = map[int]bool{}
	for _, n := range numbers {
		b.open[n] = true
	}
}

// asked remembers when an undo was asked for: until the API has settled it may
// show what was before, and need not be asked again.
type asked struct {
	mu   sync.Mutex
	at   map[string]time.Time
	hits map[string]bool // by injection: whether the fault itself was asked for
}

// hit remembers whether the fault was asked for, and answers whether it ever was.
func (a *asked) hit(injection string, now bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hits == nil {
		a.hits = map[string]bool{}
	}
	a.hits[injection] = a.hits[injection] || now
	return a.hits[injection]
}

// never reports whether it is known that the fault was not asked for.
func (a *asked) never(injection string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	was, known := a.hits[injection]
	return known && !was
}

func (a *asked) now(injection string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at == nil {
		a.at = map[string]time.Time{}
	}
	a.at[injection] = time.Now()
}

// forget is for what is injected again.
func (a *asked) forget(injection string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.at, injection)
}

func (a *asked) lately(injection string, settles time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, is := a.at[injection]
	return is && time.Since(at) < settles
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
