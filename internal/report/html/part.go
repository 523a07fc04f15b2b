package html

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"strings"

	"mishap"
	"mishap/internal/report"
)

// RunPart is what stands on the page of a run, for a page that has [CSS] of its own.
// The whole journal is at an address instead of in the page.
func RunPart(entries []mishap.Entry, version, journal string) (template.HTML, error) {
	safe, err := cleaned(entries)
	if err != nil {
		return "", err
	}
	f, err := develop(safe)
	if err != nil {
		return "", err
	}
	v := f.view()
	v.Version, v.Journal = version, template.URL(journal)
	if f.run.State != mishap.Stranded && !f.run.State.Ended() {
		v.StillIn = nil // it goes on, and that its faults are in force is how it should be
	}
	return part("run", v)
}

// TrendPart is what stands on the page of a trend, as [RunPart] is. Link is the address
// of a run's page.
func TrendPart(t report.Trend, version string, link func(run string) string) (template.HTML, error) {
	v := viewOfTrend(t, version)
	for i, r := range t.Runs {
		v.Rows[i].Link = link(r.Run)
	}
	return part("trend", v)
}

// part is what a page of the template has between its header and its footer.
func part(name string, v any) (template.HTML, error) {
	var page bytes.Buffer
	if err := writePage(&page, name, v); err != nil {
		return "", err
	}
	_, rest, begins := strings.Cut(page.String(), "<main>")
	inside, _, ends := strings.Cut(rest, "<footer>")
	if !begins || !ends {
		return "", fmt.Errorf("cut page: %w", errors.New("it has no main with a footer"))
	}
	return template.HTML(inside), nil // the template has escaped it
}
