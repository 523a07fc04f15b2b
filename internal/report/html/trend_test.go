package html_test

import (
	"bytes"
	"strings"
	"testing"

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
