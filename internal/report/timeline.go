package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// event is one line of the timeline.
type event struct {
	At    time.Time
	Guess bool // at is only where the line belongs: the journal says no time
	Text  string
}

// timeline says when what happened, counted from the plan.
func timeline(p *page, r *mishap.Run) {
	p.heading("timeline, UTC")
	for _, e := range Events(r) {
		var when, since string
		if !e.Guess {
			when, since = words.Clock(e.At), "+"+words.Took(words.Between(r.PlannedAt, e.At))
		}
		p.labelled(2, 20, fmt.Sprintf("%-8s %9s", when, since), e.Text)
	}
}

// Events are what the run remembers, in the order of time; of several at the
// same time, in the order of a run.
func Events(r *mishap.Run) []event {
	var all []event
	add := func(at time.Time, format string, args ...any) {
		if !at.IsZero() {
			all = append(all, event{At: at, Text: fmt.Sprintf(format, args...)})
		}
	}
	add(r.PlannedAt, "planned: %s", planned(r.Plan))
	checked := "checked: safeguards and steady state passed; "
	if in := ArmsInjection(r); in != nil && !in.InjectedAt.IsZero() {
		add(in.InjectedAt, "%sboth arms are set up and watched", checked)
		checked = ""
	} else if len(r.Looks) > 0 {
		add(r.Looks[0].Start, "%sboth arms are watched", checked)
		checked = ""
	}
	add(r.InjectedAt, "%sinjecting", checked)
	for _, name := range faultNames(r) {
		in, _, count := Span(r, name)
		if name != mishap.ArmsFault {
			add(in, "%s is injected%s", faultName(name), onMany(count))
		}
	}
	if at, a := decided(r); a != nil {
		add(at, "comparison: %s", a.Result())
	}
	add(r.HoldingAt, "holding")
	all = append(all, deviation(r)...)
	for _, d := range r.Disturbed {
		add(d.Since, "disturbed: %s %s", d.What, d.By)
	}
	reverting := "reverting (" + words.Joined(" by ", string(r.Cause), r.By) + ")"
	if _, reason := mishap.Judge(r); r.Cause != mishap.CauseDeviation && !strings.Contains(reason, r.Reason) { // which the first line says
		reverting = words.Joined(": ", reverting, r.Reason)
	}
	add(r.RevertingAt, "%s", reverting)
	for _, in := range r.Injections {
		for _, failed := range in.Failed {
			add(failed.At, "revert of %s failed, and was tried again: %s", On(in), failed.Error)
		}
	}
	for _, name := range faultNames(r) {
		_, out, _ := Span(r, name)
		add(out, "%s %s", faultName(name), ending(r, name))
	}
	add(r.RevertedAt, "everything is reverted; verifying the steady state")
	if rec := r.Recovered; rec != nil && !r.RevertedAt.IsZero() {
		_, back := rec.Range()
		add(r.RevertedAt.Add(back), "%s", Recovered(*rec))
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.At.Compare(b.At) })
	return append(all, end(r)...)
}

// hits is how many targets a plan hits; the arms are none.
func hits(plan mishap.Plan) (n int) {
	for _, in := range plan.Injections {
		if in.Fault != mishap.ArmsFault {
			n++
		}
	}
	return n
}

// planned is what a plan touches.
func planned(plan mishap.Plan) string {
	text := mishap.Plural(int64(hits(plan)), "target")
	if hits(plan) < len(plan.Injections) {
		text += ", and the arms"
	}
	return text
}

// faultName is a fault's name in quotes: names read like sentences.
func faultName(name string) string {
	if name == mishap.ArmsFault {
		return name
	}
	return `"` + name + `"`
}

// decided is when the comparison first came to its last outcome; nil if it came
// to none.
func decided(r *mishap.Run) (at time.Time, a *Arms) {
	look := r.Compared()
	if look == nil || look.Outcome == "" {
		return at, nil
	}
	for _, l := range r.Looks {
		if l.Phase == mishap.InHold && l.Outcome == look.Outcome {
			return l.Start.Add(l.Width.Std()), ArmsOf(r, l)
		}
	}
	return at, nil
}

// deviation is the first one of a probe.
func deviation(r *mishap.Run) []event {
	for _, w := range r.Watches {
		if w.Deviation != "" && w.Deviation == r.Deviation {
			return []event{{At: r.DeviatedAt, Text: "first deviation: " + w.Deviation}}
		}
	}
	return nil
}

// Recovered says how the system came back, and how exactly that is known: a
// range of time, at whose ends it was looked at.
func Recovered(rec mishap.Recovered) string {
	before, at := backBetween(rec)
	switch {
	case rec.Blind != "":
		return fmt.Sprintf("not known whether it recovered: %s", rec.Blind)
	case !rec.In:
		return fmt.Sprintf("not recovered %s after the revert, %s", words.Took(max(rec.Took.Std(), time.Millisecond)), mishap.Plural(int64(rec.Attempts), "look"))
	case before == "" || before == at:
		return "recovered within " + at
	}
	return fmt.Sprintf("recovered after %s to %s", before, at)
}

