package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/report/words"
)

// Brief writes what a person wants to know when a run has just ended, in at most
// 25 lines: the verdict and why, what may still be in force and how to end it,
// both arms, what was affected, and how it was reverted. Text has the rest, and so
// has the run's page, if it has an address.
func Brief(w io.Writer, r *mishap.Run, page string) error {
	p, why, more := newPage(w), 5, "mishap report "+r.ID+"; with -o html as a page"
	if page != "" {
		why, more = 4, "mishap report "+r.ID+"; "+page
	}
	outcome(p, r, why)
	left := len(r.Outstanding()) > 0
	if left {
		briefLeft(p, r)
	}
	p.blank()
	p.most(2, func() { p.field("claim", "%s", r.Plan.Experiment.Claim) })
	p.most(2, func() { p.field("experiment", "%s", identity(r)) })
	if !left { // else a person has to act first
		briefArms(p, r)
	}
	p.blank()
	most := 3
	if o := r.Trigger.Override; o != nil {
		p.most(1, func() { p.field("override", "by %s: %s", o.By, o.Reason) })
		most--
	}
	p.most(most, func() { briefFaults(p, r, most) })
	p.most(2, func() { p.field("reverted", "%s", revertedBriefly(r)) })
	p.field("more", "%s", more)
	return p.to(w)
}

// Gist writes what came out of a run in at most 9 lines: the verdict and why, both
// arms, what was affected, and how it was reverted.
func Gist(w io.Writer, r *mishap.Run) error {
	p := newPage(w)
	outcome(p, r, 3)
	if a := Compared(r); a != nil {
		armsTable(p, a)
	} else if w := beyond(r); w != nil {
		p.most(1, func() { p.field("saw", "%s", Seen(", ", w.Beyond)) })
	}
	p.most(2, func() { briefFaults(p, r, 2) })
	p.most(1, func() { p.field("reverted", "%s", revertedBriefly(r)) })
	return p.to(w)
}

// outcome is the headline, and beside it what was in force too long; at the
// beginning of a page, in at most some lines.
func outcome(p *page, r *mishap.Run, most int) {
	if len(Overran(r)) == 0 {
		p.most(most, func() { p.line(0, "%s", headline(r)) })
		return
	}
	p.most(most-most/2, func() { p.line(0, "%s", headline(r)) })
	p.most(most-strings.Count(p.String(), "\n"), func() { overran(p, r) })
}

// identity says which run this is, of what, and who began it.
func identity(r *mishap.Run) string {
	e := r.Plan.Experiment
	text := fmt.Sprintf("%s; run %s", words.Joined(", owned by ", e.Name, e.Owner), r.ID)
	if !r.EndedAt.IsZero() {
		text += ", took " + words.Took(words.Between(r.PlannedAt, r.EndedAt))
	}
	return words.Joined(", begun by ", text, BegunBy(r))
}

// briefLeft says what may still be in force, and how to end it.
func briefLeft(p *page, r *mishap.Run) {
	const most = 2
	p.blank()
	for i, in := range r.Outstanding() {
		if i == most {
			p.line(0, "STILL IN FORCE: %d more", len(r.Outstanding())-most)
			break
		}
		p.most(2, func() { p.line(0, "STILL IN FORCE: %s", words.Joined(": ", On(in)+", "+string(in.State), in.Detail)) })
	}
	toEnd(p, r)
}

// stillIn is loud about what is left, and says how to end it.
func stillIn(p *page, r *mishap.Run) {
	left := r.Outstanding()
	if len(left) == 0 {
		return
	}
	p.blank()
	for _, in := range left {
		p.line(0, "STILL IN FORCE: %s", words.Joined(": ", On(in)+", "+string(in.State), in.Detail))
	}
	toEnd(p, r)
}

// WayOut is what a person types to end what may still be in force.
type WayOut struct{ When, Type string }

// WaysOut are how to end what a run may have left in force, or has in force yet.
func WaysOut(r *mishap.Run) []WayOut {
	if r.State == mishap.Stranded {
		return []WayOut{{"to try again", "mishap revert " + r.ID}, {"if you reverted it", "mishap revert " + r.ID + " --settle 'WHAT YOU DID'"}}
	}
	return []WayOut{{"to stop the run", "mishap abort " + r.ID}, {"if its server is gone", "mishap revert " + r.ID}}
}

// toEnd says how to end what may still be in force.
func toEnd(p *page, r *mishap.Run) {
	hang := 24
	if r.State == mishap.Stranded {
		hang = 21
	}
	for _, way := range WaysOut(r) {
		p.labelled(2, hang, way.When+":", way.Type)
	}
}

// briefArms are both arms and the intervals that decide; without arms, what the
// probes saw.
func briefArms(p *page, r *mishap.Run) {
	a := Compared(r)
	if a == nil {
		briefProbes(p, r)
		return
	}
	most := 3
	p.blank()
	armsTable(p, a)
	if a.Phase == mishap.InBaseline {
		p.line(0, "no fault was injected, so nothing was compared")
		return
	}
	var lines []string
	if a.Intervals != nil {
		for _, row := range ToldRows(a.Intervals) {
			lines = append(lines, row.Spoken()+": "+row.Standing())
		}
	} else {
		for _, m := range a.Metrics {
			lines = append(lines, m.Name+": "+words.OrElse(m.InWords(), "nothing is known"))
		}
	}
	if w := beyond(r); w != nil {
		most--
		p.most(1, func() {
			p.line(0, "probe %s: %d of %d unmet; it saw %s", w.Spec.Name, w.Unmet, w.Met+w.Unmet+w.Unknown, Seen(", ", w.Beyond))
		})
	}
	p.line(0, "the experiment against control:")
	for i, text := range lines {
		if i == most-1 && len(lines) > most {
			p.line(2, "and %d more", len(lines)-i)
			break
		}
		p.most(1, func() { p.line(2, "%s", text) })
	}
}

