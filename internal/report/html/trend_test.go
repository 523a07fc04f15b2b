package html_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/html"
	"mishap/internal/report/reporttest"
)

func TestTrendPageShowsEachRun(t *testing.T) {
	var page bytes.Buffer
	if err := html.Trend(&page, reporttest.Trend(t), "v1.2.3"); err != nil || !strings.Contains(page.String(), "Recovery time of each run") {
		t.Errorf("%v\n%s", err, page.String())
	}
}

func TestTrendPageEscapesEverything(t *testing.T) {
	var page bytes.Buffer
	run := reporttest.Attacked(t).Run(t)
	if err := html.Trend(&page, report.TrendOf(reporttest.Hostile, []*mishap.Run{run}), "v1"); err != nil {
		t.Fatal(err)
	}
	harmlessPage(t, "trend", page.String())
}

// ranAt are runs that began then, newest first, each of which recovered.
func ranAt(moments ...string) report.Trend {
	t := report.Trend{Experiment: "often"}
	for _, m := range moments {
		began, err := time.Parse(time.RFC3339, m)
		if err != nil {
			panic(err)
		}
		took := mishap.Duration(time.Second)
		t.Runs = append(t.Runs, report.Side{Run: m, Began: began, Recovery: &took})
	}
	return t
}

func TestATrendDrawsNoPictureOfOnePointAndNamesNoMomentTwice(t *testing.T) {
	for name, c := range map[string]struct {
		trend  report.Trend
		labels []string // nil: no picture
	}{
		"one run":      {ranAt("2026-11-28T10:00:00Z"), nil},
		"no run":       {report.Trend{Experiment: "never"}, nil},
		"one day":      {ranAt("2026-11-28T12:00:00Z", "2026-11-28T11:00:00Z", "2026-11-28T10:00:00Z"), []string{"10:00", "11:00", "12:00"}},
		"one minute":   {ranAt("2026-11-28T12:00:50Z", "2026-11-28T12:00:10Z"), []string{"12:00"}},
		"two days":     {ranAt("2026-11-28T12:00:00Z", "2026-11-28T11:00:00Z", "2026-11-27T10:00:00Z"), []string{"27 Nov", "28 Nov"}},
		"two of three": {ranAt("2026-11-28T12:00:00Z", "2026-11-27T11:00:00Z", "2026-11-27T10:00:00Z"), []string{"27 Nov", "28 Nov"}},
	} {
		var page bytes.Buffer
		if err := html.Trend(&page, c.trend, "v1"); err != nil {
			t.Fatal(err)
		}
		_, rest, drawn := strings.Cut(page.String(), `<div class="x"`)
		axis, _, _ := strings.Cut(rest, "</div>")
		var labels []string
		for _, m := range regexp.MustCompile(`<span[^>]*>([^<]*)</span>`).FindAllStringSubmatch(axis, -1) {
			labels = append(labels, m[1])
		}
		if drawn != (c.labels != nil) || !slices.Equal(labels, c.labels) {
			t.Errorf("%s: drawn %v, with %q", name, drawn, labels)
		}
		if !drawn && strings.Contains(page.String(), "From run to run") {
			t.Errorf("%s: a heading of nothing", name)
		}
	}
}
