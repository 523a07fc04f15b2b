package main

import (
	"strings"
	"testing"
)

func TestWhatHaltSaysFitsATerminalAndKeepsPathsWhole(t *testing.T) {
	path := "--state=/" + strings.Repeat("long/", 30)
	for _, indent := range []string{"", "  "} {
		text := folded(80, "mishap: "+strings.Repeat("a server of this host has not seen it; ", 10)+path, indent)
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if len(line) > 80 && !strings.HasSuffix(line, path) || !strings.HasPrefix(line, indent) {
				t.Errorf("%d letters: %q", len(line), line)
			}
		}
		if !strings.Contains(text, path) {
			t.Errorf("the path is not whole in\n%s", text)
		}
	}
}

func TestWhatHaltSaysIsOneLineInAPipe(t *testing.T) {
	if text := folded(0, strings.Repeat("a server of this host has not seen it; ", 10), "  "); strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "  a server") {
		t.Errorf("%q", text)
	}
}

func TestHaltRepeatsNoLineOfAnotherServer(t *testing.T) {
	if text := folded(80, "server x\nhalted: every run reverts", ""); strings.Count(text, "\n") != 1 {
		t.Errorf("%q", text)
	}
}
