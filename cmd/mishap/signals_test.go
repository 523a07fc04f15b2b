package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// lasting are the verbs of the table of signals.
var lasting = []string{"run", "revert", "serve", "proxy", "proxy watch", "observe", "demo", "keeper"}

func TestTheTableOfSignalsIsThatOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string][]string{}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) == 9 {
			name := strings.Trim(strings.TrimSpace(cells[1]), "`")
			for _, cell := range cells[2:8] {
				shown[name] = append(shown[name], strings.TrimSpace(cell))
			}
		}
	}
	for _, verb := range lasting {
		table := reactions(verb)
		var want []string
		for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR2, syscall.SIGPIPE} {
			r, is := table[s]
			if s == syscall.SIGPIPE {
				r, is = nothing, true
			}
			if !is {
				r = "default"
			}
			want = append(want, string(r))
		}
		if fmt.Sprint(shown[verb]) != fmt.Sprint(want) {
			t.Errorf("%s: docs/operations.md says %v, and the program does %v", verb, shown[verb], want)
		}
	}
	if reactions("list") != nil {
		t.Error("a verb that does one thing has a row")
	}
}
