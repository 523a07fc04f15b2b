package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// line is one line of a live view.
type line struct {
	text   string
	narrow string // of a table or a bar: what is there instead where there are fewer columns than wide
	style  string // how it is drawn where there are colours; may be empty
	hang   int    // of a sentence: how far in what does not fit is set; of others 0, and they are cut
}

// wide is how many columns all columns of a table need, and some for what is free text.
const wide = 76

// picture is what a live view shows of a run at one moment. It holds nothing
// that the run goes on to change.
type picture struct {
	run, title    string
	state         mishap.State
	verdict       mishap.Verdict
	reason        string
	since         time.Time     // when the bar began
	until         time.Duration // where it ends; 0 means that nobody knows
	took          time.Duration // of a run that is over
	probes        []line
	arms          []line
	faults        []pictureFault
	due           time.Time // when the next fault goes in; zero if none waits
	dueName, next string
}

// pictureFault is one injection of a picture.
type pictureFault struct {
	name  string
	state mishap.InjectionState
	end   time.Time // when it is due out; zero if it is not in
	felt  string
}

// nameColumn is the width of names in a live view, and of faults in a narrow one.
const (
	nameColumn       = 32
	narrowNameColumn = 18
)

// look takes a picture of a run.
func look(r *mishap.Run) *picture {
	e := r.Plan.Experiment
	p := &picture{run: r.ID, title: r.ID + "  " + e.Name, state: r.State, reason: r.Reason, next: next(r)}
	switch r.State {
	case mishap.Baseline:
		p.since, p.until = watchedSince(r)
	case mishap.Injecting, mishap.Holding:
		p.since, p.until = r.InjectedAt, r.Plan.Longest()
		p.dueName, p.due = nextFault(r)
	case mishap.Reverting, mishap.Stranded:
		p.since = r.RevertingAt
		p.reason = words.Joined("; ", r.Reason, stuck(r))
	case mishap.Verifying:
		p.since, p.until = r.RevertedAt, e.Recovery.Within.Std()
	case mishap.Refused, mishap.Completed:
		p.took = words.Between(r.PlannedAt, r.EndedAt)
		p.verdict, p.reason = mishap.Judge(r)
	default:
		p.since = r.PlannedAt
	}
	for _, w := range r.Watches {
		last := words.Joined(", ", string(w.Last.Result), report.Seen(", ", w.Last))
		p.probes = append(p.probes, probeCells(w.Spec.Name, fmt.Sprint(w.Met), fmt.Sprint(w.Unmet), fmt.Sprint(w.Unknown), words.OrElse(last, "not asked yet"), resultStyle(w.Last.Result)))
	}
	if a := report.Compared(r); a != nil {
		p.arms = armLines(a)
	}
	for _, in := range r.Injections {
		f := pictureFault{name: report.On(in), state: in.State, felt: report.AffectedNow(in)}
		if in.State == mishap.InjectionInjected && in.For > 0 {
			f.end = in.InjectedAt.Add(in.For.Std())
		}
		p.faults = append(p.faults, f)
	}
	return p
}

// watchedSince is when the arms were in, and how long they are watched before
// any fault.
func watchedSince(r *mishap.Run) (since time.Time, until time.Duration) {
	since = r.PlannedAt
	if in := report.ArmsInjection(r); in != nil && !in.InjectedAt.IsZero() {
		since = in.InjectedAt
	}
	if c := r.Plan.Experiment.Compare; c != nil {
		until = c.Baseline.AtLeast()
	}
	return since, until
}

// stuck says what a revert gave up on, or fails on, and why.
func stuck(r *mishap.Run) string {
	var all []string
	for _, in := range r.Outstanding() {
		if in.State == mishap.InjectionStranded || report.Failing(in) != "" {
			all = append(all, words.Joined(": ", report.On(in)+" is "+string(in.State), in.Detail))
		}
	}
	return strings.Join(all, "; ")
}

func resultStyle(r mishap.Result) string {
	switch r {
	case mishap.Met:
		return green
	case mishap.Unmet:
		return red
	case mishap.Unmeasured:
		return yellow
	}
	return ""
}

