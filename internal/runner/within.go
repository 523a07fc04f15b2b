package runner

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// lastWords is how long whoever was told to end may still say what was found.
const lastWords = time.Second

// within makes a call that has d to answer. What does not answer then, nor a
// moment later, is left behind: nothing that is asked holds a run up, whether it
// obeys its context or not. A panic is an error.
func within[T any](ctx context.Context, d time.Duration, who string, call func(context.Context) (T, error)) (T, error) {
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
	last := time.NewTimer(lastWords)
	defer last.Stop()
	select {
	case r := <-got:
		return r.answer, r.err
	case <-last.C:
		var none T
		return none, fmt.Errorf("%s did not answer, and does not stop: %w", who, ctx.Err())
	}
}

// turns lets the calls on one injection be made one after another, and those on
// different ones side by side: no late call injects behind a revert's back, and
// none waits for another injection.
type turns struct {
	mu   sync.Mutex
	last map[string]<-chan struct{} // by injection: closed when its latest call has returned
}

// take waits for the call before, at most until ctx ends. The caller says with
// leave that its own call has returned, which it must, also after an error.
func (t *turns) take(ctx context.Context, id string) (leave func(), err error) {
	mine := make(chan struct{})
	t.mu.Lock()
	if t.last == nil {
		t.last = map[string]<-chan struct{}{}
	}
	before := t.last[id]
	t.last[id] = mine
	t.mu.Unlock()
	if before == nil {
		return func() { close(mine) }, nil
	}
	select {
	case <-before:
		return func() { close(mine) }, nil
	case <-ctx.Done():
		return func() { go func() { <-before; close(mine) }() }, fmt.Errorf("wait for an earlier call on it: %w", ctx.Err())
	}
}
