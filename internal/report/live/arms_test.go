package live_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"mishap"
	"mishap/internal/report/live"
	"mishap/internal/report/reporttest"
)

func TestPlainLinesSayWhatChangesBetweenTheArms(t *testing.T) {
	for name, s := range reporttest.Scenes() {
		var out bytes.Buffer
		v := live.New(&out)
		show(t, v, s.Journal(t).Entries, nil)
		v.Close()
		reporttest.Golden(t, "plain-arms-"+name+".txt", out.String())
	}
}

func TestLiveViewShowsBothArmsTheirDifferenceAndTheProofs(t *testing.T) {
	for name, part := range map[string]struct {
		scene string
		until func(mishap.Entry) bool
	}{
		"baseline": {"harmed", func(e mishap.Entry) bool { return e.State != nil && e.State.To == mishap.Injecting }},
		"harm":     {"harmed", func(e mishap.Entry) bool { return e.Comparison != nil && e.Comparison.Harm > .6 }},
		"no-harm":  {"cleared", func(e mishap.Entry) bool { return e.Comparison != nil && e.Comparison.Metrics[0].Clear > .6 }},
		"doubt":    {"gone-silent", func(e mishap.Entry) bool { return e.Comparison != nil && e.Comparison.Doubts != nil }},
		"over":     {"harmed", func(mishap.Entry) bool { return false }},
	} {
		synctest.Test(t, func(t *testing.T) {
			entries := reporttest.Scenes()[part.scene].Journal(t).Entries
			for i := range entries {
				if part.until(entries[i]) {
					entries = entries[:i]
					break
				}
			}
			reporttest.Golden(t, "live-arms-"+name+".txt", liveScreen(t, entries))
		})
	}
}
