package mishap

import (
	"math"
	"time"
)

// Cost is what harm costs the owner of a system. With it, reports estimate what
// the harm of a run has cost.
type Cost struct {
	PerRequest float64 `json:"perRequest,omitempty" jsonschema:"what one failed request costs"`
	PerMinute  float64 `json:"perMinute,omitempty" jsonschema:"what a minute of harm to all of the traffic costs"`
	Currency   string  `json:"currency" jsonschema:"such as EUR"`
}

// CostEstimate is what the harm of a run has cost, and what of it was counted.
// It is as good as the prices, and says nothing of what came later.
type CostEstimate struct {
	Amount   float64  `json:"amount"`
	Currency string   `json:"currency"`
	Failures float64  `json:"failures"` // failed requests beyond what control lets expect; 0 where nothing was compared
	Harm     Duration `json:"harm"`     // how long harm was done, at most
	Share    Share    `json:"share"`    // of the traffic that was harmed
}

// EstimateCost is what the harm of the run has cost so far; nil if the
// experiment has no prices, or nothing was injected. Extra failures are counted
// as they are. Minutes are counted only if the run deviated: from the injection
// to the end of the revert, because nobody knows when the harm began, and for
// the share of the traffic that the fault could reach.
func EstimateCost(r *Run) *CostEstimate {
	cost := r.Plan.Experiment.Cost
	if cost == nil || r.InjectedAt.IsZero() {
		return nil
	}
	e := &CostEstimate{Currency: cost.Currency, Share: reach(r.Plan.Experiment)}
	if look := r.Compared(); look != nil {
		e.Failures = math.Max(0, math.Round(look.Extra))
	}
	if r.Deviated() != "" {
		e.Harm = Duration(max(0, lastSettled(r).Sub(r.InjectedAt)))
	}
	e.Amount = e.Failures*cost.PerRequest + time.Duration(e.Harm).Minutes()*cost.PerMinute*float64(e.Share)
	return e
}

// reach is the part of the traffic that the faults of an experiment can harm.
func reach(e Experiment) Share {
	if e.Compare != nil && e.Compare.Arms.From == ArmsFromRequests && e.Compare.Arms.Share > 0 {
		return e.Compare.Arms.Share
	}
	return 1
}

// lastSettled is when the last fault was out; while one is in, the last time
// that the run remembers.
func lastSettled(r *Run) time.Time {
	var last time.Time
	for _, in := range r.Injections {
		if in.Fault != ArmsFault && in.SettledAt.After(last) {
			last = in.SettledAt
		}
	}
	if last.IsZero() {
		last = r.RevertingAt
	}
	return last
}
