package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// InWords says how the experiment differs from control in one metric, with
// the interval in which the truth lies; empty while nothing is known.
func (m Metric) InWords() string {
	switch m.Spec.Metric {
	case mishap.SuccessRate:
		if d := m.Difference; d != nil {
			text := words.Side(d.Estimate*100, " pp", "more requests", "fewer requests")
			if strings.HasPrefix(text, "0 ") {
				text = "as many requests"
			}
			return fmt.Sprintf("%s fail (%s)", text, words.Sides(d.Low*100, d.High*100, " pp", "more", "fewer"))
		}
	case mishap.EventRate:
		if r := m.Ratio; r != nil {
			return times(r, "more", "fewer")
		}
	case mishap.Latency:
		if r := m.Ratio; r != nil {
			return times(r, "slower", "faster")
		}
		return m.quantiles()
	case mishap.Gauge:
		if d := m.Difference; d != nil {
			return fmt.Sprintf("%s (%s)", words.Side(d.Estimate, "", "higher", "lower"), words.Sides(d.Low, d.High, "", "higher", "lower"))
		}
	}
	return ""
}

// times says a ratio and its interval.
func times(r *mishap.Interval, more, less string) string {
	if r.High >= 1e6 { // it stands for "without a bound"
		return fmt.Sprintf("%s (at least %s)", ratio(r.Estimate, more, less), ratio(r.Low, more, less))
	}
	if r.High > 3 {
		return fmt.Sprintf("%s times that of control (%s to %s times)", words.Short(r.Estimate), words.Short(r.Low), words.Short(r.High))
	}
	low, high := (r.Low-1)*100, (r.High-1)*100
	return fmt.Sprintf("%s (%s)", ratio(r.Estimate, more, less), words.Sides(low, high, " %", more, less))
}

// ratio says one ratio: "12 % more".
func ratio(r float64, more, less string) string {
	text := words.Side((r-1)*100, " %", more, less)
	if strings.HasPrefix(text, "0 %") {
		return "the same"
	}
	return text
}

// quantiles compares latencies by those so far; they have no interval.
func (m Metric) quantiles() string {
	c, e := m.Total.Control, m.Total.Experiment
	var parts []string
	if c.P50 > 0 && e.P50 > 0 {
		parts = append(parts, "p50 "+ratio(e.P50.Std().Seconds()/c.P50.Std().Seconds(), "slower", "faster"))
	}
	if c.P99 > 0 && e.P99 > 0 {
		parts = append(parts, "p99 "+ratio(e.P99.Std().Seconds()/c.P99.Std().Seconds(), "slower", "faster"))
	}
	return strings.Join(parts, ", ")
}

// Margin says how much harm is tolerated.
func (m Metric) Margin() string {
	switch d, r := m.Spec.Margin.Difference, m.Spec.Margin.Ratio; {
	case d != 0 && m.Spec.Metric == mishap.SuccessRate:
		return words.Short(d*100) + " pp"
	case d != 0:
		return words.Short(d)
	case r != 0:
		return words.Short(math.Abs(r-1)*100) + " %"
	}
	return "none"
}

// Failures is the count of extra failures beside its limit.
func (a *Arms) Failures() string {
	text := words.Short(math.Round(a.extra))
	if a.budget > 0 {
		text += " of at most " + words.Short(a.budget)
	}
	return text
}

// Result is the outcome in words.
func (a *Arms) Result() string {
	switch {
	case a.Outcome == mishap.HarmShown && a.unmet:
		return "the arms differ, and nothing is known to have met a fault"
	case a.Outcome == mishap.HarmShown && a.Intervals != nil:
		return "harm beyond the margin is shown"
	case a.Outcome == mishap.HarmRuledOut && a.Intervals != nil:
		return "no harm beyond the margins"
	case a.Outcome == mishap.HarmShown:
		return "harm is proven"
	}
	switch a.Outcome {
	case mishap.HarmRuledOut:
		return "harm is ruled out"
	case mishap.Undecided:
		return "undecided"
	}
	return "not decided yet"
}

// decision is the outcome with its reason.
func (a *Arms) decision() string {
	if a.Intervals != nil && a.Outcome == mishap.HarmRuledOut {
		return a.reason
	}
	return words.Joined(": ", a.Result(), a.reason)
}

// cautious explains the first interval that does not look like its proof.
func (a *Arms) cautious() string {
	for _, m := range a.Metrics {
		if text := m.Cautious(); text != "" {
			return text
		}
	}
	return ""
}

// Cautious explains an interval that still holds no difference, although the
// proof of harm is complete, or more than the margin, although that is ruled out.
func (m Metric) Cautious() string {
	const why = "; a range takes more requests than a proof, and the proof decides"
	gap, margin := m.Gap(), m.GapMargin()
	switch {
	case gap == nil:
	case m.Harm >= 1 && gap.Low < 0 && gap.High > 0:
		return "the range still holds “no difference”" + why
	case m.Clear >= 1 && gap.Low < margin && margin < gap.High:
		return "the range still reaches beyond the margin" + why
	}
	return ""
}

// Costs says an estimated cost with its assumptions.
func Costs(c *mishap.CostEstimate, prices mishap.Cost) string {
	var parts []string
	if prices.PerRequest > 0 && c.Failures > 0 {
		parts = append(parts, fmt.Sprintf("%s extra failed requests at %s each", words.Short(c.Failures), words.Money(prices.PerRequest)))
	}
	if prices.PerMinute > 0 && c.Harm > 0 {
		share := "all of the traffic"
		if c.Share < 1 {
			share = c.Share.String() + " of the traffic"
		}
		parts = append(parts, fmt.Sprintf("%s of harm to %s at %s a minute, from the injection to the end of the revert", words.Took(time.Duration(c.Harm)), share, words.Money(prices.PerMinute)))
	}
	if len(parts) == 0 {
		return words.Joined(" ", "0", c.Currency) + ": no harm was counted"
	}
	return fmt.Sprintf("about %s, estimated: %s; what came later is not in it", words.Joined(" ", words.Money(c.Amount), c.Currency), strings.Join(parts, ", and "))
}

// ToGo is how long the comparison may still take.
func (a *Arms) ToGo() string {
	switch {
	case a.Outcome != "":
		return "decided"
	case a.left > 0:
		return "at most " + words.Took(a.left.Truncate(time.Second)) + " to go"
	}
	return ""
}
