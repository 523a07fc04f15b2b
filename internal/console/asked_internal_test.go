package console

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"mishap/internal/report"
	"mishap/internal/report/reporttest"
)

func TestResultsAreKeptForABoundedTimeAndNumber(t *testing.T) {
	var k results
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	name := func(address string) string { return address[len("/plan/"):] }
	first := name(k.keep(result{title: "Plan of a", address: "/plan"}, start))
	if _, ok := k.of(first, start.Add(keptFor)); !ok {
		t.Error("it is over before its time")
	}
	if _, ok := k.of(first, start.Add(keptFor+time.Second)); ok || len(k.latest("", start.Add(keptFor+time.Second), 9)) != 0 {
		t.Error("it is kept beyond its time")
	}
	for i := range mostKept {
		k.keep(result{title: fmt.Sprint("Plan of ", i), address: "/plan"}, start.Add(time.Duration(i+1)*time.Second))
	}
	if _, ok := k.of(first, start.Add(time.Minute)); ok || len(k.all) != mostKept {
		t.Errorf("%d are kept, the oldest %v", len(k.all), ok)
	}
	if all := k.latest("", start.Add(time.Hour), 3); len(all) != 3 || all[0].Title != fmt.Sprint("Plan of ", mostKept-1) {
		t.Errorf("the latest are %+v", all)
	}
	k.keep(result{title: "Plan of a", address: "/plan"}, start.Add(2*keptFor))
	if len(k.all) != 1 {
		t.Errorf("%d are kept that are over", len(k.all)-1)
	}
}

// A sheet is written by the report for a terminal and a page alike; here nothing of it is left out.
func TestAPageHasAllOfASheet(t *testing.T) {
	plan := reporttest.CheckoutPlan()
	table := report.SheetItem{Table: [][]string{{"from", "calls/s", "retries"}, {"10.0.0.1", "2.5", "none"}}, Fields: []report.SheetField{{Text: "and 3 more"}}}
	sheet := report.PlanSheet(plan, nil, nil, nil)
	sheet.Parts = append(sheet.Parts, report.SheetPart{Title: "who calls", Items: []report.SheetItem{table, {Name: reporttest.Hostile, Fields: []report.SheetField{{Label: reporttest.Hostile, Text: reporttest.Hostile}}}}})
	var text, page strings.Builder
	if err := newTemplates(nil).ExecuteTemplate(&page, "sheet", sheet); err != nil {
		t.Fatal(err)
	}
	if err := sheet.Text(&text); err != nil {
		t.Fatal(err)
	}
	letters := func(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), "")) }
	shown := letters(tags.ReplaceAllString(page.String(), " "))
	for word := range strings.FieldsSeq(text.String()) {
		if plain := letters(html.EscapeString(word)); !strings.Contains(shown, plain) && len(plain) < 40 { // longer ones are broken at a terminal
			t.Errorf("the page lacks %q", word)
		}
	}
	for _, never := range []string{"<script>", "<b>", "\u202e", "\x1b"} {
		if strings.Contains(page.String(), never) {
			t.Errorf("the page has %q", never)
		}
	}
	for _, want := range []string{"<h2>Who calls</h2>", `<th scope="col" class="n">Calls/s</th>`, `<td data-name="Retries">none</td>`, "<h3>payments is slow: proxy-latency</h3>"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)
