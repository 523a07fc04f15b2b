package live

import (
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// barColumns is how long the bars of a live view are.
const barColumns = 30

// lines show both arms beside each other, how they differ, and what that
// proves so far.
func armLines(a *report.Arms) []line {
	all := []line{
		{text: fmt.Sprintf("  %-24s %9s %7s %10s %9s %9s", "arms, "+report.PhaseName(a.Phase), "requests", "now /s", "succeeded", "p50", "p99")},
		armLine(a.Control), armLine(a.Experiment),
	}
	if a.Phase == mishap.InBaseline {
		return append(all, doubtLines(a)...)
	}
	if a.Intervals != nil {
		return append(append(all, rowLines(a)...), doubtLines(a)...)
	}
	for _, m := range a.Metrics {
		if text := m.InWords(); text != "" {
			all = append(all, line{text: fmt.Sprintf("  %s %s", words.Pad(words.Cut(words.Clean(m.Name), 14), 14), text)})
		}
	}
	all = append(all, harmProof(a), clearProof(a), line{text: "  extra failed requests: " + words.Joined("; ", a.Failures(), a.ToGo())})
	return append(all, doubtLines(a)...)
}

func armLine(a report.Arm) line {
	return line{text: fmt.Sprintf("  %-24s %9d %7s %10s %9s %9s", a.Name, a.Requests, words.Rate(a.Now), a.Succeeded(), words.Quick(a.P50), words.Quick(a.P99))}
}

func harmProof(a *report.Arms) line {
	style := ""
	switch {
	case a.Harm >= 1:
		style = red
	case a.Harm >= 0.5:
		style = yellow
	}
	return line{text: fmt.Sprintf("  proof of harm    %6s %s  stops at 100 %%", words.Proof(a.Harm), bar(a.Harm)), style: style}
}

func clearProof(a *report.Arms) line {
	if !a.Guarded {
		return line{text: "  proof of no harm     -  there can be none: no metric has a margin"}
	}
	style := ""
	if a.Clear >= 1 {
		style = green
	}
	return line{text: fmt.Sprintf("  proof of no harm %6s %s  cleared at 100 %%", words.Proof(a.Clear), bar(a.Clear)), style: style}
}

func doubtLines(a *report.Arms) []line {
	var all []line
	for i, doubt := range a.Doubts {
		all = append(all, line{text: fmt.Sprintf("  %-5s  %s", words.Once(i, "doubt"), doubt), style: yellow, hang: 9})
	}
	return all
}

// bar draws a share of the whole.
func bar(share float64) string {
	full := int(barColumns * max(0, min(1, share)))
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barColumns-full) + "]"
}
