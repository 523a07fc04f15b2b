package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mishap"
)

// percent writes a share with as many digits as are needed to see what is
// missing to all or none.
func percent(share float64) string {
	digits := 0
	switch away := math.Min(math.Abs(share), math.Abs(1-share)); {
	case away == 0:
	case away < 0.0001:
		digits = 4
	case away < 0.1:
		digits = 2
	case away < 1:
		digits = 1
	}
	return strconv.FormatFloat(share*100, 'f', digits, 64) + " %"
}

// proof writes a proof from 0 to 1; all of it is only said when it is there.
func proof(p float64) string {
	switch {
	case math.IsNaN(p) || p <= 0:
		return "0 %"
	case p >= 1:
		return "100 %"
	}
	return fmt.Sprintf("%d %%", int(p*100))
}

// short is a number that was estimated, with as many digits as that deserves.
func short(v float64) string {
	digits := 2
	switch a := math.Abs(v); {
	case math.IsNaN(v) || a >= 1e9:
		return "?"
	case a >= 9.95:
		digits = 0
	case a >= 0.995 || a < 0.005:
		digits = 1
	}
	return strings.TrimSuffix(strings.TrimSuffix(strconv.FormatFloat(v, 'f', digits, 64), ".00"), ".0")
}

// side writes how far a value lies from none, and on which side: "0.4 pp more".
func side(v float64, unit, more, less string) string {
	if v < 0 {
		return short(-v) + unit + " " + less
	}
	return short(v) + unit + " " + more
}

// sides writes the two ends of an interval, the lower first, and the word once
// if both lie on one side.
func sides(low, high float64, unit, more, less string) string {
	switch {
	case low >= 0 && high >= 0:
		return short(low) + " to " + side(high, unit, more, less)
	case low < 0 && high < 0:
		return short(-high) + " to " + side(low, unit, more, less)
	}
	return side(low, unit, more, less) + " to " + side(high, unit, more, less)
}

// inWords says how the experiment differs from control in one metric, with
// the interval in which the truth lies; empty while nothing is known.
func (m metric) inWords() string {
	switch m.spec.Metric {
	case mishap.SuccessRate:
		if d := m.Difference; d != nil {
			text := side(d.Estimate*100, " pp", "more requests", "fewer requests")
			if strings.HasPrefix(text, "0 ") {
				text = "as many requests"
			}
			return fmt.Sprintf("%s fail (%s)", text, sides(d.Low*100, d.High*100, " pp", "more", "fewer"))
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
			return fmt.Sprintf("%s (%s)", side(d.Estimate, "", "higher", "lower"), sides(d.Low, d.High, "", "higher", "lower"))
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
		return fmt.Sprintf("%s times that of control (%s to %s times)", short(r.Estimate), short(r.Low), short(r.High))
	}
	low, high := (r.Low-1)*100, (r.High-1)*100
	return fmt.Sprintf("%s (%s)", ratio(r.Estimate, more, less), sides(low, high, " %", more, less))
}

// ratio says one ratio: "12 % more".
func ratio(r float64, more, less string) string {
	text := side((r-1)*100, " %", more, less)
	if strings.HasPrefix(text, "0 %") {
		return "the same"
	}
	return text
}

// quantiles compares latencies by those so far; they have no interval.
func (m metric) quantiles() string {
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

// margin says how much harm is tolerated.
func (m metric) margin() string {
	switch d, r := m.spec.Margin.Difference, m.spec.Margin.Ratio; {
	case d != 0 && m.spec.Metric == mishap.SuccessRate:
		return short(d*100) + " pp"
	case d != 0:
		return short(d)
	case r != 0:
		return short(math.Abs(r-1)*100) + " %"
	}
	return "none"
}

// failures is the count of extra failures beside its limit.
func (a *arms) failures() string {
	text := short(math.Round(a.extra))
	if a.budget > 0 {
		text += " of at most " + short(a.budget)
	}
	return text
}

// result is the outcome in words.
func (a *arms) result() string {
	switch {
	case a.outcome == mishap.HarmShown && a.unmet:
		return "the arms differ, and nothing has met a fault"
	case a.outcome == mishap.HarmShown && a.intervals != nil:
		return "harm beyond the margin is shown"
	case a.outcome == mishap.HarmRuledOut && a.intervals != nil:
		return "no harm beyond the margins"
	case a.outcome == mishap.HarmShown:
		return "harm is proven"
	}
	switch a.outcome {
	case mishap.HarmRuledOut:
		return "harm is ruled out"
	case mishap.Undecided:
		return "undecided"
	}
	return "not decided yet"
}

// decision is the outcome with its reason.
func (a *arms) decision() string {
	if a.intervals != nil && a.outcome == mishap.HarmRuledOut {
		return a.reason
	}
	return joined(": ", a.result(), a.reason)
}

// cautious explains the first interval that does not look like its proof.
func (a *arms) cautious() string {
	for _, m := range a.metrics {
		if text := m.cautious(); text != "" {
			return text
		}
	}
	return ""
}

// cautious explains an interval that still holds no difference, although the
// proof of harm is complete, or more than the margin, although that is ruled out.
func (m metric) cautious() string {
	const why = "; a range takes more requests than a proof, and the proof decides"
	gap, margin := m.gap(), m.gapMargin()
	switch {
	case gap == nil:
	case m.Harm >= 1 && gap.Low < 0 && gap.High > 0:
		return "the range still holds “no difference”" + why
	case m.Clear >= 1 && gap.Low < margin && margin < gap.High:
		return "the range still reaches beyond the margin" + why
	}
	return ""
}

// costs says an estimated cost with its assumptions.
func costs(c *mishap.CostEstimate, prices mishap.Cost) string {
	var parts []string
	if prices.PerRequest > 0 && c.Failures > 0 {
		parts = append(parts, fmt.Sprintf("%s extra failed requests at %s each", short(c.Failures), money(prices.PerRequest)))
	}
	if prices.PerMinute > 0 && c.Harm > 0 {
		share := "all of the traffic"
		if c.Share < 1 {
			share = c.Share.String() + " of the traffic"
		}
		parts = append(parts, fmt.Sprintf("%s of harm to %s at %s a minute, from the injection to the end of the revert", took(time.Duration(c.Harm)), share, money(prices.PerMinute)))
	}
	if len(parts) == 0 {
		return joined(" ", "0", c.Currency) + ": no harm was counted"
	}
	return fmt.Sprintf("about %s, estimated: %s; what came later is not in it", joined(" ", money(c.Amount), c.Currency), strings.Join(parts, ", and "))
}

func money(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "?"
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// sentence makes one of a phrase; of nothing, nothing.
func sentence(phrase string) string {
	if phrase == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(phrase)
	text := string(unicode.ToUpper(first)) + phrase[size:]
	if strings.ContainsRune(".!?", rune(text[len(text)-1])) {
		return text
	}
	return text + "."
}

// rate is a number per second.
func rate(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// quick is a latency with three digits.
func quick(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2fs", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3gms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3gµs", float64(d)/float64(time.Microsecond))
}

// toGo is how long the comparison may still take.
func (a *arms) toGo() string {
	switch {
	case a.outcome != "":
		return "decided"
	case a.left > 0:
		return "at most " + took(a.left.Truncate(time.Second)) + " to go"
	}
	return ""
}
