package notify_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"mishap/internal/notify"
)

func TestPagerDutyTriggersAndResolvesOneIncidentPerRun(t *testing.T) {
	r := answering(status(202, `{"status":"success"}`))
	var told []notify.Message
	for _, e := range notify.Events() {
		told = append(told, notify.Message{Event: e, Run: "r1", Text: strings.Repeat("é", 2000), Link: "https://m/r1"})
	}
	s, _ := send(t, r, notify.Target{Kind: notify.PagerDuty, Secret: secret("routing")}, "/v2/enqueue", told...)
	if s.Sent != 3 || len(r.requests()) != 3 {
		t.Fatalf("stats are %+v", s)
	}
	for i, want := range []struct{ action, severity string }{{"trigger", "critical"}, {"trigger", "error"}, {"resolve", ""}} {
		var got struct {
			Key     string `json:"routing_key"`
			Action  string `json:"event_action"`
			Dedup   string `json:"dedup_key"`
			Payload struct{ Summary, Source, Severity string }
		}
		if err := json.Unmarshal(r.requests()[i].body, &got); err != nil {
			t.Fatal(err)
		}
		if got.Key != "routing" || got.Action != want.action || got.Dedup != "mishap/r1" || got.Payload.Severity != want.severity {
			t.Errorf("event %d is %+v", i, got)
		}
		if n := utf8.RuneCountInString(got.Payload.Summary); n > 1024 || want.severity != "" && (n != 1024 || got.Payload.Source == "") {
			t.Errorf("summary has %d characters", n)
		}
	}
}
