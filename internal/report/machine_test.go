package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/reporttest"
)

func TestJSONIsOneLineWithAVerdictOrNull(t *testing.T) {
	want := map[string]struct {
		verdict any
		exit    float64
	}{
		"held": {"held", 0}, "deviated": {"deviated", 3}, "no-effect": {"inconclusive", 4}, "refused": {nil, 5},
		"stranded": {nil, 6}, "settled": {"inconclusive", 4}, "crash-resumed": {"inconclusive", 4}, "holding": {nil, 6},
	}
	for name, s := range reporttest.Stories() {
		var out bytes.Buffer
		if err := report.JSON(&out, s.Run(t)); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 1 || !strings.HasSuffix(out.String(), "\n") {
			t.Errorf("%s: %d line ends", name, n)
		}
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		verdict, there := got["verdict"]
		if !there || verdict != want[name].verdict || got["exitCode"] != want[name].exit {
			t.Errorf("%s: verdict %v, exit code %v; want %v", name, verdict, got["exitCode"], want[name])
		}
		if got["started"] != "2026-11-23T10:00:00Z" {
			t.Errorf("%s: started %v", name, got["started"])
		}
	}
}

func TestJSONKeepsItsShape(t *testing.T) {
	for _, name := range []string{"deviated", "refused"} {
		var out, pretty bytes.Buffer
		if err := report.JSON(&out, reporttest.Stories()[name].Run(t)); err != nil {
			t.Fatal(err)
		}
		if err := json.Indent(&pretty, out.Bytes(), "", "  "); err != nil {
			t.Fatal(err)
		}
		reporttest.Golden(t, name+".json", pretty.String())
	}
}

func TestMachinesGetExactlyWhatTheSystemSaidWithoutActingOnATerminal(t *testing.T) {
	s := reporttest.Attacked(t)
	var line, journal bytes.Buffer
	if err := report.JSON(&line, s.Run(t)); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteJournal(&journal, s.Entries); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{line.String(), journal.String()} {
		if strings.ContainsAny(strings.ReplaceAll(out, "\n", ""), "\x1b\u009b\u202e\r\t") {
			t.Error("a control character was not escaped")
		}
	}
	var got report.Summary
	if err := json.Unmarshal(line.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := strings.ToValidUTF8(reporttest.Hostile, "\ufffd"); got.Claim != want {
		t.Errorf("claim is %q, want %q", got.Claim, want)
	}
}

type suite struct {
	Tests, Failures, Errors, Skipped int
	Cases                            []struct {
		Name    string `xml:"name,attr"`
		Failure *struct {
			Message string `xml:"message,attr"`
		} `xml:"failure"`
		Error *struct {
			Message string `xml:"message,attr"`
		} `xml:"error"`
		Skipped *struct {
			Message string `xml:"message,attr"`
		} `xml:"skipped"`
		Out string `xml:"system-out"`
	} `xml:"testcase"`
}

func TestJUnitCountsWhatIsNotHeld(t *testing.T) {
	all := reporttest.Stories()
	all["attacked"] = reporttest.Attacked(t)
	for name, want := range map[string][3]int{
		"held": {0, 0, 0}, "deviated": {1, 0, 0}, "no-effect": {0, 1, 0}, "stranded": {0, 1, 0}, "settled": {0, 1, 0},
		"crash-resumed": {0, 1, 0}, "holding": {0, 1, 0}, "refused": {0, 1, 0}, "attacked": {0, 1, 0},
	} {
		run := all[name].Run(t)
		var out bytes.Buffer
		if err := report.JUnit(&out, []*mishap.Run{run}); err != nil {
			t.Fatal(err)
		}
		var got suite
		decoder := xml.NewDecoder(&out)
		if err := decoder.Decode(&got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := decoder.Token(); err != nil && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "EOF") {
			t.Errorf("%s: %v", name, err)
		}
		c := got.Cases[0]
		have := [3]int{some(c.Failure), some(c.Error), some(c.Skipped)}
		if have != want {
			t.Errorf("%s: failure, error, skipped = %v, want %v", name, have, want)
		}
		if c.Out != reporttest.Text(t, run) {
			t.Errorf("%s: system-out is not the text report: %s", name, cmp.Diff(reporttest.Text(t, run), c.Out))
		}
	}
}

func some[T any](p *T) int {
	if p == nil {
		return 0
	}
	return 1
}

// A build that reads JUnit alone is red for what was refused, unless it says that
// this is no failure; and it sees what did not run.
func TestWhatWasRefusedIsAnErrorUnlessThatIsAllowed(t *testing.T) {
	all := reporttest.Stories()
	runs := []*mishap.Run{all["held"].Run(t), all["refused"].Run(t)}
	for allowed, want := range map[bool]string{
		false: `tests="3" failures="0" errors="1" skipped="1"`,
		true:  `tests="3" failures="0" errors="0" skipped="2"`,
	} {
		s := report.Suite{Runs: runs, NotRun: []mishap.Experiment{{Name: "later"}}, Why: "it was interrupted", AllowRefused: allowed}
		var out bytes.Buffer
		if err := s.JUnit(&out); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{want, "it is Monday 10:00", `<skipped message="not run: it was interrupted">`} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("allowed %t: no %s in\n%s", allowed, part, out.String())
			}
		}
		if s.Passes(runs[1]) != allowed || !s.Passes(runs[0]) {
			t.Errorf("allowed %t: held passes %t, refused passes %t", allowed, s.Passes(runs[0]), s.Passes(runs[1]))
		}
	}
}

