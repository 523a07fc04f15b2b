package report

import (
	"fmt"

	"mishap"
	"mishap/internal/report/words"
)

// title is the name of a metric where its numbers do not say what they are of.
func title(m metric) string {
	if m.spec.Metric == mishap.SuccessRate && m.Name == string(mishap.SuccessRate) {
		return ""
	}
	return m.Name
}

// told is what the comparison has shown, in sentences.
func told(a *arms) []string {
	var all []string
	if e, known := a.experiment.success(); known {
		if c, known := a.control.success(); known {
			all = append(all, fmt.Sprintf("Of the requests with the fault, %s succeeded; of those left alone, %s.", words.Percent(e), words.Percent(c)))
		}
	}
	for _, m := range a.metrics {
		if text := m.inWords(); text != "" {
			all = append(all, words.Joined(" ", words.Sentence(words.Joined(": ", title(m), text)), words.Sentence(m.cautious())))
		}
	}
	all = append(all, words.Sentence(a.result()))
	return all
}

// slowerBy is from where on answers that nobody set a limit for are told.
const slowerBy = 1.5

// unlimited tells of answers that became slower, where nothing says how slow
// they may be.
func unlimited(a *arms) string {
	for _, m := range a.metrics {
		if m.spec.Metric == mishap.Latency {
			return ""
		}
	}
	if a.control.p50 == 0 || a.experiment.p50.Seconds() < slowerBy*a.control.p50.Seconds() {
		return ""
	}
	return fmt.Sprintf("Half of the requests with the fault took up to %s, and without it %s. This experiment sets no limit to that.", words.Quick(a.experiment.p50), words.Quick(a.control.p50))
}

// intervalFacts are what stands below the claim on the page.
func intervalFacts(a *arms) []fact {
	i := a.intervals
	all := []fact{{"The fault was in for", words.Took(i.In.Std())}}
	if i.Units != nil {
		all = append(all, fact{"Users behind it", fmt.Sprintf("%s in the experiment, %s in control", mishap.Thousands(i.Units.Experiment), mishap.Thousands(i.Units.Control))})
	}
	if i.Requests != nil {
		text := mishap.Thousands(i.Requests.Experiment) + " with the fault in reach"
		if i.Met != nil {
			text = fmt.Sprintf("%s of %s, of %s", mishap.Thousands(i.Met.Experiment), mishap.Thousands(i.Requests.Experiment), mishap.Plural(metUnits(i), "unit"))
		}
		all = append(all, fact{"Requests that met the fault", text})
	}
	return append(all, fact{"Extra failed requests", a.failures()})
}

// toldByIntervals is what the comparison has shown, in sentences.
func toldByIntervals(a *arms) []string {
	var all []string
	for _, r := range allRows(a.intervals) {
		all = append(all, words.Sentence(r.spoken()+": "+r.standing()))
	}
	if text := metBy(a.intervals); text != "" {
		all = append(all, words.Sentence(text))
	}
	for _, text := range guardLines(a.intervals, a.outcome) {
		all = append(all, words.Sentence("since the baseline, "+text))
	}
	for _, text := range a.intervals.Waits {
		all = append(all, words.Sentence("not cleared: "+text))
	}
	for _, text := range a.intervals.Unclaimed {
		all = append(all, words.Sentence("not claimed: "+text))
	}
	return append(all, words.Sentence(a.result()))
}
