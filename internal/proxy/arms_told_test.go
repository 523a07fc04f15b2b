package proxy_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

func TestARowIsOfItsPartOfTheTraffic(t *testing.T) {
	part := func(c *fault.Counts) {
		c.Rows = []fault.CountRow{{Name: "all", Of: fault.OfFailures}, {Name: "pay", Of: fault.OfFailures, Path: "/pay*"},
			{Name: "posted", Of: fault.OfFailures, Method: "POST"}, {Name: "paid", Of: fault.OfEvents, Path: "/pay*"}}
	}
	r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	f := arms("a", .5)
	a := f.Effect.(fault.Arms)
	a.Counts = counting(part).Counts
	f.Effect = a
	r.put(f)
	c := &http.Client{Timeout: patience}
	for i := range 12 {
		method, path := []string{"GET", "POST"}[i%2], []string{"/pay/now", "/", "/payments"}[i%3]
		if _, _, err := r.ask(c, method, path, "Cookie", fmt.Sprintf("session=u%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	report, _, _ := r.armsOf("a", 12)
	for row, want := range map[string]float64{"all": 12, "pay": 8, "posted": 6, "paid": 8} {
		sums, ok := report.Counted.Sums.Row(row)
		if got := sums.Control.Before.N + sums.Experiment.Before.N; !ok || got != want {
			t.Errorf("row %s has %v, want %v", row, got, want)
		}
	}
}

func TestWhatArmsCountByIsToldOnceAndByTheirRun(t *testing.T) {
	r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	f := arms("a", .5)
	a := f.Effect.(fault.Arms)
	a.Counts = counting().Counts
	f.Effect = a
	r.put(f)
	limit := func(row string, control, experiment time.Duration) registry.Limits {
		return registry.Limits{Run: "r", Thresholds: []registry.Threshold{{Row: row, Control: fault.Duration(control), Experiment: fault.Duration(experiment)}}}
	}
	if told := r.get("a").Stats.Counting; told == nil || told.Thresholds != nil || !told.Injected.IsZero() {
		t.Errorf("before it is told the fault says %+v", told)
	}
	others := limit("p50", ms, ms)
	others.Run = "r2"
	twice := limit("p50", ms, ms)
	twice.Thresholds = append(twice.Thresholds, twice.Thresholds[0])
	for says, l := range map[string]registry.Limits{
		`belongs to run "r"`:                  others,
		`no row "p99" that needs a threshold`: limit("p99", ms, ms),
		`no row "ok" that needs a threshold`:  limit("ok", ms, ms),
		"no row has a threshold":              {Run: "r"},
		"not below control's":                 limit("p50", 2*ms, ms),
		"must be above 0":                     limit("p50", 0, ms),
		`row "p50" has two thresholds`:        twice,
	} {
		if err := r.SetThresholds(t.Context(), "a", l); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	at := time.Now()
	for range 2 {
		if err := r.SetThresholds(t.Context(), "a", limit("p50", ms, 2*ms)); err != nil {
			t.Errorf("the same again: %v", err)
		}
		if used, err := r.SetInjecting(t.Context(), "a", registry.Injecting{Run: "r", At: at}); err != nil || used.Sub(at).Abs() > time.Minute {
			t.Errorf("injecting: %v, %v", used, err)
		}
	}
	if err := r.SetThresholds(t.Context(), "a", limit("p50", ms, 3*ms)); err == nil || !strings.Contains(err.Error(), "are fixed already") {
		t.Errorf("others: %v", err)
	}
	for says, i := range map[string]registry.Injecting{
		"was injected at": {Run: "r", At: at.Add(time.Second)}, `belongs to run "r"`: {Run: "r2", At: at}, "at is missing": {Run: "r"},
	} {
		if _, err := r.SetInjecting(t.Context(), "a", i); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	report, err := r.Arms(t.Context(), "a", 0, 0)
	if err != nil || len(report.Counted.Thresholds) != 1 || report.Counted.Sums.Injected.IsZero() {
		t.Errorf("the report says %+v, %v", report.Counted, err)
	}
	if told := r.get("a").Stats.Counting; told == nil || !slices.Equal(told.Thresholds, limit("p50", ms, 2*ms).Thresholds) || !told.Injected.Equal(report.Counted.Sums.Injected) {
		t.Errorf("the fault says %+v", told)
	}
	if _, err := r.Put(t.Context(), f); err != nil {
		t.Errorf("renewed: %v", err)
	}
}

// TestArmsOfAnEarlierVersionCountNoUnits, and say so when they are told what to count by.
func TestArmsOfAnEarlierVersionCountNoUnits(t *testing.T) {
	r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	r.put(arms("a", .5))
	if report, err := r.Arms(t.Context(), "a", 0, 0); err != nil || report.Counted != nil {
		t.Errorf("counted %+v, %v", report.Counted, err)
	}
	if told := r.get("a").Stats.Counting; told != nil {
		t.Errorf("the fault says %+v", told)
	}
	if _, err := r.SetInjecting(t.Context(), "a", registry.Injecting{Run: "r", At: time.Now()}); err == nil || !strings.Contains(err.Error(), "count no units") {
		t.Error(err)
	}
}

// TestArmsThatCountAllRequestsAreNotToldWhatTheyMet, and give no ids.
func TestArmsThatCountAllRequestsAreNotToldWhatTheyMet(t *testing.T) {
	r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	f := arms("a", .5)
	a := f.Effect.(fault.Arms)
	a.Counts = counting().Counts
	f.Effect = a
	r.put(f)
	if _, err := r.Meet(t.Context(), "a", registry.Meeting{Run: "r"}); err == nil || !strings.Contains(err.Error(), "count all requests") {
		t.Error(err)
	}
	if _, err := r.Meet(t.Context(), "a", registry.Meeting{Run: "r2"}); err == nil || !strings.Contains(err.Error(), `belongs to run "r"`) {
		t.Error(err)
	}
	if _, err := r.Meet(t.Context(), "a", registry.Meeting{Run: "r", Met: make([]string, fault.MaxMeeting+1)}); err == nil || !strings.Contains(err.Error(), "of at most") {
		t.Error(err)
	}
}