// armsTable is what both arms came to.
func armsTable(p *page, a *Arms) {
	columns := p.fit(0, 0, 11, -9, -10, -9, -9)
	p.row(0, columns, "", "requests", "succeeded", "p50", "p99", "")
	row := func(name string, one Arm) {
		p.row(0, columns, name, mishap.Thousands(one.Requests), one.Succeeded(), words.Quick(one.P50), words.Quick(one.P99), "")
	}
	row("control", a.Control)
	row("experiment", a.Experiment)
}

// briefProbes is what the probes saw while faults were in force, those first
// that were not met.
func briefProbes(p *page, r *mishap.Run) {
	const most = 4
	if r.InjectedAt.IsZero() {
		return
	}
	watches := slices.Clone(r.Watches)
	slices.SortStableFunc(watches, func(a, b *mishap.Watch) int { return b.Unmet + b.Unknown - a.Unmet - a.Unknown })
	p.blank()
	columns := p.fit(0, 8, 34, -5, -5, -7)
	p.row(0, columns, "probes, while faults were in force", "met", "unmet", "unknown", "allowed")
	for i, w := range watches {
		if i == most-1 && len(watches) > most {
			p.line(2, "and %d more", len(watches)-i)
			break
		}
		p.row(2, p.fit(2, 8, 32, -5, -5, -7), words.Cut(w.Spec.Name, columns[0]-2), fmt.Sprint(w.Met), fmt.Sprint(w.Unmet), fmt.Sprint(w.Unknown), words.Cut(allowed(w.Spec), 20))
		if w == beyond(r) {
			p.most(2, func() { p.line(4, "saw %s", Seen(", ", w.Beyond)) })
		}
	}
}

// beyond is the probe that deviated, if it saw more than the headline says; nil if none
// did while faults were in force.
func beyond(r *mishap.Run) *mishap.Watch {
	for _, w := range r.Watches {
		if w.Deviates() && (w.Deviation == r.Deviation || r.Deviation == "") && !strings.Contains(headline(r), Seen(", ", w.Beyond)) {
			return w
		}
	}
	return nil
}

// briefFaults say of each fault what it was, for how long it was in force and
// what it affected.
func briefFaults(p *page, r *mishap.Run, most int) {
	names := slices.DeleteFunc(faultNames(r), func(name string) bool { return name == mishap.ArmsFault })
	for i, name := range names {
		if i == most-1 && len(names) > most {
			p.field("", "and %d more faults", len(names)-i)
			break
		}
		p.field(words.Once(i, "affected"), "%s", Affected(r, name))
	}
}

// Affected says what one fault affected, and for how long.
func Affected(r *mishap.Run, fault string) string {
	in, out, count := Span(r, fault)
	var first *mishap.RunInjection
	all, seen, lost, short := mishap.Traffic{}, false, false, ""
	for _, one := range r.Injections {
		if one.Fault != fault {
			continue
		}
		if first == nil {
			first = one
		}
		lost = lost || one.Uncounted
		if !one.OutAt.IsZero() { // nobody knows since when it was not in force any more
			short = "at most "
		}
		if one.Felt != nil {
			seen = true
			all.Requests = one.Felt.Requests
			all.Connections += one.Felt.Connections
			all.Bytes += one.Felt.Bytes
		}
	}
	text := fault + " on " + first.Target.Label()
	if count > 1 {
		text = fault + " on " + mishap.Plural(int64(count), "target")
	}
	switch {
	case in.IsZero():
		return text + ": never seen in force"
	case !out.IsZero():
		text += " for " + short + words.Took(words.Between(in, out))
	}
	switch {
	case lost && all.Connections == 0:
		text += ": not known: " + countsLost
	case lost:
		text += ": at least " + FeltBy(&all) + "; " + countsLost
	case seen && all.Connections == 0:
		text += ": no traffic"
	case seen:
		text += ": " + FeltBy(&all)
	}
	return text
}

// revertedBriefly says how the faults ended, and whether the system came back.
func revertedBriefly(r *mishap.Run) string {
	if len(r.Injections) == 0 || r.State == mishap.Refused {
		return "nothing: this run touched nothing"
	}
	counts := map[mishap.InjectionState]int{}
	for _, in := range r.Injections {
		counts[in.State]++
	}
	var parts []string
	for _, s := range []mishap.InjectionState{
		mishap.InjectionReverted, mishap.InjectionEnded, mishap.InjectionGone, mishap.InjectionSuperseded, mishap.InjectionStranded,
	} {
		if n := counts[s]; n == len(r.Injections) && s == mishap.InjectionReverted {
			parts = append(parts, "everything")
		} else if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if left := len(r.Outstanding()) - counts[mishap.InjectionStranded]; left > 0 {
		parts = append(parts, fmt.Sprintf("%d not yet", left))
	}
	text := strings.Join(parts, ", ")
	if !r.RevertedAt.IsZero() && !r.RevertingAt.IsZero() {
		text += ", within " + words.Took(max(words.Between(r.RevertingAt, r.RevertedAt), 1e6))
	}
	switch rec := r.Recovered; {
	case rec != nil:
		text += "; " + Recovered(*rec)
	case r.State == mishap.Completed:
		text += "; the system was not seen to recover"
	}
	return text
}
