package report

import (
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/report/words"
)

// barColumns is how long the bars of a live view are.
const barColumns = 30

// lines show both arms beside each other, how they differ, and what that
// proves so far.
func armLines(a *arms) []line {
	all := []line{
		{text: fmt.Sprintf("  %-24s %9s %7s %10s %9s %9s", "arms, "+phaseName(a.phase), "requests", "now /s", "succeeded", "p50", "p99")},
		armLine(a.control), armLine(a.experiment),
	}
	if a.phase == mishap.InBaseline {
		return append(all, doubtLines(a)...)
	}
	if a.intervals != nil {
		return append(append(all, rowLines(a)...), doubtLines(a)...)
	}
	for _, m := range a.metrics {
		if text := m.inWords(); text != "" {
			all = append(all, line{text: fmt.Sprintf("  %s %s", words.Pad(cut(words.Clean(m.Name), 14), 14), text)})
		}
	}
	all = append(all, harmProof(a), clearProof(a), line{text: "  extra failed requests: " + words.Joined("; ", a.failures(), a.toGo())})
	return append(all, doubtLines(a)...)
}

func armLine(a arm) line {
	return line{text: fmt.Sprintf("  %-24s %9d %7s %10s %9s %9s", a.name, a.requests, words.Rate(a.now), a.succeeded(), words.Quick(a.p50), words.Quick(a.p99))}
}

func harmProof(a *arms) line {
	style := ""
	switch {
	case a.harm >= 1:
		style = red
	case a.harm >= 0.5:
		style = yellow
	}
	return line{text: fmt.Sprintf("  proof of harm    %6s %s  stops at 100 %%", words.Proof(a.harm), bar(a.harm)), style: style}
}

func clearProof(a *arms) line {
	if !a.guarded {
		return line{text: "  proof of no harm     -  there can be none: no metric has a margin"}
	}
	style := ""
	if a.clear >= 1 {
		style = green
	}
	return line{text: fmt.Sprintf("  proof of no harm %6s %s  cleared at 100 %%", words.Proof(a.clear), bar(a.clear)), style: style}
}

func doubtLines(a *arms) []line {
	var all []line
	for i, doubt := range a.doubts {
		for j, text := range words.Wrap(words.Clean(doubt), words.Width-10, words.Width-10) {
			all = append(all, line{text: fmt.Sprintf("  %-5s  %s", words.Once(i+j, "doubt"), text), style: yellow})
		}
	}
	return all
}

// bar draws a share of the whole.
func bar(share float64) string {
	full := int(barColumns * max(0, min(1, share)))
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barColumns-full) + "]"
}
