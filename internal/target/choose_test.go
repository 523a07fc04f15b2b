package target

import (
	"errors"
	"slices"
	"testing"

	"mishap"
)

func TestSampledArmsAreLikeDistinctAndTheSameEachTime(t *testing.T) {
	matched := make([]int, 20)
	for i := range matched {
		matched[i] = i
	}
	taken := make([]int, len(matched)) // how often each was in the experiment
	for seed := range uint64(4000) {
		s := Selection{Pick: 4, Seed: &seed}
		req := mishap.Request{Sample: true, Fault: mishap.Fault{Name: "f"}}
		got, err := Choose(s, req, matched)
		again, _ := Choose(s, req, matched)
		if err != nil || !slices.Equal(got.Chosen, again.Chosen) || !slices.Equal(got.Control, again.Control) {
			t.Fatalf("seed %d: %v, %v, %v", seed, got, again, err)
		}
		all := append(slices.Clone(got.Chosen), got.Control...)
		slices.Sort(all)
		if len(got.Chosen) != 4 || len(got.Control) != 4 || len(slices.Compact(all)) != 8 {
			t.Fatalf("seed %d: experiment %v, control %v", seed, got.Chosen, got.Control)
		}
		req.Sample = false
		if alone, _ := Choose(s, req, matched); !slices.Equal(alone.Chosen, got.Chosen) || alone.Control != nil {
			t.Fatalf("seed %d: control changes the choice: %v", seed, alone)
		}
		for _, i := range got.Chosen {
			taken[i]++
		}
	}
	for i, n := range taken { // 800 on average, a standard deviation of 25
		if n < 680 || n > 920 {
			t.Errorf("target %d was taken %d times of 4000, about 800 expected", i, n)
		}
	}
}

func TestTooFewTargetsForTwoArmsAreRefused(t *testing.T) {
	for _, s := range []Selection{{}, {Pick: 3}, {Share: 0.6}} {
		_, err := Choose(s, mishap.Request{Sample: true, Fault: mishap.Fault{Name: "f"}}, []int{1, 2, 3, 4, 5})
		if !errors.Is(err, mishap.ErrNoTarget) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
