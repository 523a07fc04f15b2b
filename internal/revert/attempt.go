package revert

import (
	"context"
	"time"

	"mishap"
	"mishap/internal/bounded"
)

// Attempt makes one attempt on injections that one call takes, once earlier calls on
// them have returned, and says what its answers are worth. It ends in time, whether
// call obeys or not.
func Attempt(ctx context.Context, turns *bounded.Turns, settling *Settling, all []mishap.Injection,
	call func(context.Context, []mishap.Injection) []mishap.Reply[mishap.Reverted],
) []mishap.Reply[mishap.Reverted] {
	ctx, cancel := context.WithTimeout(ctx, mishap.CallWithin)
	defer cancel()
	leave, err := turns.Take(ctx, mishap.InjectionIDs(all)...)
	if err != nil {
		leave()
		return mishap.Same[mishap.Reverted](len(all), err)
	}
	began := time.Now()
	replies, err := bounded.Call(ctx, mishap.CallWithin, "revert", func(ctx context.Context) ([]mishap.Reply[mishap.Reverted], error) {
		defer leave()
		return call(ctx, all), nil
	})
	if err != nil {
		return mishap.Same[mishap.Reverted](len(all), err)
	}
	return settling.Look(all, began, replies)
}

// Ours makes the call on what is still ours to revert. What yields says why another
// run has it by now is superseded, and what it cannot tell is an error.
func Ours(all []mishap.Injection, yields func(mishap.Injection) (why string, err error),
	call func(ours []mishap.Injection) []mishap.Reply[mishap.Reverted],
) []mishap.Reply[mishap.Reverted] {
	replies := make([]mishap.Reply[mishap.Reverted], len(all))
	var ours []mishap.Injection
	var at []int
	for i, in := range all {
		why, err := yields(in)
		switch {
		case err != nil:
			replies[i].Err = err
		case why != "":
			replies[i].Value = mishap.Reverted{State: mishap.InjectionSuperseded, Detail: why}
		default:
			ours, at = append(ours, in), append(at, i)
		}
	}
	if ours == nil {
		return replies
	}
	for n, reply := range call(ours) {
		replies[at[n]] = reply
	}
	return replies
}
