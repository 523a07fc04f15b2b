package mishap_test

import (
	"encoding/json"
	"strings"
	"testing"

	"mishap"
)

// class makes the run's fault one of that class.
func (s *script) class(c mishap.Class) *script {
	for _, e := range s.entries {
		if e.Injection != nil && e.Injection.Injection != nil {
			e.Injection.Injection.Class = c
		}
	}
	return s
}

// gone is a look that does not find the target any more.
func (s *script) gone() *script {
	return s.add(mishap.Entry{Effect: &mishap.Effect{Injection: "i1", InForce: mishap.No, Gone: true}})
}

// settles ends the injection in that state, and the run.
func (s *script) settles(as mishap.InjectionState) *script {
	s.state(mishap.Reverting, mishap.CauseElapsed).injection(mishap.InjectionReverting)
	s.add(mishap.Entry{Injection: mishap.NewChange("i1", as, "")})
	return s.state(mishap.Verifying, "").add(mishap.Entry{Recovered: &mishap.Recovered{In: true}}).state(mishap.Completed, "")
}

func TestWhatAFaultOfAClassDidCountsAsItsClassSays(t *testing.T) {
	in := func() *script { return newScript(t).in().observe(mishap.During, mishap.Met) }
	yes, no := mishap.Yes, mishap.No
	for name, c := range map[string]struct {
		s    *script
		want mishap.Verdict
		why  string
	}{
		"it recovers by itself, seen once":       {in().effect(no, nil).effect(yes, nil).effect(no, nil).class(mishap.SelfRecovering).settles(mishap.InjectionEnded), mishap.Held, ""},
		"it recovers by itself, seen at the end": {in().effect(no, nil).class(mishap.SelfRecovering).settles(mishap.InjectionEnded), mishap.Held, ""},
		"it recovers by itself, never looked at": {in().class(mishap.SelfRecovering).settles(mishap.InjectionEnded), mishap.Held, ""},
		"it recovers by itself, never seen":      {in().effect(no, nil).class(mishap.SelfRecovering).settles(mishap.InjectionReverted), mishap.Inconclusive, "not seen in force at 1 of 1 look"},
		"it stays, seen once":                    {in().effect(yes, nil).effect(no, nil).settles(mishap.InjectionReverted), mishap.Inconclusive, "not seen in force at 1 of 2 looks"},
		"its group replaced it":                  {in().effect(yes, nil).gone().gone().settles(mishap.InjectionGone), mishap.Held, ""},
		"its group replaced it before":           {in().gone().settles(mishap.InjectionGone), mishap.Inconclusive, "not seen in force at 1 of 1 look"},
	} {
		t.Run(name, func(t *testing.T) {
			verdict, reason := c.s.judge()
			if verdict != c.want || !strings.Contains(reason, c.why) {
				t.Errorf("%s: %s; want %s: …%s…", verdict, reason, c.want, c.why)
			}
		})
	}
}

// TestAReaderThatDoesNotKnowEndedTakesItForSettled: servers of two versions share a
// ledger while it is updated.
func TestAReaderThatDoesNotKnowEndedTakesItForSettled(t *testing.T) {
	text, err := json.Marshal(mishap.NewChange("i1", mishap.InjectionEnded, ""))
	if err != nil {
		t.Fatal(err)
	}
	var before struct {
		To mishap.InjectionState `json:"to"`
	}
	var now mishap.InjectionChange
	if err := json.Unmarshal(text, &before); err != nil || before.To != mishap.InjectionGone {
		t.Errorf("a reader of before reads %q of %s (%v)", before.To, text, err)
	}
	if err := json.Unmarshal(text, &now); err != nil || now.State() != mishap.InjectionEnded || !now.State().Settled() {
		t.Errorf("today's reads %q of %s (%v)", now.State(), text, err)
	}
}
