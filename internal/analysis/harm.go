package analysis

import "math"

// harm is the evidence for harm in one metric, between buckets.
type harm struct {
	Mixture mixture `json:"mixture"`
	// Boosted is the evidence that counts, if Room is set: the mixture's with
	// its overshoot spread.
	Boosted float64 `json:"boosted,omitempty"`
	// Most is the largest evidence there ever was.
	Most float64 `json:"most"`
}

// stake is what the harm of a metric is bet with; it does not change.
type stake struct {
	logW []float64
	// dispersion divides the evidence (tempering).
	dispersion float64
	// threshold is the log evidence at which this metric alone would abort; it
	// is set if the evidence is boosted towards it, else 0.
	threshold float64
}

func newHarm(s stake) harm { return harm{Mixture: newMixture(s.logW, begunAtOnce)} }

// logE is the log evidence for harm.
func (h *harm) logE(s stake) float64 {
	if s.threshold > 0 {
		return h.Boosted
	}
	return h.Mixture.logE()
}

// observe takes a bucket of so many seconds, whose evidence is logE by size of
// harm. outcomes, if any, fills in how else the bucket could have turned out.
func (h *harm) observe(s stake, seconds float64, logE []float64, outcomes func(before float64) []outcome) {
	h.Mixture.changeOver(s.logW, seconds)
	before := h.Mixture.logE()
	for k := range logE {
		logE[k] /= s.dispersion
	}
	room, b := s.threshold-h.Boosted, 0.0
	if s.threshold > 0 && room > 0 && outcomes != nil {
		if all := outcomes(before); len(all) > 0 {
			b = boost(all, room)
		}
	}
	h.Mixture.add(logE)
	if s.threshold > 0 && room > 0 {
		h.Boosted += finite(min(h.Mixture.logE()-before+b, room))
	}
	h.Most = max(h.Most, h.logE(s))
}

// pValue is the p-value that holds at any time: exp(-most) (Ville).
func (h *harm) pValue() float64 { return math.Min(1, math.Exp(-h.Most)) }
