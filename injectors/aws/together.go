package aws

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/cloud"
)

// sideBySide is how many calls of one kind are under way at once.
const sideBySide = 8

// each makes a call for each thing, several at once.
func each[With any](call func(ctx context.Context, c aws.Config, on recorded[With]) error) func(context.Context, aws.Config, []recorded[With]) []error {
	return func(ctx context.Context, c aws.Config, on []recorded[With]) []error {
		errs := make([]error, len(on))
		concurrently(len(on), func(i int) { errs[i] = call(ctx, c, on[i]) })
		return errs
	}
}

// lookEach makes a call for each thing, several at once.
func lookEach[With any](call func(ctx context.Context, c aws.Config, on recorded[With]) (look, error)) func(context.Context, aws.Config, []recorded[With]) []mishap.Reply[look] {
	return func(ctx context.Context, c aws.Config, on []recorded[With]) []mishap.Reply[look] {
		looks := make([]mishap.Reply[look], len(on))
		concurrently(len(on), func(i int) { looks[i].Value, looks[i].Err = call(ctx, c, on[i]) })
		return looks
	}
}

// together makes one call for all. If it is refused, nothing was done to any, and
// for one that cannot be done the others must not suffer: it is made for each half
// then, down to those that cannot. Whose answer is lost is lost for all.
func together[With any](call func(ctx context.Context, c aws.Config, on []recorded[With]) error) func(context.Context, aws.Config, []recorded[With]) []error {
	return func(ctx context.Context, c aws.Config, on []recorded[With]) []error {
		return halved(on, func(some []recorded[With]) error { return call(ctx, c, some) })
	}
}

// mostDenied is how many parts of a call a policy denies until it counts as denying
// all that are left: it finds two among a hundred.
const mostDenied = 16

func halved[T any](all []T, call func([]T) error) []error {
	denied := 0
	var parts func(all []T, err error) []error
	parts = func(all []T, err error) []error {
		if n := len(all); n > 0 && denied < mostDenied {
			if err = call(all); cloud.Denied(err) {
				denied++
			}
			if n > 1 && cloud.Refused(err) && !cloud.Throttled(err) {
				return append(parts(all[:n/2], err), parts(all[n/2:], err)...)
			}
		}
		errs := make([]error, len(all))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	return parts(all, nil)
}

// lookTogether makes one call for all, which answers by id. What it does not
// mention is as missing says.
func lookTogether[With any](missing look, call func(ctx context.Context, c aws.Config, on []recorded[With]) (map[string]look, error)) func(context.Context, aws.Config, []recorded[With]) []mishap.Reply[look] {
	return func(ctx context.Context, c aws.Config, on []recorded[With]) []mishap.Reply[look] {
		seen, err := call(ctx, c, on)
		if err != nil {
			return mishap.Same[look](len(on), err)
		}
		looks := make([]mishap.Reply[look], len(on))
		for i, one := range on {
			now, there := seen[one.id]
			if !there {
				now = missing
			}
			looks[i].Value = now
		}
		return looks
	}
}

// failed puts errors in the place of what they are about.
func failed[T any](out []mishap.Reply[T], errs []error) []mishap.Reply[T] {
	for n, err := range errs {
		if err != nil {
			out[n].Err = err
		}
	}
	return out
}

// concurrently calls f for 0 to n-1, several at once, and returns after the last.
func concurrently(n int, f func(int)) {
	var all sync.WaitGroup
	free := make(chan struct{}, sideBySide)
	for i := range n {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			f(i)
		})
	}
	all.Wait()
}

// ids of the things, for calls that take many.
func ids[With any](on []recorded[With]) (all []string) {
	for _, one := range on {
		all = append(all, one.id)
	}
	return all
}

// most is how many calls a check makes at most that are about one thing each.
const most = 20

// asking asks each of the first things, several at once, and notes of how many it
// did not ask what.
func asking(what string, chosen []thing, ask func(thing) error) (notes []string, err error) {
	some := chosen[:min(len(chosen), most)]
	errs := make([]error, len(some))
	concurrently(len(some), func(i int) { errs[i] = ask(some[i]) })
	if left := len(chosen) - len(some); left > 0 {
		notes = []string{fmt.Sprintf("of %d of %d it was not asked %s", left, len(chosen), what)}
	}
	return notes, errors.Join(errs...)
}
