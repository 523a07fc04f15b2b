package analysis

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Outcome is what a comparison has come to.
type Outcome string

// The four outcomes. All but Continue are final, except that an abort still
// replaces a clear, if harm shows in buckets that arrive after it.
const (
	// Continue is: not enough is known yet.
	Continue Outcome = "continue"
	// Abort is: harm is shown. Without harm its probability is at most alpha.
	Abort Outcome = "abort"
	// Clear is: every guarded metric is shown to have no harm beyond its
	// margin. With such harm from the beginning its probability is at most
	// beta, for any number of metrics.
	Clear Outcome = "clear"
	// Inconclusive is: the horizon has come, the harm budget is spent, or the
	// split is broken, and nothing is shown.
	Inconclusive Outcome = "inconclusive"
)

// Cause is why a comparison is over, for programs.
type Cause string

// The causes.
const (
	HarmShown    Cause = "harm-shown"
	HarmRuledOut Cause = "harm-ruled-out"
	HorizonCame  Cause = "horizon"
	BudgetSpent  Cause = "budget"
	SplitBroken  Cause = "split"
)

// Decision is an outcome with its reasons.
type Decision struct {
	Outcome Outcome   `json:"outcome"`
	Cause   Cause     `json:"cause,omitempty"`
	At      time.Time `json:"at,omitzero"`
	// Reason is one sentence for people.
	Reason string `json:"reason,omitempty"`
}

// Decide says what is known at a time, which the caller's clock gives. Looking
// more often never weakens it. The first outcome that is not Continue stays,
// but for harm that shows later.
//
// In this order: a broken split makes everything void; harm shown aborts; every
// guarded metric shown to be within its margin, with traffic in both arms and
// next to no time missing, clears (intersection-union test: no correction for
// many metrics, Berger 1982); a spent budget or the horizon end it without an
// answer. A plan without a margin is never cleared.
func (c *Comparison) Decide(at time.Time) Decision {
	if c.begun.IsZero() {
		return Decision{Outcome: Continue}
	}
	final := c.outcome.Outcome != ""
	if final && c.outcome.Outcome != Clear {
		return c.outcome
	}
	if d := c.decide(at.Round(0)); !final && d.Outcome != Continue || d.Outcome == Abort {
		c.outcome = d
	} else if !final {
		return d
	}
	return c.outcome
}

func (c *Comparison) decide(at time.Time) Decision {
	switch {
	case c.Split() != "":
		return Decision{Inconclusive, SplitBroken, at, c.Split()}
	case c.HarmLogE() >= math.Log(1/c.plan.Alpha)-1e-12:
		return Decision{Abort, HarmShown, at, "harm is shown by " + c.mostHarmed()}
	case c.cleared(at):
		return Decision{Clear, HarmRuledOut, at, "harm beyond the margin is ruled out for every metric that has one"}
	case c.plan.ExtraFailures > 0 && c.ExtraFailures() >= c.plan.ExtraFailures:
		return Decision{Inconclusive, BudgetSpent, at, fmt.Sprintf("the harm budget is spent: about %.0f extra failures", c.ExtraFailures())}
	case c.plan.Horizon > 0 && at.Sub(c.begun) >= c.plan.Horizon:
		return Decision{Inconclusive, HorizonCame, at, strings.Join(c.doubts(at), "; ")}
	}
	return Decision{Outcome: Continue}
}

// cleared reports whether no doubt is left; most looks end at the first metric.
func (c *Comparison) cleared(at time.Time) bool {
	for _, s := range c.streams {
		if s.metric.guarded() && s.evidence().clearLogE() < math.Log(1/c.plan.Beta) {
			return false
		}
	}
	return len(c.doubts(at)) == 0
}

// doubts are what keeps the comparison from being cleared.
func (c *Comparison) doubts(at time.Time) []string {
	var all []string
	guarded := 0
	for _, s := range c.streams {
		if !s.metric.guarded() {
			continue
		}
		guarded++
		all = append(all, s.doubts(c.begun, at)...)
		if p := progress(s.evidence().clearLogE(), c.plan.Beta); p < 1 {
			all = append(all, fmt.Sprintf("%s: harm beyond the margin is not ruled out (%.0f %% of the proof)", s.metric.Name, math.Floor(100*p)))
		}
	}
	if guarded == 0 {
		all = append(all, "no metric has a margin, so nothing can be cleared")
	}
	return all
}

// mostHarmed names the metric with the most weighted evidence for harm.
func (c *Comparison) mostHarmed() string {
	name, most := "", math.Inf(-1)
	for i, s := range c.streams {
		h, stake := s.evidence().harm()
		if e := h.logE(stake) + math.Log(c.weights[i]); e > most {
			name, most = s.metric.Name, e
		}
	}
	return name
}

// progress is how much of a proof there is, from 0 to 1.
func progress(logE, level float64) float64 {
	return min(max(logE/math.Log(1/level), 0), 1)
}
