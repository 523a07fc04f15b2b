package analysis

import "math"

const (
	// begunAtOnce is the prior weight of harm from the first bucket on (pi).
	begunAtOnce = 0.8
	// changeAfter is the mean time, in seconds, after which later harm is
	// expected to begin (1/h).
	changeAfter = 300.0
)

// mixture is F2, the evidence for harm of an unknown size that began at an
// unknown time: the Bayes factor of "harm of size k from a geometric time on"
// against none.
//
//	logA[k] starts at log(pi*w[k]), logZ at log(1-pi)
//	every bucket:  logA[k] = logAddExp(logA[k], logZ + log h + log w[k])
//	               logZ   += log(1-h)
//	               logA[k] += log e(bucket; k)
//	log E = logSumExp(logA..., logZ)
//
// A weighted mean of e-processes is an e-process, and so this holds whatever
// the weights. It cannot fall below (1-pi)(1-h)^t: healthy hours before the
// harm do not poison it. Source: Shin, Ramdas, Rinaldo 2022 (e-detectors),
// arXiv 2203.03532; Robbins' mixtures.
type mixture struct {
	LogA []float64 `json:"logA"`
	LogZ float64   `json:"logZ"`
}

func newMixture(logW []float64, pi float64) mixture {
	m := mixture{LogA: make([]float64, len(logW)), LogZ: math.Log1p(-pi)}
	for k, w := range logW {
		m.LogA[k] = math.Log(pi) + w
	}
	return m
}

// change lets some of the harm that has not begun begin: share h of it, given
// as log h and log(1-h).
func (m *mixture) change(logW []float64, logH, logKeep float64) {
	for k, w := range logW {
		m.LogA[k] = logAddExp(m.LogA[k], m.LogZ+logH+w)
	}
	m.LogZ = finite(m.LogZ + logKeep)
}

// changeOver is change for a bucket of so many seconds: h = 1-exp(-s/300).
func (m *mixture) changeOver(logW []float64, seconds float64) {
	x := seconds / changeAfter
	m.change(logW, math.Log(-math.Expm1(-x)), -x)
}

// add is the evidence of one bucket, by size of harm.
func (m *mixture) add(logE []float64) {
	for k, e := range logE {
		m.LogA[k] = finite(m.LogA[k] + e)
	}
}

func (m *mixture) logE() float64 {
	return logAddExp(logSumExp(m.LogA...), m.LogZ)
}

// logEWith is what logE would be after add(logE).
func (m *mixture) logEWith(logE []float64) float64 {
	most := m.LogZ
	for k, e := range logE {
		most = max(most, m.LogA[k]+e)
	}
	sum := math.Exp(m.LogZ - most)
	for k, e := range logE {
		sum += math.Exp(m.LogA[k] + e - most)
	}
	return most + math.Log(sum)
}

// average is a mixture that has begun for certain: the evidence that there is
// no harm beyond a margin, which has no time of onset.
type average struct {
	LogA []float64 `json:"logA"`
}

func newAverage(weights ...float64) average {
	a := average{LogA: make([]float64, len(weights))}
	for k, w := range weights {
		a.LogA[k] = math.Log(w)
	}
	return a
}

func (a *average) add(k int, logE float64) { a.LogA[k] = finite(a.LogA[k] + logE) }
func (a *average) logE() float64           { return logSumExp(a.LogA...) }

// weigh is the evidence of several metrics, log(sum_j w[j]*exp(logE[j])): it
// holds under any dependence between them, and is never less than Bonferroni's.
// Source: Vovk and Wang 2021, "E-values: calibration, combination and
// applications", arXiv 1912.06116.
func weigh(logE, weights []float64) float64 {
	terms := make([]float64, 0, 8)
	for j := range logE {
		terms = append(terms, math.Log(weights[j])+logE[j])
	}
	return logSumExp(terms...)
}
