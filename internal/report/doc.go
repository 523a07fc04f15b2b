// Package report turns a run into what people and machines read: text, one JSON
// object, JUnit and its journal. The page is in html, the view while a run goes
// on in live; what both show of a run is here. A run is the fold of its journal,
// so that a journal alone is enough for each of them.
//
// Everything that is written for a person is as wide as its reader has room for
// (Wide; else 80 columns), and free of what a system under test could use to draw
// on a terminal.
package report

import (
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/report/words"
)

// Seen is what a probe saw and what was wrong with that, nothing twice.
func Seen(separator string, o mishap.Observation) string {
	if found, wanted, ok := strings.Cut(o.Detail, ", expected "); ok && strings.Contains(o.Value, found) {
		return o.Value + separator + "expected " + wanted
	}
	return words.Joined(separator, o.Value, o.Detail)
}

// source says where the experiment came from.
func source(s mishap.Source) string {
	switch {
	case s.Commit == "":
		return words.Joined(", ", s.File, "not in git")
	case s.Dirty:
		return fmt.Sprintf("%s @ %.12s, with uncommitted changes", s.File, s.Commit)
	}
	return fmt.Sprintf("%s @ %.12s", s.File, s.Commit)
}

// On names a fault and what it touches.
func On(in *mishap.RunInjection) string { return in.Fault + " on " + in.Target.Label() }
