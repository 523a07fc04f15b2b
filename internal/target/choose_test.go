package target

import (
	"errors"
	"slices"
	"strings"
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
		s := Selection{Pick: new(4), Seed: &seed}
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
	for _, s := range []Selection{{}, {Pick: new(3)}, {Share: new(mishap.Share(0.6))}} {
		_, err := Choose(s, mishap.Request{Sample: true, Fault: mishap.Fault{Name: "f"}}, []int{1, 2, 3, 4, 5})
		if !errors.Is(err, mishap.ErrNoTarget) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestNoneIsNoNumberOfTargets: what asks for none is refused, and never takes all.
func TestNoneIsNoNumberOfTargets(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                          "",
		`{"pick": 1}`:                 "",
		`{"share": "100%"}`:           "",
		`{"share": "0.1%"}`:           "",
		`{"pick": 0}`:                 "targets.pick: 0 is not a number of targets",
		`{"pick": -1}`:                "targets.pick: -1 is not a number of targets",
		`{"share": "0%"}`:             "targets.share: 0% is not a share of the targets",
		`{"pick": 0, "share": "0%"}`:  "targets.share: 0% is not a share of the targets",
		`{"pick": 0, "share": "10%"}`: "targets.pick: 0 is not a number of targets",
		`{"pick": 2, "share": "50%"}`: "pick and share exclude each other",
	} {
		var s Selection
		if err := mishap.Decode("targets", []byte(text), &s); err != nil {
			t.Fatal(err)
		}
		err := s.CheckSelection()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
		var first *mishap.FieldError
		if want != "" && (!errors.As(err, &first) || !strings.Contains(want, "exclude") && !strings.Contains(first.Hint, "leave it out to take all")) {
			t.Errorf("%s: it does not say what to do: %+v", text, first)
		}
	}
}

func TestFewerThanWereAskedForIsSaid(t *testing.T) {
	for pick, want := range map[int]string{1: "picked 1 of 2 with seed ", 2: "", 9: "2 of the 9 asked for"} {
		got, err := Choose(Selection{Pick: &pick}, mishap.Request{Fault: mishap.Fault{Name: "f"}}, []int{1, 2})
		if err != nil || !strings.HasPrefix(got.Note, want) || want == "" && got.Note != "" {
			t.Errorf("pick %d: %q, %v", pick, got.Note, err)
		}
	}
}
