package analysis

import (
	"math"
	"testing"
)

// under is the expectation, by enumeration of every outcome, of exp(logE) when
// nE and nC trials fail with probabilities pE and pC.
func under(nE, nC int, pE, pC float64, logE func(hE, hC [2]float64) float64) float64 {
	total := 0.0
	for x := range nE + 1 {
		for y := range nC + 1 {
			p := math.Exp(binomial(float64(x), float64(nE), pE) + binomial(float64(y), float64(nC), pC))
			total += p * math.Exp(logE([2]float64{float64(nE - x), float64(x)}, [2]float64{float64(nC - y), float64(y)}))
		}
	}
	return total
}

func atMostOne(t *testing.T, what string, e float64) {
	t.Helper()
	if !(e <= 1+1e-9) {
		t.Errorf("%s: expected evidence is %.12f without harm", what, e)
	}
}

var someShares = []float64{0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999}

func TestFailuresAreExpectedToGiveNoEvidenceWithoutHarm(t *testing.T) {
	for _, n := range [][2]int{{1, 1}, {5, 5}, {3, 9}, {12, 4}, {1, 20}} {
		for _, learnt := range []int64{0, 500} {
			f := newFailures(Metric{Usual: 0.01, Tolerance: 1, Dispersion: 1}, 0, 0)
			f.ControlFailed, f.ControlTrials = learnt/10, learnt
			f.wager(seenShare(0, float64(n[0]), float64(n[1])))
			for _, pC := range someShares {
				for _, pE := range []float64{pC, pC / 2, pC / 100} { // as good, and better
					for k, b := range f.bets {
						e := under(n[0], n[1], pE, pC, func(hE, hC [2]float64) float64 { return b.logE(hE[:], hC[:]) })
						atMostOne(t, "size "+string(rune('0'+k)), e)
					}
				}
			}
		}
	}
}

// With a known split it is not how many are in each arm that is fixed, but how
// many in both: the label of each is chance.
func TestAKnownSplitIsExpectedToGiveExactlyNoEvidence(t *testing.T) {
	for _, q := range []float64{0.1, 0.5, 0.8} {
		f := newFailures(Metric{Usual: 0.05, Tolerance: 1, Dispersion: 1}, q, 0)
		f.wager(q)
		for _, p := range someShares {
			for k, b := range f.bets {
				total := 0.0
				for nE := range 11 {
					law := math.Exp(binomial(float64(nE), 10, q))
					total += law * under(nE, 10-nE, p, p, func(hE, hC [2]float64) float64 { return b.logE(hE[:], hC[:]) })
				}
				same(t, "expectation of size "+string(rune('0'+k)), total, 1)
			}
		}
	}
}

func TestMarginsAreExpectedToGiveNoEvidenceAtTheMargin(t *testing.T) {
	for _, n := range [][2]int{{4, 4}, {3, 9}, {12, 5}} {
		q := seenShare(0, float64(n[0]), float64(n[1]))
		for _, pC := range []float64{0.001, 0.01, 0.1, 0.3} {
			for _, beyond := range []float64{1, 1.5, 2} {
				for _, r := range []float64{1, math.Sqrt(2), 1 / math.Sqrt(2)} {
					b := newBet(2)
					b.setMargin(1, r, 2, q)
					if pE := 2 * beyond * pC; pE < 1 {
						atMostOne(t, "ratio", under(n[0], n[1], pE, pC, func(hE, hC [2]float64) float64 { return b.logE(hE[:], hC[:]) }))
					}
				}
				for _, theta := range []float64{0.001, 0.02, 0.4} {
					b := newBet(2)
					b.setDifference(float64(n[0]), float64(n[1]), theta, theta, 0.05)
					if pE := pC + 0.05*beyond; pE < 1 {
						atMostOne(t, "difference", under(n[0], n[1], pE, pC, func(hE, hC [2]float64) float64 { return b.logE(hE[:], hC[:]) }))
					}
				}
			}
		}
	}
}

func TestAQuickerExperimentIsExpectedToGiveNoEvidence(t *testing.T) {
	mass := []float64{0.6, 0.3, 0.1}
	quicker := []float64{0.8, 0.15, 0.05}
	for _, g := range rocs() {
		r := g.ratios(shape([]float64{50, 40, 10}))
		b := newBet(3)
		for i := range r {
			b.setRatio(i, math.Log(r[i]), r[i], 0.4)
		}
		for _, inE := range [][]float64{mass, quicker} {
			e, c := 0.0, 0.0
			for i := range r {
				e += inE[i] * math.Exp(b.e[i])
				c += mass[i] * math.Exp(b.c[i])
			}
			atMostOne(t, "curve", math.Pow(e, 4)*math.Pow(c, 6)) // 4 and 6 independent requests
		}
	}
}

func TestCurvesNeverBetLessOnSlowerRequests(t *testing.T) {
	for _, counts := range [][]float64{{0, 0, 0}, {1e9, 3, 0, 0, 1}, {5, 0, 0, 0, 0, 1e6}, make([]float64, 200)} {
		for _, g := range rocs() {
			r := g.ratios(shape(counts))
			for b := 1; b < len(r); b++ {
				if r[b] < r[b-1] {
					t.Fatalf("%+v: bin %d has %g after %g", g, b, r[b], r[b-1])
				}
			}
		}
	}
}

