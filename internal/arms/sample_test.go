package arms_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"mishap/internal/arms"
)

const known = "[i-0001 i-0006 i-0007] [i-0002 i-0004 i-0005]"

func group(size int) (all []string) {
	for i := range size {
		all = append(all, fmt.Sprintf("i-%04x", i))
	}
	return all
}

func TestArmsAreDistinctAndOfTheGroup(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		all := group(2 + random.IntN(40))
		n, seed := 1+random.IntN(len(all)/2), random.Uint64()
		experiment, control, err := arms.Sample(all, n, seed)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, target := range slices.Concat(experiment, control) {
			if seen[target] || !slices.Contains(all, target) {
				t.Fatalf("%d of %d with seed %d: %s is there twice, or not of the group", n, len(all), seed, target)
			}
			seen[target] = true
		}
		if len(experiment) != n || len(control) != n {
			t.Fatalf("%d of %d: arms of %d and %d", n, len(all), len(experiment), len(control))
		}
	}
}

func TestTheSeedAndNotTheOrderDecides(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		all := group(4 + random.IntN(30))
		seed := random.Uint64()
		e1, c1, _ := arms.Sample(all, 2, seed)
		mixed := append(slices.Clone(all), all[0], all[1]) // some are listed twice
		random.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		before := slices.Clone(mixed)
		e2, c2, err := arms.Sample(mixed, 2, seed)
		if err != nil || !slices.Equal(e1, e2) || !slices.Equal(c1, c2) {
			t.Fatalf("seed %d: %v %v, then %v %v, %v", seed, e1, c1, e2, c2, err)
		}
		if !slices.Equal(mixed, before) {
			t.Fatal("the input was changed")
		}
	}
}

// What a seed draws is recorded in journals: it must be the same for ever.
func TestASeedDrawsTheSameInEveryVersion(t *testing.T) {
	experiment, control, err := arms.Sample(group(10), 3, 42)
	if err != nil || fmt.Sprint(experiment, control) != known {
		t.Errorf("drew %v %v, %v; want %s", experiment, control, err, known)
	}
}

func TestAGroupThatIsTooSmallIsRefused(t *testing.T) {
	for _, c := range []struct {
		matched []string
		n       int
		want    string
	}{
		{group(5), 3, "draw arms: too few targets for two arms: 5 matched, and two arms of 3 need 6; match more, or pick at most 2"},
		{[]string{"a", "a", "a"}, 1, "draw arms: too few targets for two arms: 1 matched, and two arms of 1 need 2; match more, or pick at most 0"},
		{nil, 1 << 62, "draw arms: too few targets for two arms: 0 matched, and two arms of 4611686018427387904 need 9223372036854775808; match more, or pick at most 0"},
		{group(5), 0, "draw arms: an arm of 0 targets compares nothing; it needs at least 1"},
		{group(5), -1, "draw arms: an arm of -1 targets compares nothing; it needs at least 1"},
	} {
		e, ctl, err := arms.Sample(c.matched, c.n, 1)
		if err == nil || err.Error() != c.want || e != nil || ctl != nil {
			t.Errorf("%d of %d: %v %v, error %v", c.n, len(c.matched), e, ctl, err)
		}
	}
}

// Over many seeds each target is as often in each arm as any other: chi-square
// below its 0.1 % point.
func TestEveryTargetIsDrawnAsOften(t *testing.T) {
	const size, n, draws = 12, 3, 40_000
	all := group(size)
	inE, inC := map[string]float64{}, map[string]float64{}
	for seed := range uint64(draws) {
		experiment, control, _ := arms.Sample(all, n, seed)
		for _, e := range experiment {
			inE[e]++
		}
		for _, c := range control {
			inC[c]++
		}
	}
	for name, seen := range map[string]map[string]float64{"experiment": inE, "control": inC} {
		expected, chi2 := float64(draws*n)/size, 0.0
		for _, target := range all {
			chi2 += (seen[target] - expected) * (seen[target] - expected) / expected
		}
		chi2 *= (size - 1.0) / (size - n) // draws without replacement waver less
		if chi2 > 31.3 {                  // 0.1 % point for 11 degrees of freedom
			t.Errorf("%s: chi-square %.1f", name, chi2)
		}
	}
}
