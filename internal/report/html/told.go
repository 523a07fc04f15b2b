package html

import (
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// title is the name of a metric where its numbers do not say what they are of.
func title(m report.Metric) string {
	if m.Spec.Metric == mishap.SuccessRate && m.Name == string(mishap.SuccessRate) {
		return ""
	}
	return m.Name
}

// told is what the comparison has shown, in sentences.
func told(a *report.Arms) []string {
	var all []string
	if e, known := a.Experiment.Success(); known {
		if c, known := a.Control.Success(); known {
			all = append(all, fmt.Sprintf("Of the requests with the fault, %s succeeded; of those left alone, %s.", words.Percent(e), words.Percent(c)))
		}
	}
	for _, m := range a.Metrics {
		if text := m.InWords(); text != "" {
			all = append(all, words.Joined(" ", words.Sentence(words.Joined(": ", title(m), text)), words.Sentence(m.Cautious())))
		}
	}
	all = append(all, words.Sentence(a.Result()))
	return all
}

// slowerBy is from where on answers that nobody set a limit for are told.
const slowerBy = 1.5

// unlimited tells of answers that became slower, where nothing says how slow
// they may be.
func unlimited(a *report.Arms) string {
	for _, m := range a.Metrics {
		if m.Spec.Metric == mishap.Latency {
			return ""
		}
	}
	if a.Control.P50 == 0 || a.Experiment.P50.Seconds() < slowerBy*a.Control.P50.Seconds() {
		return ""
	}
	return fmt.Sprintf("Half of the requests with the fault took up to %s, and without it %s. This experiment sets no limit to that.", words.Quick(a.Experiment.P50), words.Quick(a.Control.P50))
}

// intervalFacts are what stands below the claim on the page.
func intervalFacts(a *report.Arms) []fact {
	i := a.Intervals
	all := []fact{{"Compared for", words.Took(i.In.Std())}}
	if i.Units != nil {
		all = append(all, fact{"Users, by their activity", fmt.Sprintf("%s in the experiment, %s in control", mishap.Thousands(i.Units.Experiment), mishap.Thousands(i.Units.Control))})
	}
	if i.Requests != nil {
		text := mishap.Thousands(i.Requests.Experiment) + " with the fault in reach"
		if i.Met != nil {
			text = fmt.Sprintf("%s of %s, of %s", mishap.Thousands(i.Met.Experiment), mishap.Thousands(i.Requests.Experiment), mishap.Plural(report.MetUnits(i), "unit"))
		}
		all = append(all, fact{"Requests that met the fault", text})
	}
	return append(all, fact{"Extra failed requests", a.Failures()})
}

// toldByIntervals is what the comparison has shown, in sentences; the intervals
// themselves are in their picture.
func toldByIntervals(a *report.Arms) []string {
	var all []string
	if text := report.MetBy(a.Intervals); text != "" {
		all = append(all, words.Sentence(text))
	}
	for _, text := range report.GuardLines(a.Intervals, a.Outcome) {
		all = append(all, words.Sentence("since the baseline, "+text))
	}
	for _, text := range a.Intervals.Waits {
		all = append(all, words.Sentence("not cleared: "+text))
	}
	if u := a.Intervals.Unclaimed; len(u) > 0 {
		all = append(all, words.Sentence("not claimed: "+strings.Join(u, "; ")))
	}
	return append([]string{words.Sentence(a.Result())}, all...)
}
