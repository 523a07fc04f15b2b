package mishap_test

import (
	"encoding/json"
	"testing"
	"time"

	"mishap"
	"mishap/internal/formattest"
)

// TestAPlanOfBeforeMayStillBeRun: its digest is over what is written of it, so
// that a key which is written otherwise would void every plan that is pinned.
func TestAPlanOfBeforeMayStillBeRun(t *testing.T) {
	var plan mishap.Plan
	formattest.Into(t, &plan, "plan.json")
	if err := plan.Check(plan.Created.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	formattest.Kept(t, "plan.json", text)
}
