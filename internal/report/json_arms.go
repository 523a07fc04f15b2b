package report

import "mishap"

// SummaryComparison is what both arms have shown.
type SummaryComparison struct {
	Outcome  *mishap.ComparisonOutcome `json:"outcome"` // null while nothing is decided
	Reason   string                    `json:"reason"`
	Method   string                    `json:"method"`                  // intervals, or proofs of older runs
	What     *mishap.Intervals         `json:"intervals,omitempty"`     // what decides
	Harm     *float64                  `json:"proofOfHarm,omitempty"`   // of older runs, 0 to 1
	Clear    *float64                  `json:"proofOfNoHarm,omitempty"` // of the metric with the least, 0 to 1
	Extra    float64                   `json:"extraFailures"`
	Doubts   []string                  `json:"doubts"`
	Looks    int                       `json:"looks"`
	Baseline *mishap.Comparison        `json:"baseline"` // the last look before any fault
	Last     *mishap.Comparison        `json:"last"`     // the last look while the fault was in
}

// SummaryCost is an estimated cost in numbers and in words.
type SummaryCost struct {
	mishap.CostEstimate
	Assumes string `json:"assumes"`
}

func summarizeComparison(r *mishap.Run) *SummaryComparison {
	a := Compared(r)
	if a == nil {
		return nil
	}
	s := &SummaryComparison{Reason: a.reason, Method: "intervals", What: a.Intervals, Extra: a.extra, Doubts: append([]string{}, a.Doubts...), Looks: len(r.Looks)}
	if a.Outcome != "" {
		s.Outcome = &a.Outcome
	}
	if ByProofs(r) {
		s.Method, s.Harm = "proofs", &a.Harm
		if a.Guarded {
			s.Clear = &a.Clear
		}
	}
	for _, look := range r.Looks {
		switch look.Phase {
		case mishap.InBaseline:
			s.Baseline = inUTC(look)
		case mishap.InHold:
			s.Last = inUTC(look)
		}
	}
	return s
}

func inUTC(look *mishap.Comparison) *mishap.Comparison {
	one := *look
	one.Start = one.Start.UTC()
	return &one
}

func summarizeCost(r *mishap.Run) *SummaryCost {
	cost := mishap.EstimateCost(r)
	if cost == nil {
		return nil
	}
	return &SummaryCost{*cost, Costs(cost, *r.Plan.Experiment.Cost)}
}
