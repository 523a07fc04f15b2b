package mishap_test

import (
	"strings"
	"testing"
	"time"

	"mishap"
)

// disturb says that somebody changed the target so many seconds before now.
func (s *script) disturb(ago int) *script {
	since := time.Date(2026, 1, 1, 0, 0, len(s.entries)-ago, 0, time.UTC)
	return s.add(mishap.Entry{Disturbance: &mishap.Disturbance{Injection: "i1", By: "by hand", What: "fault x (refuse) was put in", Since: since}})
}

// unsettle ends the injection with what somebody else wrote.
func (s *script) unsettle(cause mishap.Cause) *script {
	return s.state(mishap.Reverting, cause).injection(mishap.InjectionReverting).injection(mishap.InjectionSuperseded).
		state(mishap.Verifying, "").add(mishap.Entry{Recovered: &mishap.Recovered{In: true}}).state(mishap.Completed, "")
}

func TestWhatOthersChangedMakesARunInconclusive(t *testing.T) {
	felt := &mishap.Traffic{Connections: 3}
	holding := func() *script {
		return newScript(t).in().observe(mishap.During, mishap.Met).effect(mishap.Yes, felt)
	}
	for name, c := range map[string]struct {
		s    *script
		want mishap.Verdict
		why  string
	}{
		"nobody did":                   {holding().out(mishap.CauseElapsed), mishap.Held, ""},
		"while it held":                {holding().disturb(0).out(mishap.CauseDisturbed), mishap.Inconclusive, "fault x (refuse) was put in by hand"},
		"before it deviated":           {holding().disturb(0).observe(mishap.During, mishap.Unmet).out(mishap.CauseDeviation), mishap.Inconclusive, "so it says nothing that"},
		"before, but told later":       {holding().observe(mishap.During, mishap.Unmet).disturb(2).out(mishap.CauseDeviation), mishap.Inconclusive, "by hand"},
		"after it deviated":            {holding().observe(mishap.During, mishap.Unmet).disturb(0).out(mishap.CauseDeviation), mishap.Deviated, "was not met"},
		"superseded":                   {holding().unsettle(mishap.CauseElapsed), mishap.Inconclusive, "somebody else changed process t while f was in"},
		"superseded, seen before":      {holding().effect(mishap.No, felt).observe(mishap.During, mishap.Unmet).unsettle(mishap.CauseDeviation), mishap.Inconclusive, "somebody else changed"},
		"superseded after it deviated": {holding().observe(mishap.During, mishap.Unmet).unsettle(mishap.CauseDeviation), mishap.Deviated, "was not met"},
	} {
		t.Run(name, func(t *testing.T) {
			verdict, reason := c.s.judge()
			if verdict != c.want || !strings.Contains(reason, c.why) {
				t.Errorf("%s: %s; want %s: …%s…", verdict, reason, c.want, c.why)
			}
		})
	}
}

func TestNoRecoveryIsNothingWhileOthersHaveAFaultIn(t *testing.T) {
	s := newScript(t).in().observe(mishap.During, mishap.Met).effect(mishap.Yes, &mishap.Traffic{Connections: 3}).
		state(mishap.Reverting, mishap.CauseElapsed).injection(mishap.InjectionReverting).injection(mishap.InjectionReverted).state(mishap.Verifying, "")
	s.add(mishap.Entry{Recovered: &mishap.Recovered{}}).disturb(2).state(mishap.Completed, "")
	if verdict, reason := s.judge(); verdict != mishap.Inconclusive || !strings.Contains(reason, "by hand") {
		t.Errorf("%s: %s", verdict, reason)
	}
}