// The whole process of events, with its change of mind and boosting, over every
// path of three buckets.
func TestTheWholeProcessIsExpectedNotToGrowWithoutHarm(t *testing.T) {
	for _, boosted := range []float64{0, math.Log(4)} { // low, so that paths reach it
		for _, q := range []float64{0.5, 0.2} {
			for _, tolerance := range []float64{1, 2} {
				total := 0.0
				var walk func(s []byte, depth int, p float64)
				m := Metric{Kind: EventRate, Harm: Increase, Tolerance: tolerance, Dispersion: 1}
				fresh := func() *events {
					return newEvents(m, q, boosted, func(a Arm) int64 { return a.Events })
				}
				walk = func(s []byte, depth int, p float64) {
					if depth == 3 {
						v := fresh()
						replay(v, s)
						h, stake := v.harm()
						total += p * math.Exp(h.logE(stake))
						return
					}
					for x := range 7 {
						law := math.Exp(binomial(float64(x), 6, tilt(q, tolerance)))
						walk(append(append([]byte(nil), s...), byte(x)), depth+1, p*law)
					}
				}
				walk(nil, 0, 1)
				atMostOne(t, "process", total)
				if total < 0.99 {
					t.Errorf("evidence is given away: %g is expected", total)
				}
			}
		}
	}
}

func replay(v *events, path []byte) {
	for _, x := range path {
		v.observe(&Bucket{Width: 1e9, Experiment: Arm{Events: int64(x)}, Control: Arm{Events: int64(6 - x)}})
	}
}

// As above for failures: given how many there are, which ones fail is chance.
func TestBoostedFailuresAreExpectedNotToGrowWithoutHarm(t *testing.T) {
	for _, share := range []float64{0, 0.5} {
		for _, p := range []float64{0.05, 0.3} {
			total := 0.0
			for nE := range 9 {
				outer := math.Exp(binomial(float64(nE), 8, 0.5))
				if share == 0 { // the split of each bucket is taken as it is
					outer = 1. / 9
				}
				total += outer * under(nE, 8-nE, p, p, func(hE, hC [2]float64) float64 {
					f := newFailures(Metric{Usual: 0.05, Tolerance: 1, Dispersion: 1}, share, math.Log(2))
					f.observe(bucketOf(hE, hC))
					h, stake := f.harm()
					return h.logE(stake)
				})
			}
			atMostOne(t, "boosted failures", total)
		}
	}
}

func bucketOf(hE, hC [2]float64) *Bucket {
	of := func(h [2]float64) Arm { return Arm{Requests: int64(h[0] + h[1]), Successes: int64(h[0])} }
	return &Bucket{Width: 1e9, Experiment: of(hE), Control: of(hC)}
}

func TestSymmetryIsExpectedToGiveNoEvidence(t *testing.T) {
	for _, d := range []float64{0, 0.1, 3, 1e6} {
		for _, lambda := range []float64{0.05, 1, 40} {
			same(t, "expectation", (math.Exp(logSymmetry(d, lambda))+math.Exp(logSymmetry(-d, lambda)))/2, 1)
		}
	}
}

func TestSplitsAreExpectedToGiveNoEvidence(t *testing.T) {
	for _, q := range []float64{0.5, 0.1} {
		total := 0.0
		for x := range 41 {
			e, err := SplitEvidence([]int64{int64(40 - x), int64(x)}, []float64{1 - q, q})
			if err != nil {
				t.Fatal(err)
			}
			total += math.Exp(e + binomial(float64(x), 40, q))
		}
		same(t, "expectation", total, 1)
	}
}

func TestMoreHarmIsMoreEvidence(t *testing.T) {
	evidence := func(failed int64) float64 {
		f := newFailures(Metric{Usual: 0.01, Tolerance: 1, Dispersion: 1}, 0.5, 0)
		f.observe(&Bucket{Width: 1e9, Experiment: Arm{Requests: 50, Successes: 50 - failed}, Control: Arm{Requests: 50, Successes: 49}})
		return f.Harm.Mixture.logE()
	}
	for n := range int64(50) {
		if evidence(n+1) <= evidence(n) {
			t.Errorf("%d failures give %g, %d give %g", n, evidence(n), n+1, evidence(n+1))
		}
	}
}

func TestHealthyHoursDoNotPoisonLaterHarm(t *testing.T) {
	v := newEvents(Metric{Harm: Decrease, Tolerance: 1, Dispersion: 1}, 0.5, 0, func(a Arm) int64 { return a.Events })
	for i := range 3600 {
		v.observe(&Bucket{Width: 1e9, Experiment: Arm{Events: 50}, Control: Arm{Events: 50}})
		if floor := math.Log(1-begunAtOnce) - float64(i+1)/changeAfter; v.Harm.Mixture.logE() < floor-1e-9 {
			t.Fatalf("after %d s the evidence is %g, below %g", i+1, v.Harm.Mixture.logE(), floor)
		}
	}
	for i := range 20 {
		v.observe(&Bucket{Width: 1e9, Experiment: Arm{Events: 25}, Control: Arm{Events: 50}})
		if v.Harm.Mixture.logE() > math.Log(100) {
			return
		} else if i == 19 {
			t.Errorf("half of the events lost for 20 s after a healthy hour: evidence is %g", v.Harm.Mixture.logE())
		}
	}
}