func TestJUnitOfManyRunsAddsUp(t *testing.T) {
	all := reporttest.Stories()
	var out bytes.Buffer
	if err := report.JUnit(&out, []*mishap.Run{all["held"].Run(t), all["refused"].Run(t), all["deviated"].Run(t), all["stranded"].Run(t)}); err != nil {
		t.Fatal(err)
	}
	if want := `<testsuite name="mishap" tests="4" failures="1" errors="2" skipped="0"`; !strings.Contains(out.String(), want) {
		t.Errorf("no %s in\n%.200s", want, out.String())
	}
	out.Reset()
	if err := report.JUnit(&out, nil); err != nil || !strings.Contains(out.String(), `tests="0"`) {
		t.Errorf("no runs: %v\n%s", err, out.String())
	}
}

func TestJournalAloneGivesTheIdenticalReport(t *testing.T) {
	all := reporttest.Stories()
	all["attacked"] = reporttest.Attacked(t)
	for name, s := range all {
		var journal, before, after bytes.Buffer
		if err := report.WriteJournal(&journal, s.Entries); err != nil {
			t.Fatal(err)
		}
		entries, err := report.ReadJournal(&journal)
		if err != nil {
			t.Fatal(err)
		}
		back, err := mishap.Replay(entries)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(reporttest.Text(t, s.Run(t)), reporttest.Text(t, back)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if err := report.JSON(&before, s.Run(t)); err != nil {
			t.Fatal(err)
		}
		if err := report.JSON(&after, back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before.String(), after.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestJournalNeverHoldsUndo(t *testing.T) {
	in := reporttest.SlowPayments()
	in.Undo = json.RawMessage(`"what reverts it"`)
	s := reporttest.Tell(reporttest.CheckoutPlan()).Prepare(in)
	var out bytes.Buffer
	if err := report.WriteJournal(&out, s.Entries); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "what reverts it") {
		t.Error("undo was written")
	}
	if s.Entries[1].Injection.Injection.Undo == nil {
		t.Error("the caller's entry was changed")
	}
}

func TestReadJournalRefusesWithTheLineWhatIsNotAJournal(t *testing.T) {
	var out bytes.Buffer
	if err := report.WriteJournal(&out, reporttest.Tell(reporttest.CheckoutPlan()).Steady().Entries); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(out.String(), "\n")
	lines = lines[:len(lines)-1]
	tests := []struct {
		name, text string
		want       string
	}{
		{"nothing", "", "no entries"},
		{"an unknown field", lines[0] + `{"run":"7f3a91c2","seq":2,"mood":"good"}` + "\n", "line 2"},
		{"another run", lines[0] + strings.Replace(lines[1], "7f3a91c2", "00000000", 1), "line 2: it belongs to run \"00000000\""},
		{"an empty line", lines[0] + "\n" + lines[1], "line 2: it is empty"},
		{"two entries on a line", lines[0] + strings.TrimSpace(lines[1]) + lines[2], "line 2: there is more"},
		{"half an entry", lines[0] + lines[1][:20], "line 2: the entry is cut off"},
		{"no run", lines[0] + `{"seq":2}`, "line 2: it names no run"},
		{"not JSON", "HELD: it was fine\n", "line 1"},
	}
	for _, tt := range tests {
		_, err := report.ReadJournal(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want …%s…", tt.name, err, tt.want)
		}
	}
	if entries, err := report.ReadJournal(strings.NewReader(strings.TrimSuffix(strings.Join(slices.Clone(lines), ""), "\n"))); err != nil || len(entries) != len(lines) {
		t.Errorf("without the last line end: %d entries, %v", len(entries), err)
	}
}

// endless never stops.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestReadJournalStopsAt64MiB(t *testing.T) {
	if _, err := report.ReadJournal(endless{}); err == nil || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("an endless journal: %v", err)
	}
}
