package live_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/report/live"
	"mishap/internal/report/reporttest"
)

func TestPlainLinesSayWhichIntervalsAreDecided(t *testing.T) {
	for name, j := range reporttest.JudgedRuns() {
		var out bytes.Buffer
		v := live.New(&out)
		show(t, v, j.Journal(t).Entries, nil)
		v.Close()
		reporttest.Golden(t, "plain-rows-"+name+".txt", out.String())
	}
}

func TestLiveViewShowsIntervalsClosingInOnTheirMargins(t *testing.T) {
	for name, until := range map[string]int{"held": 40, "deviated": 6, "inconclusive": 20} {
		synctest.Test(t, func(t *testing.T) {
			entries := reporttest.JudgedRuns()[name].Journal(t).Entries
			for i := range entries {
				if c := entries[i].Comparison; c != nil && c.Intervals != nil && c.Intervals.In >= mishap.Duration(time.Duration(until)*time.Second) {
					entries = entries[:i]
					break
				}
			}
			reporttest.Golden(t, "live-rows-"+name+".txt", liveScreen(t, entries))
		})
	}
}

// TestANarrowLiveViewLeavesColumnsOutAndCutsNone but for names.
func TestANarrowLiveViewLeavesColumnsOutAndCutsNone(t *testing.T) {
	for name, entries := range map[string][]mishap.Entry{
		"rows":     reporttest.JudgedRuns()["held"].Journal(t).Entries,
		"holding":  reporttest.Stories()["holding"].Entries,
		"deviated": reporttest.Stories()["deviated"].Entries,
	} {
		synctest.Test(t, func(t *testing.T) {
			for i, e := range entries { // while it goes on
				if e.State != nil && e.State.To == mishap.Reverting {
					entries = entries[:i]
					break
				}
			}
			shown := liveScreenOf(t, 60, entries)
			for i, row := range strings.Split(shown, "\n") {
				if i > 0 && strings.HasSuffix(strings.TrimRight(row, " "), "…") {
					t.Errorf("%q is cut", row)
				}
			}
			reporttest.Golden(t, "live-narrow-"+name+".txt", shown)
		})
	}
}

func TestOfAPassingViewNothingIsLeftButWhatWasSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(t, 80, 40)
		v := live.NewPassingTerminal(s, 80, 40)
		show(t, v, reporttest.Stories()["held"].Entries, nil)
		synctest.Wait()
		if !strings.Contains(s.String(), "checkout-survives") {
			t.Errorf("it shows nothing of the run:\n%s", s.String())
		}
		v.Say("an answer to Ctrl-C\n")
		v.Close()
		if got := strings.TrimSpace(s.String()); got != "an answer to Ctrl-C" {
			t.Errorf("this is left:\n%s", got)
		}
	})
}