// lines is the picture as it is at a time.
func (p *picture) lines(now time.Time) []line {
	all := append([]line{{text: p.title, style: bold}, p.progress(now)}, p.arms...)
	if len(p.probes) > 0 {
		all = append(all, probeCells("probe", "met", "unmet", "unknown", "last", ""))
		all = append(all, p.probes...)
	}
	if len(p.faults) > 0 {
		all = append(all, faultCells("fault", "state", "left", "affected", ""))
	}
	for _, f := range p.faults {
		all = append(all, f.line(now))
	}
	if p.reason != "" {
		all = append(all, line{text: "  why   " + p.reason, hang: 8})
	}
	next := p.next
	if !p.due.IsZero() {
		next = fmt.Sprintf("%s is injected in %s; Ctrl-C reverts now", p.dueName, left(p.due, now))
	}
	return append(all, line{text: "  next  " + next, hang: 8})
}

// progress says where the run stands and how long that has been so.
func (p *picture) progress(now time.Time) line {
	style := ""
	switch {
	case p.state == mishap.Stranded || p.verdict == mishap.Deviated:
		style = red
	case p.verdict == mishap.Held:
		style = green
	case p.verdict == mishap.Inconclusive || p.state == mishap.Refused:
		style = yellow
	}
	state := words.Pad(string(p.state), 10)
	if p.state.Ended() {
		return line{text: words.Joined("  ", state, strings.ToUpper(string(p.verdict)), "after "+words.Took(p.took)), style: style}
	}
	elapsed, limit := max(0, words.Between(p.since, now)).Truncate(time.Second), "at most"
	if p.state == mishap.Baseline { // which ends when all that it saw is counted
		limit = "at least"
	}
	if p.until == 0 {
		return line{text: fmt.Sprintf("%s  for %s", state, mishap.Duration(elapsed)), style: style}
	}
	along := func(columns int) string {
		return fmt.Sprintf("%s  %s  %s of %s %s", state, bar(elapsed.Seconds()/p.until.Seconds(), columns), mishap.Duration(elapsed), limit, words.Took(p.until))
	}
	return line{text: along(barColumns), narrow: along(narrowBarColumns), style: style}
}

func (f pictureFault) line(now time.Time) line {
	remaining, style := "", ""
	if !f.end.IsZero() {
		remaining = left(f.end, now)
	}
	switch f.state {
	case mishap.InjectionInjected:
		style = yellow
	case mishap.InjectionStranded:
		style = red
	}
	return faultCells(f.name, string(f.state), remaining, f.felt, style)
}

// probeCells is a line of the table of probes; a narrow one leaves out what was seen last.
func probeCells(name, met, unmet, unknown, last, style string) line {
	some := fmt.Sprintf("  %s %5s %6s %8s", words.Pad(words.Cut(words.Clean(name), nameColumn), nameColumn), met, unmet, unknown)
	return line{text: some + "  " + last, narrow: some, style: style}
}

// faultCells is a line of the table of faults; a narrow one leaves out how long each has left.
func faultCells(name, state, remaining, affected, style string) line {
	named := func(columns int) string { return words.Pad(words.Cut(words.Clean(name), columns), columns) }
	return line{
		text:   fmt.Sprintf("  %s %-10s %8s  %s", named(nameColumn), state, remaining, affected),
		narrow: fmt.Sprintf("  %s %-10s  %s", named(narrowNameColumn), state, affected), style: style,
	}
}

// left is the time until at, in whole seconds, rounded up.
func left(at, now time.Time) string {
	d := max(0, words.Between(now, at))
	return mishap.Duration((d + time.Second - 1).Truncate(time.Second)).String()
}

// nextFault is the fault that waits for another and goes in next, and when.
func nextFault(r *mishap.Run) (fault string, at time.Time) {
	for _, f := range r.Plan.Experiment.Faults {
		if f.After == nil || !slices.ContainsFunc(r.Injections, func(in *mishap.RunInjection) bool {
			return in.Fault == f.Name && in.State == mishap.InjectionPrepared
		}) {
			continue
		}
		if after, _, _ := report.Span(r, f.After.Fault); !after.IsZero() {
			if due := after.Add(f.After.Wait.Std()); at.IsZero() || due.Before(at) {
				fault, at = f.Name, due
			}
		}
	}
	return fault, at
}

// next says what comes next, and how to have it now.
func next(r *mishap.Run) string {
	text := report.Next(r)
	switch r.State {
	case mishap.Baseline, mishap.Injecting, mishap.Holding:
		return text + "; Ctrl-C reverts now"
	}
	return cmp.Or(text, "mishap report "+r.ID)
}
