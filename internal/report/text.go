package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"mishap"
)

// Text writes the report of a run for a person, at most 80 columns wide.
func Text(w io.Writer, r *mishap.Run) error {
	p := &page{}
	_, reason := mishap.Judge(r)
	p.line(2, "%s: %s", strings.ToUpper(headline(r)), orNothing(reason))
	p.blank()
	e := r.Plan.Experiment
	p.field("claim", "%s", e.Claim)
	p.field("experiment", "%s, %s", e.Name, source(e.Source))
	p.field("run", "%s, %s", r.ID, r.PlannedAt.UTC().Format("2006-01-02 15:04:05 MST"))
	if r.By != "" {
		p.field("by", "%s", r.By)
	}
	timeline(p, r)
	faults(p, r)
	probes(p, r)
	asked(p, r)
	stillIn(p, r)
	for i, note := range slices.Concat(r.Plan.Notes, r.Notes) {
		p.field(once(i, "notes"), "%s", note)
	}
	return p.to(w)
}

func orNothing(reason string) string {
	if reason == "" {
		return "it is not over"
	}
	return reason
}

// once is the label of the first line of several.
func once(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

// timeline says when what happened, counted from the plan.
func timeline(p *page, r *mishap.Run) {
	p.blank()
	const indent = 22
	say := func(when, since, text string) {
		p.hang(fmt.Sprintf("  %8s  %8s  ", when, since), indent, clean(text))
	}
	at := func(t time.Time, format string, args ...any) {
		if !t.IsZero() {
			say(clock(t), "+"+took(t.Sub(r.PlannedAt)), fmt.Sprintf(format, args...))
		}
	}
	at(r.PlannedAt, "planned")
	at(r.InjectedAt, "injecting")
	at(r.HoldingAt, "every first fault is in; watching")
	at(r.RevertingAt, "reverting (%s)%s", r.Cause, unlessSaid(r))
	at(r.RevertedAt, "everything is reverted; verifying the steady state")
	if rec := r.Recovered; rec != nil && rec.In {
		say("", "", fmt.Sprintf("recovered %s after the revert (up to %s earlier)", took(rec.Took.Std()), took(rec.Resolution.Std())))
	}
	switch {
	case r.State == mishap.Refused:
		at(r.EndedAt, "refused; this run touched nothing")
	case r.State == mishap.Stranded:
		say("", "", "stranded: a person must act")
	default:
		at(r.EndedAt, "completed")
	}
}

// unlessSaid is why the run was reverted, if the first line does not say so.
func unlessSaid(r *mishap.Run) string {
	if _, reason := mishap.Judge(r); reason == r.Reason || r.Reason == "" {
		return ""
	}
	return ": " + r.Reason
}

func faults(p *page, r *mishap.Run) {
	if len(r.Injections) == 0 {
		return
	}
	p.blank()
	for _, in := range r.Injections {
		p.line(4, "  %s: %s on %s", in.Fault, in.Injector, in.Target.Label())
		p.line(4, "    %s", lifeOf(in))
		if in.Looks > 0 {
			p.line(4, "    in force at %d of %d looks", in.Looks-in.NotInForce, in.Looks)
		}
		if in.Felt != nil {
			p.line(4, "    %s", feltBy(*in.Felt))
		}
	}
}

// feltBy says what a fault did to traffic.
func feltBy(t mishap.Traffic) string {
	switch {
	case t.Connections == 0:
		return "felt by no traffic"
	case t.Count == 0:
		return fmt.Sprintf("felt by %s, whose bytes were let go before they were due", plural(int(t.Connections), "connection"))
	}
	return fmt.Sprintf("felt by %s, %s; asked for %s, delivered p50 %s, p99 %s",
		plural(int(t.Connections), "connection"), bytesOf(t.Bytes), t.Requested, took(t.P50.Std()), took(t.P99.Std()))
}

// lifeOf says how an injection ended and how long it was in.
func lifeOf(in *mishap.RunInjection) string {
	text := string(in.State)
	if in.By != "" {
		text += " by " + in.By
	}
	if !in.InjectedAt.IsZero() && !in.SettledAt.IsZero() {
		text += ", was in for " + took(in.SettledAt.Sub(in.InjectedAt))
	}
	if in.Detail != "" {
		text += ": " + in.Detail
	}
	return text
}

func bytesOf(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}

// probes says what each probe saw while the fault was in.
func probes(p *page, r *mishap.Run) {
	p.blank()
	for _, w := range r.Watches {
		p.line(4, "  %s", w.Spec.Name)
		counts := fmt.Sprintf("    met %d, unmet %d, unknown %d while faults were in", w.Met, w.Unmet, w.Unknown)
		if w.Spec.Allow.Count > 0 {
			counts += "; allowed " + w.Spec.Allow.String()
		}
		p.line(4, "%s", counts)
		for _, what := range []string{w.Deviation, w.Blind} {
			if what != "" {
				p.line(4, "    %s", what)
			}
		}
		if w.Last.Value+w.Last.Detail != "" {
			p.line(4, "    last: %s", strings.Trim(w.Last.Value+", "+w.Last.Detail, ", "))
		}
	}
}

// asked names the safeguards and what they said.
func asked(p *page, r *mishap.Run) {
	if len(r.Checks) == 0 {
		return
	}
	p.blank()
	var yes []string
	for _, name := range slices.Sorted(maps.Keys(r.Checks)) {
		if r.Checks[name].Answer == mishap.Yes {
			yes = append(yes, name)
		}
	}
	if yes != nil {
		p.field("safeguards", "%s said yes", strings.Join(yes, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Checks)) {
		if c := r.Checks[name]; c.Answer != mishap.Yes {
			p.field("", "%s said %s: %s", name, c.Answer, c.Reason)
		}
	}
}

// stillIn is loud about what is left.
func stillIn(p *page, r *mishap.Run) {
	left := r.Outstanding()
	if len(left) == 0 {
		return
	}
	p.blank()
	for _, in := range left {
		p.line(4, "STILL IN: %s on %s is %s", in.Fault, in.Target.Label(), in.State)
	}
	p.line(4, "  try again: mishap revert %s", r.ID)
	p.line(4, "  or, when you have put it back yourself: mishap revert %s --settle 'REASON'", r.ID)
}
