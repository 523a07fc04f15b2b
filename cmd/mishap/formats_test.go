package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mishap/internal/formattest"
)

// TestPublicFormatsAreWhatTheyWere asks the program, and so holds wherever the
// code of a format moves to.
func TestPublicFormatsAreWhatTheyWere(t *testing.T) {
	t.Parallel()
	p := scripts()
	p.Dir = "testdata/formats"
	p.Cmds["kept"] = func(ts *testscript.TestScript, _ bool, args []string) { kept(t, ts, args) }
	testscript.Run(t, p)
}

// kept is "kept json|prose|schema|metrics FIXTURE": the output of the last
// command has what the fixture has, apart from texts for people if it says so.
func kept(t *testing.T, ts *testscript.TestScript, args []string) {
	today := ts.ReadFile("stdout")
	switch how, name := args[0], args[1]; how {
	case "json":
		formattest.Kept(t, name, []byte(today))
	case "prose":
		formattest.KeptButForProse(t, name, []byte(today))
	case "schema":
		formattest.KeptForReaders(t, name, []byte(today))
	case "metrics":
		formattest.KeptMetrics(t, name, today)
	default:
		ts.Fatalf("kept how? %q", how)
	}
}