// backBetween is the range of time in which the system came back. It is never
// narrowed by rounding; no look is quicker than a millisecond. The beginning is
// empty if that is the revert.
func backBetween(rec mishap.Recovered) (after, within string) {
	from, to := rec.Range()
	if from > 0 {
		after = words.Took(from)
	}
	if rec.Answered == 0 { // an older journal: it prints as it did
		return after, words.Took(max(to, time.Millisecond))
	}
	if from > 0 {
		after = words.Took(from.Truncate(digits(from)))
	}
	return after, words.Took((to + digits(to) - 1).Truncate(digits(to)))
}

// digits is the unit to which [words.Took] rounds a time, but never below 1 ms.
func digits(d time.Duration) time.Duration {
	switch {
	case d >= time.Minute:
		return time.Second
	case d >= 10*time.Second:
		return 100 * time.Millisecond
	case d >= time.Second:
		return 10 * time.Millisecond
	}
	return time.Millisecond
}

// end is the last line, whatever the clocks of several servers say, and before
// it what has no time.
func end(r *mishap.Run) []event {
	var all []event
	if r.EverLost && r.Cause != mishap.CauseCrash {
		all = append(all, event{Guess: true, Text: "its server was lost on the way, and another took over"})
	}
	last := event{At: r.EndedAt, Guess: r.EndedAt.IsZero()}
	switch r.State {
	case mishap.Refused:
		last.Text = "missed; this run touched nothing"
		if r.Cause != mishap.CauseMissed {
			last.Text = fmt.Sprintf("refused (%s); this run touched nothing", words.Joined(" by ", string(r.Cause), r.By))
		}
	case mishap.Stranded:
		last.Text = "stranded: " + mishap.Plural(int64(len(r.Outstanding())), "fault") + " may still be in force"
	case mishap.Completed:
		last.Text = "completed"
		if r.Recovered == nil {
			last.Text = "completed without seeing the system recover"
		}
		if r.Unwritten != "" {
			last.Text += ", which is not in the journal"
		}
	default:
		last.Text = "not over yet"
	}
	return append(all, last)
}

// faultNames are the faults that were prepared, in the order of the run.
func faultNames(r *mishap.Run) []string {
	var names []string
	for _, in := range r.Injections {
		if !slices.Contains(names, in.Fault) {
			names = append(names, in.Fault)
		}
	}
	return names
}

// Span is when the last target of a fault was in, and when the last was out,
// zero if one is not; and how many there are.
func Span(r *mishap.Run, fault string) (in, out time.Time, count int) {
	settled := true
	for _, i := range r.Injections {
		if i.Fault != fault {
			continue
		}
		count++
		if i.InjectedAt.After(in) {
			in = i.InjectedAt
		}
		if i.SettledAt.After(out) {
			out = i.SettledAt
		}
		settled = settled && i.State.Settled()
	}
	if !settled {
		out = time.Time{}
	}
	return in, out, count
}

// ending says in which ways the targets of a fault were settled.
func ending(r *mishap.Run, fault string) string {
	in, _, count := Span(r, fault)
	var ways []string
	for _, i := range r.Injections {
		if i.Fault != fault {
			continue
		}
		way := string(i.State)
		if i.By != "" {
			way = "settled by " + i.By
		}
		if !slices.Contains(ways, way) {
			ways = append(ways, way)
		}
	}
	text := "is " + strings.Join(ways, ", ")
	if fault == mishap.ArmsFault {
		text = "are " + strings.Join(ways, ", ") // two, and named so
	}
	if in.IsZero() {
		text = "was never seen in force, and " + text
	}
	return text + onMany(count)
}

func onMany(count int) string {
	if count < 2 {
		return ""
	}
	return fmt.Sprintf(" on %d targets", count)
}

// ArmsInjection is the injection that sets up the arms; nil without any.
func ArmsInjection(r *mishap.Run) *mishap.RunInjection {
	for _, in := range r.Injections {
		if in.Fault == mishap.ArmsFault {
			return in
		}
	}
	return nil
}

// Next is what comes after where a run stands; nothing if it is over.
func Next(r *mishap.Run) string {
	switch r.State {
	case mishap.Planned, mishap.Checking:
		return "inject, if safeguards and steady state allow it"
	case mishap.Baseline:
		return "inject, when the arms were watched without a fault"
	case mishap.Injecting, mishap.Holding:
		if r.Plan.Experiment.Compare != nil {
			return "revert, when it is decided or the time is over"
		}
		return "revert, when the time is over or at harm"
	case mishap.Reverting:
		return "verify that the steady state is back"
	case mishap.Verifying:
		return "the verdict, when every probe is met twice running"
	case mishap.Stranded:
		return "a person must act: mishap revert " + r.ID
	}
	return ""
}
