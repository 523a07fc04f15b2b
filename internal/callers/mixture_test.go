package callers_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"mishap/internal/callers"
)

// mixed is two policies behind one address: each request keeps to one.
func mixed(share float64, one, other policy) policy {
	first := false
	return func(r *rand.Rand, k int, before float64) float64 {
		if k == 1 {
			first = r.Float64() < share
		}
		if first {
			return one(r, k, before)
		}
		return other(r, k, before)
	}
}

// Several policies behind one address are a mixture, and not the one that their average looks like. (That one policy is none
// says TestEveryPolicyIsToldInAHundredOfAHundredRuns.)
func TestAMixtureOfPoliciesBehindOneAddressIsAMixture(t *testing.T) {
	double := exponential(50, 2, none)
	for name, pair := range map[string][2]policy{
		"at once, and exponential":                {constant(0), double},
		"at once, and full jitter":                {constant(0), full(double)},
		"at once, and equal jitter":               {constant(0), equal(double)},
		"at once, and ±50 %":                      {constant(0), around(0.5, exponential(50, 1.5, none))},
		"at once, and decorrelated":               {constant(0), decorrelated(50, none)},
		"at once, and constant":                   {constant(0), constant(50)},
		"constant, and exponential":               {constant(50), double},
		"constant, and three times as long":       {constant(50), constant(150)},
		"exponential, and from four times on":     {double, exponential(200, 2, none)},
		"exponential ±20 %, and from 4 times on":  {around(0.2, double), around(0.2, exponential(200, 2, none))},
		"exponential, and linear from 4 times on": {double, linear(200, 200)},
	} {
		for _, share := range []float64{0.3, 0.5, 0.7} {
			missed := 0
			for seed := range rounds() {
				w := plain()
				w.requests = 60
				b := callers.Analyse(simulate(seed, w, mixed(share, pair[0], pair[1]))).All
				if b.Backoff.Kind == callers.Mixture && b.Jitter.Kind == callers.JitterUnknown && len(b.Backoff.Parts) == 2 {
					continue
				}
				if missed++; missed < 3 {
					t.Logf("%s, %g, seed %d: %s", name, share, seed, b.Summary())
				}
			}
			if missed > int(rounds()/50) {
				t.Errorf("%s, %g: %d of %d are not told", name, share, missed, rounds())
			}
		}
	}
}

func TestAMixtureSaysWhatItsPartsDo(t *testing.T) {
	w := plain()
	w.requests = 400
	b := callers.Analyse(simulate(1, w, mixed(0.3, constant(0), equal(exponential(50, 2, none))))).All
	first, rest := b.Backoff.Parts[0], b.Backoff.Parts[1]
	if first.Kind != callers.Immediate || rest.Kind != callers.Exponential || first.Requests+rest.Requests != 400 || first.Requests < 90 || first.Requests > 150 {
		t.Errorf("%+v", b.Backoff.Parts)
	}
	if s := b.Summary(); !strings.Contains(s, "a mixture of policies") || !strings.Contains(s, "of 400 requests with no gaps (immediate)") || !strings.Contains(s, "jitter unknown") {
		t.Error(s)
	}
}
