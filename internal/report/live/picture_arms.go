package live

import (
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// barColumns is how long the bars of a live view are.
const (
	barColumns       = 30
	narrowBarColumns = 12
)

// lines show both arms beside each other, how they differ, and what that
// proves so far.
func armLines(a *report.Arms) []line {
	all := []line{
		armCells("arms, "+report.PhaseName(a.Phase), "requests", "now /s", "succeeded", "p50", "p99"),
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
	all = append(all, harmProof(a), clearProof(a), line{text: "  extra failed requests: " + words.Joined("; ", a.Failures(), a.ToGo()), hang: 2})
	return append(all, doubtLines(a)...)
}

func armLine(a report.Arm) line {
	return armCells(a.Name, fmt.Sprint(a.Requests), words.Rate(a.Now), a.Succeeded(), words.Quick(a.P50), words.Quick(a.P99))
}

// armCells is a line of the table of arms; a narrow one leaves out the median, and what
// an arm is besides its name.
func armCells(name, requests, rate, succeeded, p50, p99 string) line {
	short, _, _ := strings.Cut(name, ",")
	return line{
		text:   fmt.Sprintf("  %-24s %9s %7s %10s %9s %9s", name, requests, rate, succeeded, p50, p99),
		narrow: fmt.Sprintf("  %-14s %9s %7s %10s %9s", short, requests, rate, succeeded, p99),
	}
}

func harmProof(a *report.Arms) line {
	style := ""
	switch {
	case a.Harm >= 1:
		style = red
	case a.Harm >= 0.5:
		style = yellow
	}
	const form, bare = "  proof of harm    %6s %s  stops at 100 %%", "  proof of harm    %6s  stops at 100 %%"
	return line{text: fmt.Sprintf(form, words.Proof(a.Harm), bar(a.Harm, barColumns)), narrow: fmt.Sprintf(bare, words.Proof(a.Harm)), style: style}
}

func clearProof(a *report.Arms) line {
	if !a.Guarded {
		return line{text: "  proof of no harm     -  there can be none: no metric has a margin"}
	}
	style := ""
	if a.Clear >= 1 {
		style = green
	}
	const form, bare = "  proof of no harm %6s %s  cleared at 100 %%", "  proof of no harm %6s  cleared at 100 %%"
	return line{text: fmt.Sprintf(form, words.Proof(a.Clear), bar(a.Clear, barColumns)), narrow: fmt.Sprintf(bare, words.Proof(a.Clear)), style: style}
}

func doubtLines(a *report.Arms) []line {
	var all []line
	for i, doubt := range a.Doubts {
		all = append(all, line{text: fmt.Sprintf("  %-5s  %s", words.Once(i, "doubt"), doubt), style: yellow, hang: 9})
	}
	return all
}

// bar draws a share of the whole.
func bar(share float64, columns int) string {
	full := int(float64(columns) * max(0, min(1, share)))
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", columns-full) + "]"
}
