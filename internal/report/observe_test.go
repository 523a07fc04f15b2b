package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/callers"
	"mishap/internal/report"
)

// observed is the live traffic of two callers: one that tries four times, 100 ms apart, and one whose calls all succeed.
func observed() report.Observed {
	var s callers.Seen
	add := func(id, source string, at, took time.Duration, o callers.Outcome) {
		s.Attempts = append(s.Attempts, callers.Attempt{ID: id, Source: source, Start: at, Head: took, Total: took, Outcome: o})
	}
	for i := range 50 {
		at := time.Duration(i) * 200 * time.Millisecond
		for k := range 4 {
			add(fmt.Sprint("a", i), "10.0.0.1", at+time.Duration(k)*105*time.Millisecond, 5*time.Millisecond, callers.Failed)
		}
		add(fmt.Sprint("b", i), "2001:db8::2", at, 7*time.Millisecond, callers.OK)
	}
	s.Until = 20 * time.Second
	return report.Observed{Proxy: "payments", Listen: "127.0.0.1:9001", Upstream: "payments.internal:8080", Protocol: "http",
		For: mishap.Duration(20 * time.Second), Callers: callers.Analyse(s)}
}

func TestAnObservationIsReadAtEightyColumns(t *testing.T) {
	var b strings.Builder
	if err := report.ObserveSheet(observed()).Text(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"gaps constant (100ms), no jitter", "10.0.0.1", "2001:db8::2", "50 requests, none tried again", "200 (80%) failed", "Exponential backoff"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestAnObservationSaysThatAFaultWasInAndThatNobodyCalled(t *testing.T) {
	o := report.Observed{Proxy: "payments", Listen: "127.0.0.1:9001", Upstream: "10.0.0.2:80", Protocol: "http", Faults: 2}
	var b strings.Builder
	if err := report.ObserveSheet(o).Text(&b); err != nil || !strings.Contains(b.String(), "2 faults in force") || !strings.Contains(b.String(), "No call came") {
		t.Errorf("%v\n%s", err, &b)
	}
}

func TestAnObservationIsOneJSONObject(t *testing.T) {
	var b bytes.Buffer
	if err := report.ObserveJSON(&b, observed()); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Proxy   string
		Callers struct {
			Sources []struct{ Backoff struct{ Kind, First string } }
		}
	}
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back.Proxy != "payments" || back.Callers.Sources[0].Backoff.Kind != "constant" || back.Callers.Sources[0].Backoff.First != "100ms" {
		t.Errorf("%v: %+v", err, back)
	}
}
