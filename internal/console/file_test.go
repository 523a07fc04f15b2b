package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/report/reporttest"
)

// fileAt is the commit and the path of the stories' experiments.
func fileAt() mishap.Source { return reporttest.CheckoutPlan().Experiment.Source }

func TestAnExperimentsFileIsShownAsItsCommitHasItWithNumbers(t *testing.T) {
	w := busy(t)
	at := fileAt()
	views := w.Experiments()
	for i := range views {
		views[i].Source = at
	}
	w.only(views...)
	w.keep(at.Commit, at.Path, "version: 1\nclaim: <b>\u202ebad</b>\n  indented: yes\n")
	p := w.signedIn("viewer")
	_, _, experiment := p.get("/experiments/search-falls-back")
	if !strings.Contains(experiment, `href="/experiments/search-falls-back/file"`) {
		t.Error("its page has no link to the file")
	}
	_, _, page := p.get("/experiments/search-falls-back/file")
	for _, want := range []string{`<tr id="L2"><td class="at"><a href="#L2">2</a></td><td>claim: &lt;b&gt;bad&lt;/b&gt;</td>`, "<td>  indented: yes</td>", at.Commit[:12], "changes that were not committed"} {
		if !strings.Contains(page, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(page, `id="L4"`) || strings.Contains(page, "The text is not kept") {
		t.Error("it has more lines than the file")
	}
	if status, _, _ := p.get("/experiments/never-heard-of/file"); status != http.StatusNotFound {
		t.Errorf("of an experiment that nobody has: %d", status)
	}
}

// source lets an experiment in force be of a commit.
func (w *world) source(name, commit string) {
	views := w.Experiments()
	for i := range views {
		if views[i].Name == name {
			views[i].Source.Commit = commit
		}
	}
	w.only(views...)
}

func TestTheFileOfARunStandsBesideWhatIsInForceNow(t *testing.T) {
	w := busy(t)
	at := fileAt()
	var was strings.Builder
	for i := range 30 {
		fmt.Fprintf(&was, "line %d\n", i+1)
	}
	w.keep(at.Commit, at.Path, was.String())
	p := w.signedIn("viewer")
	file := func() string {
		w.happens()
		_, _, page := p.get("/runs/0af1/file?n=" + fmt.Sprint(time.Now().UnixNano())) // which nobody was shown a moment ago
		return page
	}
	w.source("search-falls-back", at.Commit)
	if page := file(); !strings.Contains(page, "The same, at commit "+at.Commit[:12]) {
		t.Error("it does not say that it is the same as now")
	}
	w.source("search-falls-back", strings.Repeat("c", 40))
	if page := file(); !strings.Contains(page, "Of what is in force the text is not kept: no source keeps that commit any more.") || !strings.Contains(page, "line 30") {
		t.Error("it does not say that what is in force is not kept")
	}
	w.keep(strings.Repeat("c", 40), at.Path, strings.Replace(was.String(), "line 15\n", "line fifteen\nand more\n", 1))
	page := file()
	for _, want := range []string{
		`<tr class="gone-line"><td class="at">15</td><td class="at"></td>`, `<tr class="new-line"><td class="at"></td><td class="at">15</td>`, "<td>line fifteen</td>", "<td>and more</td>",
		"11 lines that both have", "12 lines that both have", "is at commit cccccccccccc",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	w.only()
	if page := file(); !strings.Contains(page, "No source has an experiment of that name in force any more") {
		t.Error("it does not say that nothing of that name is in force")
	}
	if _, _, run := p.get("/runs/0af1"); !strings.Contains(run, `href="/runs/0af1/file">file at `+at.Commit[:12]) {
		t.Error("the run's page has no link to its file")
	}
}

func TestAFileThatIsKeptNoMoreIsSaidToBe(t *testing.T) {
	w := busy(t)
	w.files = nil
	p := w.signedIn("viewer")
	for _, at := range []string{"/runs/0af1/file", "/experiments/search-falls-back/file"} {
		if status, _, page := p.get(at); status != http.StatusOK || !strings.Contains(page, "The text is not kept") || !strings.Contains(page, "No source keeps that commit any more.") {
			t.Errorf("%s: %d %s", at, status, page)
		}
	}
}

func TestWhatBecameOfAFileIsFound(t *testing.T) {
	w := busy(t)
	at := fileAt()
	p := w.signedIn("viewer")
	lines := func(from, to int) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			fmt.Fprintf(&b, "n%d\n", i)
		}
		return b.String()
	}
	for i, c := range []struct {
		was, is   string
		gone, new int
		says      string
	}{
		{"a\nb\nc\n", "a\nc\n", 1, 0, ""},
		{"a\nc\n", "a\nb\nc\n", 0, 1, ""},
		{"a\na\n", "a\na\na\n", 0, 1, ""},
		{"", "a\n", 0, 1, ""},
		{"a\n", "", 1, 0, ""},
		{"a\nb\nc\nd\n", "c\nd\na\nb\n", 2, 2, ""},
		{lines(1, 3000), lines(1, 1500) + "x\n" + lines(1501, 3000), 0, 1, "1497 lines that both have"},
		{lines(1, 1001), lines(2001, 3001), 0, 0, "They differ in too much"},
		{lines(1, 6000), lines(1, 6000), 0, 0, "and 1000 more lines"},
	} {
		w.keep(at.Commit, at.Path, c.was)
		w.keep(strings.Repeat("b", 40), at.Path, c.is)
		_, _, page := p.get(fmt.Sprintf("/runs/0af1/file?n=%d", i))
		if gone, fresh := strings.Count(page, `class="gone-line"`), strings.Count(page, `class="new-line"`); gone != c.gone || fresh != c.new || !strings.Contains(page, c.says) {
			t.Errorf("%d: %d gone, %d new", i, gone, fresh)
		}
	}
}
