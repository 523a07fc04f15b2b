package mishap_test

import (
	"testing"
	"time"

	"mishap"
)

// TestARunSaysHowLongItsHarmTookToShow: what deviated only once the fault was out did not show while it was in.
func TestARunSaysHowLongItsHarmTookToShow(t *testing.T) {
	for name, c := range map[string]struct {
		s    *script
		want time.Duration
	}{
		"a probe":                {newScript(t).in().observe(mishap.During, mishap.Met, mishap.Met, mishap.Unmet).out(mishap.CauseDeviation), 4 * time.Second},
		"the arms":               {newScript(t).in().observe(mishap.During, mishap.Met).harm().observe(mishap.During, mishap.Unmet).out(mishap.CauseDeviation), 3 * time.Second},
		"none":                   {newScript(t).in().observe(mishap.During, mishap.Met).out(mishap.CauseElapsed), 0},
		"no fault was in":        {newScript(t).state(mishap.Checking, "").state(mishap.Injecting, "").state(mishap.Holding, "").harm(), 0},
		"after it was out":       {newScript(t).in().observe(mishap.During, mishap.Met).state(mishap.Reverting, mishap.CauseElapsed).observe(mishap.During, mishap.Unmet), 0},
		"by somebody's doing":    {newScript(t).in().disturb(0).observe(mishap.During, mishap.Unmet).out(mishap.CauseDeviation), 0},
		"without traffic's harm": {newScript(t).in().effect(mishap.Yes, &mishap.Traffic{}).harm().out(mishap.CauseDeviation), 0},
	} {
		run, err := mishap.Replay(c.s.entries)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := run.Showed(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
