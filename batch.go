package mishap

import (
	"context"
	"fmt"
)

// Batcher is an injector that takes several injections in one call. They are of
// one fault, in one account and region, and at most as many as its kind says; see
// [InjectorKind.Batch]. Each call answers for each injection, in their order, and
// holds for each what [Injector] says: one that cannot be done, is slow or is gone
// keeps none of the others from being done and answered.
type Batcher interface {
	InjectAll(ctx context.Context, all []Injection) []error
	RevertAll(ctx context.Context, all []Injection) []Reply[Reverted]
	VerifyAll(ctx context.Context, all []Injection) []Reply[Effect]
}

// Calls groups injections by the call that takes them, in the order of the first
// of each.
func Calls(all []Injection) (calls [][]Injection) {
	type call struct {
		fault string
		batch int
	}
	at := map[call]int{}
	for _, in := range all {
		c := call{in.Fault, in.Batch}
		n, begun := at[c]
		if !begun || in.Batch == 0 {
			n = len(calls)
			calls, at[c] = append(calls, nil), n
		}
		calls[n] = append(calls[n], in)
	}
	return calls
}

// Reply is what a call answers for one of its injections.
type Reply[T any] struct {
	Value T
	Err   error
}

// InjectAll injects in one call if the injector is a [Batcher], else in one call
// each. It answers for each, in their order.
func InjectAll(ctx context.Context, i Injector, all []Injection) []error {
	replies := batched(all, func(b Batcher) (out []Reply[struct{}]) {
		for _, err := range b.InjectAll(ctx, all) {
			out = append(out, Reply[struct{}]{Err: err})
		}
		return out
	}, i, func(in Injection) (struct{}, error) { return struct{}{}, i.Inject(ctx, in) })
	errs := make([]error, len(replies))
	for n, r := range replies {
		errs[n] = r.Err
	}
	return errs
}

// RevertAll is like [InjectAll].
func RevertAll(ctx context.Context, i Injector, all []Injection) []Reply[Reverted] {
	return batched(all, func(b Batcher) []Reply[Reverted] { return b.RevertAll(ctx, all) }, i,
		func(in Injection) (Reverted, error) { return i.Revert(ctx, in) })
}

// VerifyAll is like [InjectAll].
func VerifyAll(ctx context.Context, i Injector, all []Injection) []Reply[Effect] {
	return batched(all, func(b Batcher) []Reply[Effect] { return b.VerifyAll(ctx, all) }, i,
		func(in Injection) (Effect, error) { return i.Verify(ctx, in) })
}

// batched makes one call for all if it can. What does not answer for each has
// answered for none.
func batched[T any](all []Injection, together func(Batcher) []Reply[T], i Injector, one func(Injection) (T, error)) []Reply[T] {
	if b, ok := i.(Batcher); ok {
		replies := together(b)
		if len(replies) == len(all) {
			return replies
		}
		err := fmt.Errorf("the injector answered for %d of %s", len(replies), Plural(len(all), "injection"))
		return Same[T](len(all), err)
	}
	replies := make([]Reply[T], len(all))
	for n, in := range all {
		replies[n].Value, replies[n].Err = one(in)
	}
	return replies
}

// InjectionIDs are their ids, in their order.
func InjectionIDs(all []Injection) []string {
	ids := make([]string, len(all))
	for i, in := range all {
		ids[i] = in.ID
	}
	return ids
}

// Same is the same error for each of n injections.
func Same[T any](n int, err error) []Reply[T] {
	replies := make([]Reply[T], n)
	for i := range replies {
		replies[i].Err = err
	}
	return replies
}
