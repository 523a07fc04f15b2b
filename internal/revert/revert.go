// Package revert takes injections out: side by side, each again and again with
// backoff until it is settled or its time is over, so that none holds up another.
// Run, keeper and first aid say how a call is made; what is here is one attempt, how
// often, and for how long.
package revert

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
)

// headStart is how long reverts are begun one after another, in their order. What
// is left then begins at once, so that none is held up by another.
const headStart = 250 * time.Millisecond

// Reverter takes injections out.
type Reverter struct {
	// Attempt makes one attempt on injections that one call takes, and answers for
	// each in their order.
	Attempt func(all []mishap.Injection) []mishap.Reply[mishap.Reverted]
	// Within is how long it is tried at least, until an injection is given up; see
	// [mishap.InjectorKind.RevertTakes].
	Within time.Duration
	// Begin is told which are attempted now, for the first time. May be nil.
	Begin func(all []mishap.Injection)
	// Tell is told of each attempt. Begin and Tell are called by whoever called
	// [Reverter.All], one after another.
	Tell func(Result)
}

// Result is how an attempt on one injection ended.
type Result struct {
	mishap.Injection
	mishap.Reverted
	Err    error // why it is not settled; nil if it is
	GaveUp bool  // it is not tried again: its time is over
}

// All takes out what it is given, one call after another as long as that is quick,
// and last when all of that was tried once. It returns false if ctx ended before
// everything was settled or given up; attempts under way go on then, and nobody is
// told of them.
func (r Reverter) All(ctx context.Context, calls, last [][]mishap.Injection) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rounds := make(chan round)
	begun, tried, over := 0, 0, 0
	begin := func(some [][]mishap.Injection) {
		for _, call := range some {
			go r.retry(ctx, call, rounds)
			if r.Begin != nil {
				r.Begin(call)
			}
		}
	}
	upTo := func(n int) {
		if n = min(n, len(calls)); n > begun {
			some := calls[begun:n]
			begun = n
			begin(some)
		}
	}
	late := time.NewTimer(headStart)
	defer late.Stop()
	upTo(1)
	if len(calls) == 0 {
		begin(last)
	}
	for over < len(calls)+len(last) {
		select {
		case one := <-rounds:
			for _, result := range one.results {
				r.Tell(result)
			}
			if one.over {
				over++
			}
			if !one.first {
				continue
			}
			tried++
			upTo(tried + 1)
			if tried == len(calls) {
				begin(last)
			}
		case <-late.C:
			upTo(len(calls))
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// round is one attempt on what is left of one call's injections.
type round struct {
	results     []Result
	first, over bool
}

// retry attempts until all are settled or given up.
func (r Reverter) retry(ctx context.Context, left []mishap.Injection, rounds chan<- round) {
	began := time.Now()
	waits := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMultiplier(1.6),
		backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for first := true; ; first = false {
		one := round{first: first}
		pause := waits.NextBackOff()
		var rest []mishap.Injection
		for i, reply := range r.Attempt(left) {
			result := Result{Injection: left[i], Reverted: reply.Value, Err: reply.Err}
			if result.Err == nil {
				result.Err = reply.Value.Unsettled()
			}
			remains := r.within(left[i]) - time.Since(began)
			if result.GaveUp = result.Err != nil && remains <= 0; result.Err != nil && !result.GaveUp {
				rest = append(rest, left[i])
				pause = min(pause, remains)
				if again := reply.Value.Again.Std(); again > 0 {
					pause = min(pause, again)
				}
			}
			one.results = append(one.results, result)
		}
		left, one.over = rest, len(rest) == 0
		select {
		case rounds <- one:
		case <-ctx.Done():
			return
		}
		if one.over || !sleep(ctx, pause) {
			return
		}
	}
}

// within is how long an injection is tried.
func (r Reverter) within(in mishap.Injection) time.Duration {
	return max(r.Within, in.RevertTakes.Std()) + in.Settles.Std()
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
