package ci_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap"
	"mishap/experiments"
	"mishap/internal/report"
	"mishap/internal/report/ci"
	"mishap/internal/report/reporttest"
)

// several is a suite of all that may come out.
func several(t *testing.T) report.Suite {
	t.Helper()
	all := reporttest.Stories()
	s := report.Suite{NotRun: []mishap.Experiment{{Name: "later"}}, Why: "it was interrupted"}
	for _, name := range []string{"held", "deviated", "no-effect", "refused", "stranded"} {
		s.Runs = append(s.Runs, all[name].Run(t))
	}
	return s
}

func TestEveryExperimentOfASuiteHasALine(t *testing.T) {
	s := several(t)
	var out bytes.Buffer
	if err := ci.Summary(&out, s, 100); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.Trim(out.String(), "\n"), "\n")
	if want := ": 1 held, 1 deviated, 1 inconclusive, 1 refused, 1 stranded, 1 not run"; len(lines) != 7 || !strings.HasPrefix(lines[0], "6 experiments in ") || !strings.HasSuffix(lines[0], want) {
		t.Fatalf("not 6 lines below one that counts them:\n%s", out.String())
	}
	for i, r := range s.Runs {
		if line := lines[i+1]; !strings.Contains(line, r.ID) || !strings.Contains(line, ci.Word(r)) || len([]rune(line)) > 100 {
			t.Errorf("line of run %s: %s", r.ID, line)
		}
	}
	if last := lines[6]; !strings.Contains(last, "not run") || !strings.Contains(last, "later") || !strings.Contains(last, "it was interrupted") {
		t.Errorf("of what did not run: %s", last)
	}
}

func TestThePageOfABuildLeadsToThatOfEachRun(t *testing.T) {
	s := several(t)
	s.Page = func(run string) string { return "https://chaos.example.org/runs/" + run + ") | x" }
	var out bytes.Buffer
	if err := ci.Markdown(&out, s); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Runs {
		if want := "| [" + r.ID + "](https://chaos.example.org/runs/" + r.ID + "%29%20%7C%20x) |"; !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q:\n%s", want, out.String())
		}
	}
}

// GitHub's variables, as a job has them.
func github(t *testing.T) (ci.Host, string) {
	t.Helper()
	page := filepath.Join(t.TempDir(), "summary.md")
	variables := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": page, "GITHUB_WORKSPACE": t.TempDir()}
	return ci.HostOf(func(name string) string { return variables[name] }), page
}

func TestNothingIsSaidToABuildThatIsNotThere(t *testing.T) {
	var out bytes.Buffer
	host := ci.HostOf(func(string) string { return "" })
	if err := host.Notes(&out, several(t)); err != nil || host.Known() || out.Len() > 0 {
		t.Errorf("err %v, known %t, said %q", err, host.Known(), out.String())
	}
	if err := host.Page(several(t)); err != nil {
		t.Error(err)
	}
}

func TestWhatMakesABuildRedIsAnErrorAtTheClaim(t *testing.T) {
	host, _ := github(t)
	s := several(t)
	file := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(file, []byte("version: 1\nname: a\nclaim: Nothing breaks.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Runs[1].Plan.Experiment.Source.File = file
	for allowed, levels := range map[bool]string{false: "error error error error notice", true: "error error notice error notice"} {
		s.AllowRefused = allowed
		var out bytes.Buffer
		if err := host.Notes(&out, s); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			level, _, _ := strings.Cut(strings.TrimPrefix(line, "::"), " ")
			got = append(got, level)
		}
		if strings.Join(got, " ") != levels {
			t.Errorf("allowed %t: levels %v, want %s", allowed, got, levels)
		}
		if !strings.HasPrefix(out.String(), "::error file="+file+",line=3,title=") {
			t.Errorf("no note at the claim of %s:\n%s", file, out.String())
		}
	}
}

// What a system under test says is part of a note, and never a command.
func TestNoTextEndsANoteOrBeginsAnother(t *testing.T) {
	host, page := github(t)
	hostile := "x\n::error::mine\r%0A::stop-commands::t | <script> `a` \x1b[31m"
	s := several(t)
	for _, r := range s.Runs {
		r.Reason, r.Plan.Experiment.Name, r.Plan.Experiment.Source.File = hostile, hostile, hostile
	}
	var out bytes.Buffer
	if err := host.Notes(&out, s); err != nil {
		t.Fatal(err)
	}
	if err := host.Problems(&out, "error", experiments.Problems{{File: hostile, Line: 3, Column: 4, Msg: hostile, Hint: hostile}}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) != 6 {
		t.Errorf("%d lines of 6 notes:\n%s", len(lines), out.String())
	}
	for _, line := range lines {
		head, _, _ := strings.Cut(strings.TrimPrefix(line, "::"), "::")
		if strings.Contains(line, "%0A::") || strings.ContainsAny(line, "\r\x1b") || strings.Count(head, "=") > 4 || strings.Count(head, ",") > 3 {
			t.Errorf("a text acts: %q", line)
		}
	}
	if err := host.Page(s); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 6 || strings.Contains(strings.ReplaceAll(line, `\<`, ""), "<") {
			t.Errorf("a cell acts: %q", line)
		}
	}
}

func TestThePageOfABuildIsAddedTo(t *testing.T) {
	host, page := github(t)
	for range 2 {
		if err := host.Page(several(t)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(text), "### mishap: 1 held, 1 deviated"); got != 2 {
		t.Errorf("%d tables after two suites:\n%s", got, text)
	}
	if red := strings.Count(string(text), " **"); red != 8 || strings.Count(string(text), "Bold: why the build fails.") != 2 {
		t.Errorf("%d rows of 2 × 4 are why it fails:\n%s", red, text)
	}
}
