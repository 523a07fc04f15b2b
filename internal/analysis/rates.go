package analysis

import "math"

const (
	// priorTrials is how many trials the usual share of failures weighs.
	priorTrials = 100
	// fewTrials is below how many of both arms a known split is used: the split
	// seen in a bucket loses an eighth of the speed at 5 per arm and nothing to
	// speak of at 30, and bears arms that drift.
	fewTrials = 60
)

// seenShare is q of F1 for a bucket of nE and nC trials: the share that each was
// drawn with, if known (else 0), for few of them, and else the share seen. Which one depends on nE+nC alone, and so
// both are as valid as by themselves.
func seenShare(known, nE, nC float64) float64 {
	if known > 0 && nE+nC < fewTrials || nE+nC == 0 {
		return orElse(known, 0.5)
	}
	return nE / (nE + nC)
}

// tilt is the share of events that falls to the experiment if it has r0 times
// as many per unit of traffic. F4 is F1 with q tilted.
func tilt(q, r0 float64) float64 { return r0 * q / (1 + (r0-1)*q) }

// noHarm are the ratios that clearing a ratio margin bets on, and their
// weights: no harm, and half of the margin either way.
func noHarm(r0 float64) (ratios, weights []float64) {
	half := math.Sqrt(r0)
	return []float64{1, half, 1 / half}, []float64{0.6, 0.2, 0.2}
}

// failures is the evidence of a [SuccessRate].
type failures struct {
	Harm  harm    `json:"harm"`
	Clear average `json:"clear"`
	// What was learnt, baseline included: of control, and of both arms.
	ControlFailed int64 `json:"controlFailed"`
	ControlTrials int64 `json:"controlTrials"`
	Failed        int64 `json:"failed"`
	Trials        int64 `json:"trials"`

	metric Metric
	share  float64
	stake  stake
	psi    []float64
	logPsi []float64
	bets   []bet
	logE   []float64
	clear  bet
}

func newFailures(m Metric, share, threshold float64) *failures {
	f := &failures{metric: m, share: share, logPsi: logRatiosUp(), logE: make([]float64, sizes), clear: newBet(2)}
	f.stake = stake{logW: uniform(sizes), dispersion: m.Dispersion, threshold: threshold}
	for range sizes {
		f.psi, f.bets = append(f.psi, math.Exp(f.logPsi[len(f.psi)])), append(f.bets, newBet(2))
	}
	f.Harm = newHarm(f.stake)
	f.Clear = newAverage(1)
	if m.Margin.Ratio != 0 {
		_, weights := noHarm(m.Margin.Ratio)
		f.Clear = newAverage(weights...)
	}
	return f
}

// trials are a bucket's, as [success, failure] by arm.
func trials(b *Bucket) (hE, hC [2]float64) {
	of := func(a Arm) [2]float64 { return [2]float64{float64(a.Successes), float64(a.Requests - a.Successes)} }
	return of(b.Experiment), of(b.Control)
}

func (f *failures) check(*Bucket) error { return nil }

func (f *failures) learn(b *Bucket, baseline bool) {
	c, e := b.Control, b.Experiment
	f.ControlFailed += c.Requests - c.Successes
	f.ControlTrials += c.Requests
	if baseline { // no arm has a fault yet
		f.ControlFailed += e.Requests - e.Successes
		f.ControlTrials += e.Requests
	}
	f.Failed += c.Requests - c.Successes + e.Requests - e.Successes
	f.Trials += c.Requests + e.Requests
}

func (f *failures) observe(b *Bucket) {
	hE, hC := trials(b)
	nE, nC := hE[0]+hE[1], hC[0]+hC[1]
	q := seenShare(f.share, nE, nC)
	f.wager(q)
	for k, bet := range f.bets {
		f.logE[k] = bet.logE(hE[:], hC[:])
	}
	f.Harm.observe(f.stake, b.Width.Seconds(), f.logE, func(before float64) []outcome { return f.outcomes(hE, hC, before) })
	if f.metric.guarded() && nE > 0 && nC > 0 {
		f.observeClear(hE, hC, q)
	}
	f.learn(b, false)
}

// theta is the share of failures that control is expected to have.
func (f *failures) theta() float64 {
	return (float64(f.ControlFailed) + f.metric.Usual*priorTrials) / (float64(f.ControlTrials) + priorTrials)
}

// wager sets the bets for a bucket whose experiment has share q: odds of
// failure psi times control's, R = [1/d, psi/d] with d = 1-theta+psi*theta.
func (f *failures) wager(q float64) {
	theta := f.theta()
	for k, logPsi := range f.logPsi {
		psi := f.psi[k]
		if r0 := f.metric.Tolerance; r0 != 1 {
			f.bets[k].setRatio(1, logPsi, psi, tilt(q, r0))
			continue
		}
		d := 1 - theta + psi*theta
		logD := math.Log(d)
		f.bets[k].setRatio(0, -logD, 1/d, q)
		f.bets[k].setRatio(1, logPsi-logD, psi/d, q)
	}
}

func (f *failures) observeClear(hE, hC [2]float64, q float64) {
	phi := f.metric.Dispersion
	if d0 := f.metric.Margin.Difference; d0 != 0 {
		theta := (float64(f.Failed) + f.metric.Usual*priorTrials) / (float64(f.Trials) + priorTrials)
		f.clear.setDifference(hE[0]+hE[1], hC[0]+hC[1], theta, theta, d0)
		f.Clear.add(0, f.clear.logE(hE[:], hC[:])/phi)
		return
	}
	ratios, _ := noHarm(f.metric.Margin.Ratio)
	for k, r := range ratios {
		f.clear.e[0], f.clear.c[0] = 0, 0
		f.clear.setMargin(1, r, f.metric.Margin.Ratio, q)
		f.Clear.add(k, f.clear.logE(hE[:], hC[:])/phi)
	}
}

// outcomes are how else the failures of a bucket could have fallen: for few
// trials with a known split each trial by chance, else hypergeometric.
func (f *failures) outcomes(hE, hC [2]float64, before float64) []outcome {
	nE, m := hE[0]+hE[1], hE[1]+hC[1]
	n := nE + hC[0] + hC[1]
	var all []outcome
	logE := make([]float64, sizes)
	consider := func(failed, passed, logP float64) {
		e, c := [2]float64{passed, failed}, [2]float64{n - m - passed, m - failed}
		for k, bet := range f.bets {
			logE[k] = bet.logE(e[:], c[:])
		}
		all = append(all, outcome{logP, f.Harm.Mixture.logEWith(logE) - before})
	}
	switch {
	case m == 0 || m > mostOutcomes:
		return nil
	case f.share > 0 && n < fewTrials:
		for x := 0.0; x <= m; x++ {
			for y := 0.0; y <= n-m; y++ {
				consider(x, y, binomial(x, m, f.share)+binomial(y, n-m, f.share))
			}
		}
	default:
		for x := max(0, m-(n-nE)); x <= min(m, nE); x++ {
			consider(x, nE-x, hypergeometric(x, m, nE, n))
		}
	}
	return all
}

func (f *failures) harm() (*harm, stake) { return &f.Harm, f.stake }
func (f *failures) clearLogE() float64   { return f.Clear.logE() }
