// Package bounded makes calls that end in time, whether what is called obeys its
// context or not.
package bounded

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// LastWords is how long whoever was told to end may still say what was found.
const LastWords = time.Second

// Call makes a call that has d to answer. What does not answer then, nor within
// [LastWords], is left behind, and that is the error. A panic is an error, too.
func Call[T any](ctx context.Context, d time.Duration, who string, call func(context.Context) (T, error)) (T, error) {
	type result struct {
		answer T
		err    error
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	got := make(chan result, 1)
	go func() {
		defer cancel()
		r := result{err: fmt.Errorf("%s ended without an answer", who)}
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("%s panicked: %v", who, p)
			}
			got <- r
		}()
		r.answer, r.err = call(ctx)
	}()
	select {
	case r := <-got:
		return r.answer, r.err
	case <-ctx.Done():
	}
	last := time.NewTimer(LastWords)
	defer last.Stop()
	select {
	case r := <-got:
		return r.answer, r.err
	case <-last.C:
		var none T
		return none, fmt.Errorf("%s did not answer, and does not stop: %w", who, ctx.Err())
	}
}

// Turns lets the calls on one thing be made one after another, and those on
// different ones side by side. The zero value is ready.
type Turns struct {
	mu   sync.Mutex
	last map[string]<-chan struct{} // by thing: closed when its latest call has returned
}

// Take waits for the calls before on all that the caller's own is on, at most
// until ctx ends, which is an error. Leave must be called in either case: when the
// caller's own call has really returned.
func (t *Turns) Take(ctx context.Context, ids ...string) (leave func(), err error) {
	mine := make(chan struct{})
	var before []<-chan struct{}
	t.mu.Lock()
	if t.last == nil {
		t.last = map[string]<-chan struct{}{}
	}
	for _, id := range ids {
		if last := t.last[id]; last != nil && last != mine {
			before = append(before, last)
		}
		t.last[id] = mine
	}
	t.mu.Unlock()
	for n, call := range before {
		select {
		case <-call:
		case <-ctx.Done():
			left := before[n:]
			return func() { go pass(left, mine) }, fmt.Errorf("wait for an earlier call on it: %w", ctx.Err())
		}
	}
	return func() { close(mine) }, nil
}

// pass hands on a turn that was not waited for.
func pass(before []<-chan struct{}, mine chan struct{}) {
	for _, call := range before {
		<-call
	}
	close(mine)
}
