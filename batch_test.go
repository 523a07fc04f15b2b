package mishap_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"mishap"
)

// together is a batcher that answers for as many injections as it says.
type together struct {
	mishap.Injector
	answers int
}

func (b together) InjectAll(_ context.Context, all []mishap.Injection) []error {
	return make([]error, b.answers)
}

func (b together) RevertAll(_ context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	return make([]mishap.Reply[mishap.Reverted], b.answers)
}

func (b together) VerifyAll(_ context.Context, all []mishap.Injection) []mishap.Reply[mishap.Effect] {
	return make([]mishap.Reply[mishap.Effect], b.answers)
}

// alone takes one injection a call.
type alone struct{ mishap.Injector }

func (alone) Inject(_ context.Context, in mishap.Injection) error {
	if in.ID == "bad" {
		return errors.New("refused")
	}
	return nil
}

func TestABatchThatIsNotAnsweredForEachIsAnsweredForNone(t *testing.T) {
	all := []mishap.Injection{{ID: "a"}, {ID: "b"}}
	for answers, want := range map[int]bool{0: false, 1: false, 2: true, 3: false} {
		for n, err := range mishap.InjectAll(t.Context(), together{answers: answers}, all) {
			if (err == nil) != want {
				t.Errorf("of %d answers for two, that for the injection %d is %v", answers, n, err)
			}
		}
		if got := mishap.RevertAll(t.Context(), together{answers: answers}, all); len(got) != 2 || (got[0].Err == nil) != want {
			t.Errorf("of %d answers for two, those of reverting are %v", answers, got)
		}
	}
}

func TestAnInjectorThatTakesOneIsAskedForEach(t *testing.T) {
	got := mishap.InjectAll(t.Context(), alone{}, []mishap.Injection{{ID: "a"}, {ID: "bad"}, {ID: "b"}})
	if len(got) != 3 || got[0] != nil || got[1] == nil || got[2] != nil {
		t.Errorf("it answered %v, want an error of the second alone", got)
	}
}

func TestABatchIsOfOneAccountAndRegionAndNoLargerThanItsKindSays(t *testing.T) {
	in := func(account string) mishap.Injection {
		return mishap.Injection{Fault: "f", Target: mishap.Target{Where: mishap.Place{Account: account, Region: "r"}}}
	}
	found := mishap.InjectorKind{Class: mishap.Expiring, Batch: 2, Settles: time.Second, RevertTakes: time.Minute}.Complete(
		[]mishap.Injection{in("1"), in("2"), in("1"), in("1"), in("2"), in("1")})
	var batches []int
	for _, in := range found {
		batches = append(batches, in.Batch)
		if in.Class != mishap.Expiring || in.Settles.Std() != time.Second || in.RevertTakes.Std() != time.Minute {
			t.Errorf("the record does not have what the kind says: %+v", in)
		}
	}
	if want := []int{1, 2, 1, 3, 2, 3}; !slices.Equal(batches, want) {
		t.Errorf("the batches are %v, want %v", batches, want)
	}
	if got, want := (mishap.Plan{Injections: found}).Spread("f"), 2*mishap.CallWithin; got != want {
		t.Errorf("three calls take %s after the first, want %s", got, want)
	}
	if found = (mishap.InjectorKind{}).Complete(found); found[0].Batch != 0 {
		t.Error("a kind that takes one injection a call has batches")
	}
}
