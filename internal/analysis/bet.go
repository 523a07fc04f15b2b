package analysis

import "math"

// bet is a wager on one bucket, made before it is seen. Its evidence is linear
// in the counts of both arms, by category b:
//
//	log e = sum_b hE[b]*e[b] + hC[b]*c[b]
//
// F1 to F5 all have this shape; they differ in how e and c are chosen.
type bet struct{ e, c []float64 }

func newBet(categories int) bet {
	all := make([]float64, 2*categories)
	return bet{e: all[:categories], c: all[categories:]}
}

// logE is the evidence of counts hE and hC. A category without counts adds 0,
// whatever the bet says of it.
func (b bet) logE(hE, hC []float64) float64 {
	sum := 0.0
	for i := range b.e {
		if hE[i] != 0 {
			sum += hE[i] * b.e[i]
		}
		if hC[i] != 0 {
			sum += hC[i] * b.c[i]
		}
	}
	return sum
}

// setRatio makes b the bet F1 that category i is r times as likely in the
// experiment as in control, q being the experiment's share of the traffic:
//
//	log e = sum_b hE[b]*log r[b] - (hE[b]+hC[b])*log(1+(r[b]-1)*q)
//
// Were both arms alike, exp(log e) is expected to be at most 1, whatever r and
// whatever the rates: each observation is bet on with r/(1+(r-1)q) in the
// experiment and 1/(1+(r-1)q) in control, whose mean weighted by q is 1; then
// weighted AM-GM over the bucket. If r does not fall with b it also holds for
// an experiment that is better than control (stochastic order). Either q is
// the split by which each observation is routed at random, or the share seen
// in the bucket itself. Source: derived, and checked by enumeration; cf.
// Turner, Ly, Grünwald 2021 (arXiv 2106.02693).
func (b bet) setRatio(i int, logR, r, q float64) {
	l := math.Log1p((r - 1) * q)
	b.e[i], b.c[i] = logR-l, -l
}

// setMargin makes b the bet F4 on category i that the ratio is r, against the
// null that it is on the far side of the margin r0:
//
//	log e = fE*log(r/r0) - (fE+fC)*log[(1+(r-1)q)/(1+(r0-1)q)]
//
// With r < r0 the null is "ratio at least r0" (no harm beyond a margin above
// 1), with r > r0 it is "ratio at most r0" (more harm than is tolerated). It
// holds for Poisson and Bernoulli counts and any rate over time.
// Source: derived from F1 by change of null; docs/analysis.md.
func (b bet) setMargin(i int, r, r0, q float64) {
	l := math.Log1p((r-1)*q) - math.Log1p((r0-1)*q)
	b.e[i], b.c[i] = math.Log(r/r0)-l, -l
}

// setDifference makes b the bet F5 on [success, failure], that the shares of
// failures are thetaC and thetaE, against the null that pE - pC is at least
// d0 (at most d0, where thetaE-thetaC > d0). s is the share of failures of
// control that is nearest to the bet among all on the margin:
//
//	nC(thetaC-s)/(s(1-s)) + nE(thetaE-s-d0)/((s+d0)(1-s-d0)) = 0
//	log e = fC*log(thetaC/s) + (nC-fC)*log((1-thetaC)/(1-s))
//	      + fE*log(thetaE/(s+d0)) + (nE-fE)*log((1-thetaE)/(1-s-d0))
//
// It assumes independent trials and d0 in (0, 1). log(1+x) <= x on each factor
// and the condition on s show that exp(log e) is expected to be at most 1.
// Source: reverse information projection; safestats, safe2x2Test.R.
func (b bet) setDifference(nE, nC, thetaE, thetaC, d0 float64) (s float64) {
	s = onMargin(nE, nC, thetaE, thetaC, d0)
	b.c[0], b.c[1] = math.Log((1-thetaC)/(1-s)), math.Log(thetaC/s)
	b.e[0], b.e[1] = math.Log((1-thetaE)/(1-s-d0)), math.Log(thetaE/(s+d0))
	return s
}

// onMargin solves for s of F5 by bisection; what it solves falls with s.
func onMargin(nE, nC, thetaE, thetaC, d0 float64) float64 {
	const edge = 1e-12
	s := root(0, 1-d0, func(s float64) bool {
		return nC*(thetaC-s)/(s*(1-s))+nE*(thetaE-s-d0)/((s+d0)*(1-s-d0)) > 0
	})
	return min(max(s, edge*(1-d0)), (1-d0)*(1-edge))
}
