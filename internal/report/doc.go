// Package report turns a run into what people and machines read: text, one JSON
// object, JUnit, its journal, and a view while it goes on. A run is the fold of
// its journal, so that a journal alone is enough for each of them.
//
// Everything that is written for a person is at most 80 columns wide, and free
// of what a system under test could use to draw on a terminal.
package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"mishap"
)

// took is a span as people read it: about three digits.
func took(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + took(-max(d, -math.MaxInt64))
	case d >= time.Minute:
		return mishap.Duration(d.Round(time.Second)).String()
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// between is the time from a to b by the wall clock: a journal keeps no other,
// and the report must be the same with and without it.
func between(a, b time.Time) time.Duration { return b.Round(0).Sub(a.Round(0)) }

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// moment is a date and time of day.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// size writes a number of bytes.
func size(n int64) string {
	switch {
	case n < 10_000:
		return mishap.Plural(n, "byte")
	case n < 1_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// joined puts together what is not empty.
func joined(separator string, parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, separator)
}

// seen is what a probe saw and what was wrong with that, nothing twice.
func seen(separator string, o mishap.Observation) string {
	if found, wanted, ok := strings.Cut(o.Detail, ", expected "); ok && strings.Contains(o.Value, found) {
		return o.Value + separator + "expected " + wanted
	}
	return joined(separator, o.Value, o.Detail)
}

// once is the label of the first line of several.
func once(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

// source says where the experiment came from.
func source(s mishap.Source) string {
	switch {
	case s.Commit == "":
		return joined(", ", s.File, "not in git")
	case s.Dirty:
		return fmt.Sprintf("%s @ %.12s, with uncommitted changes", s.File, s.Commit)
	}
	return fmt.Sprintf("%s @ %.12s", s.File, s.Commit)
}

// on names a fault and what it touches.
func on(in *mishap.RunInjection) string { return in.Fault + " on " + in.Target.Label() }
