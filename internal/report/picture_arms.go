package report

import (
	"fmt"
	"strings"
	"time"

	"mishap"
)

// barColumns is how long the bars of a live view are.
const barColumns = 30

// lines show both arms beside each other, how they differ, and what that
// proves so far.
func (a *arms) lines() []line {
	all := []line{
		{text: fmt.Sprintf("  %-24s %9s %7s %10s %9s %9s", "arms, "+phaseName(a.phase), "requests", "now /s", "succeeded", "p50", "p99")},
		a.control.line(), a.experiment.line(),
	}
	if a.phase == mishap.InBaseline {
		return append(all, a.doubtLines()...)
	}
	if a.intervals != nil {
		return append(append(all, a.rowLines()...), a.doubtLines()...)
	}
	for _, m := range a.metrics {
		if text := m.difference(); text != "" {
			all = append(all, line{text: fmt.Sprintf("  %s %s", pad(cut(clean(m.Name), 14), 14), text)})
		}
	}
	all = append(all, a.harmLine(), a.clearLine(), line{text: "  extra failed requests: " + joined("; ", a.failures(), a.toGo())})
	return append(all, a.doubtLines()...)
}

func (a arm) line() line {
	return line{text: fmt.Sprintf("  %-24s %9d %7s %10s %9s %9s", a.name, a.requests, rate(a.now), a.succeeded(), quick(a.p50), quick(a.p99))}
}

// succeeded is the share of requests that went well, as far as it is known.
func (a arm) succeeded() string {
	if share, known := a.success(); known {
		return percent(share)
	}
	return "-"
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

func (a *arms) harmLine() line {
	style := ""
	switch {
	case a.harm >= 1:
		style = red
	case a.harm >= 0.5:
		style = yellow
	}
	return line{text: fmt.Sprintf("  proof of harm    %6s %s  stops at 100 %%", proof(a.harm), bar(a.harm)), style: style}
}

func (a *arms) clearLine() line {
	if !a.guarded {
		return line{text: "  proof of no harm     -  there can be none: no metric has a margin"}
	}
	style := ""
	if a.clear >= 1 {
		style = green
	}
	return line{text: fmt.Sprintf("  proof of no harm %6s %s  cleared at 100 %%", proof(a.clear), bar(a.clear)), style: style}
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

func (a *arms) doubtLines() []line {
	var all []line
	for i, doubt := range a.doubts {
		for j, text := range wrap(clean(doubt), width-10, width-10) {
			all = append(all, line{text: fmt.Sprintf("  %-5s  %s", once(i+j, "doubt"), text), style: yellow})
		}
	}
	return all
}

// bar draws a share of the whole.
func bar(share float64) string {
	full := int(barColumns * max(0, min(1, share)))
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barColumns-full) + "]"
}
