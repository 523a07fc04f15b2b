package analysis

import (
	"math"

	"mishap/internal/slots"
)

// pair is a row's sums in both arms, of the slots that were seen, in the form
// from which the score of any harm d follows at once: r, a slot's bad requests
// beyond what is expected of it, is linear in d.
//
// Sources: sums of fair signs, self-normalised (Hoeffding 1963; de la Peña
// 1999); adjustment by the baseline (Lin 2013; Deng et al. 2013).
type pair struct {
	e, c    slots.Moments // e scaled
	n       float64       // N of both
	r0      float64       // share of bad ones in both baselines
	sE, sC  float64       // Σs of each arm
	ss      float64       // Σs² of both
	poisson bool          // y are events, of which a unit may have many
}

// pairOf is the pair with the experiment's bad requests multiplied by a factor.
func pairOf(control, experiment slots.Moments, by float64, poisson bool) pair {
	p := pair{e: scaled(experiment, by), c: control, n: control.N + experiment.N, poisson: poisson}
	n0 := p.e.N0 + p.c.N0
	if n0 <= 0 {
		return p
	}
	p.r0 = (p.e.Y0 + p.c.Y0) / n0
	p.sE, p.sC = p.e.Y0-p.r0*p.e.N0, p.c.Y0-p.r0*p.c.N0
	both := p.e.Plus(p.c)
	p.ss = both.Y0Y0 - 2*p.r0*both.N0Y0 + p.r0*p.r0*both.N0N0
	if p.ss <= 1e-9*both.Y0Y0 { // nothing but the error of rounding
		p.ss = 0
	}
	return p
}

// Apart is by how many standard deviations, of units, more of the experiment's
// requests are bad than of control's.
func Apart(control, experiment slots.Moments) float64 {
	p := pairOf(control, experiment, 1, false)
	s := p.at(0)
	return s.z
}

func scaled(m slots.Moments, by float64) slots.Moments {
	if by == 1 {
		return m
	}
	m.Y, m.NY, m.YN0, m.YY0, m.YY = m.Y*by, m.NY*by, m.YN0*by, m.YY0*by, m.YY*by*by
	m.Each *= by
	return m
}

// score is how far the arms are from a harm of d.
type score struct {
	t, v, a float64 // Σ over E less Σ over C of what is left; its variance; T per unit of harm
	z, info float64
	rate    float64 // pooled share of bad requests, if E has d more
	theta   float64
	deff    float64 // how many times the variance of independent requests it has
}

func (p *pair) at(d float64) score {
	if p.e.N <= 0 || p.c.N <= 0 {
		return score{}
	}
	rC := (p.e.Y - d*p.e.N + p.c.Y) / p.n
	rE := rC + d
	rr := max(p.e.YY-2*rE*p.e.NY+rE*rE*p.e.NN, 0) + max(p.c.YY-2*rC*p.c.NY+rC*rC*p.c.NN, 0)
	rs := p.e.YY0 - p.r0*p.e.YN0 - rE*(p.e.NY0-p.r0*p.e.NN0) + p.c.YY0 - p.r0*p.c.YN0 - rC*(p.c.NY0-p.r0*p.c.NN0)
	s := score{rate: rC, a: 2 * p.e.N * p.c.N / p.n}
	if p.ss > 0 {
		s.theta = rs / p.ss
	}
	s.t = p.e.Y - rE*p.e.N - (p.c.Y - rC*p.c.N) - s.theta*(p.sE-p.sC)
	least := p.independent(rC, d)
	s.v = max(rr-s.theta*rs, least)
	if s.v > 0 {
		s.z, s.info, s.deff = s.t/math.Sqrt(s.v), s.a*s.a/s.v, s.v/least
	}
	return s
}

// independent is the variance of T if requests were independent: there is never
// less.
func (p *pair) independent(rate, d float64) float64 {
	pC := max(rate, 0)
	pE := pC + d
	vC, vE := pC*(1-pC), pE*(1-pE)
	if p.poisson {
		vC, vE = pC, pE
	}
	shareE, shareC := p.e.N/p.n, p.c.N/p.n
	return 4 * (shareC*shareC*p.e.N*max(vE, 0) + shareE*shareE*p.c.N*max(vC, 0))
}

// wide is the log evidence for a difference of shares that is beyond a margin, of
// which it is not known how great it is; narrow is that for one of about g.
func wide(z, i, margin float64) float64 {
	m := max(margin, smallest)
	return logMean(mixture(z, i, 0.7*m), mixture(z, i, 4*m), mixture(z, i, 0.15))
}

func narrow(z, i, g float64) float64 { return logMean(mixture(z, i, g), mixture(z, i, 6*g)) }

// mixture is the log evidence of a score z at information i for harm that is
// about tau beyond: a half-normal mixture (Robbins 1970), right at every look
// where sums have independent increments in information (Scharfstein, Tsiatis,
// Robins 1997; Waudby-Smith et al. 2024).
func mixture(z, i, tau float64) float64 {
	k := i * tau * tau
	x := z * math.Sqrt(k/(1+k))
	return math.Ln2 - 0.5*math.Log1p(k) + 0.5*x*x + logPhi(x)
}
