package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/reporttest"
)

// TestAReportSaysThatAFaultEndedByItself, where one that was undone says for how
// long it was in.
func TestAReportSaysThatAFaultEndedByItself(t *testing.T) {
	run := reporttest.Tell(reporttest.CheckoutPlan()).In().Wait(time.Minute).
		State(mishap.Reverting, mishap.CauseAbort, "enough").Injection(reporttest.One, mishap.InjectionReverting, "").
		Injection(reporttest.One, mishap.InjectionEnded, "it has started again at 12:00").Run(t)
	text := strings.Join(strings.Fields(reporttest.Text(t, run)), " ")
	if !strings.Contains(text, "ended by itself, was seen in force: it has started again at 12:00") {
		t.Errorf("it does not say so:\n%s", text)
	}
}

func TestAPlanSaysWhatBecomesOfAFaultOfEachClass(t *testing.T) {
	for class, want := range map[mishap.Class]string{
		mishap.Reversible:     "to revert api:Undo takes up to 15m until it is back",
		mishap.SelfRecovering: "nothing is undone: it recovers by itself, and is looked at (api:Undo)",
		mishap.Expiring:       "api:Undo; it ends by itself as well",
		mishap.Irreversible:   "THERE IS NO UNDO",
	} {
		all := kinds()
		for name, k := range all {
			k.Class, k.Undo, k.RevertTakes = class, []string{"api:Undo"}, 15*time.Minute
			all[name] = k
		}
		var out bytes.Buffer
		if err := report.PlanSheet(reporttest.CheckoutPlan(), all, nil, nil).Text(&out); err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(text, want) {
			t.Errorf("a plan of a fault that is %s does not say %q:\n%s", class, want, text)
		}
	}
}
