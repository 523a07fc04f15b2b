package report

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// Text writes the report of a run for a person, as wide as that one has room: the
// verdict first, then whatever may still be in force, then how it came to that.
func Text(w io.Writer, r *mishap.Run) error {
	p := newPage(w)
	p.line(0, "%s", headline(r))
	overran(p, r)
	stillIn(p, r)
	about(p, r)
	comparison(p, r)
	prices(p, r)
	timeline(p, r)
	faults(p, r)
	probes(p, r)
	p.apart(safeguards(r.Checks))
	p.apart(notes(slices.Concat(r.Plan.Notes, r.Notes)))
	return p.to(w)
}

// headline is the outcome and the reason in one sentence.
func headline(r *mishap.Run) string {
	verdict, reason := mishap.Judge(r)
	switch {
	case verdict == mishap.Held && strings.HasPrefix(reason, "for "): // so long
		return "HELD " + reason
	case verdict != mishap.NoVerdict:
		return strings.ToUpper(string(verdict)) + ": " + reason
	case r.Unwritten != "" && r.State != mishap.Stranded:
		return "NO VERDICT: " + reason
	case r.State == mishap.Refused:
		return strings.ToUpper(words.StandingOf(r)) + ": " + words.OrElse(reason, "no reason was given")
	case r.State == mishap.Stranded:
		return "STRANDED: a revert gave up, and a person must act"
	}
	return strings.ToUpper(string(r.State)) + ": the run is not over, so there is no verdict yet"
}

// Overran says which faults were in force for much longer than they should, because
// reverts of them failed: the verdict does not say so.
func Overran(r *mishap.Run) (all []string) {
	for _, in := range r.Injections {
		if longer := in.Overran(); longer >= overranMuch {
			all = append(all, fmt.Sprintf("%s was in force for %s, of that %s because reverts failed: %s", On(in), words.Took(words.Between(in.InjectedAt, in.SettledAt)), words.Took(longer), in.Failed[len(in.Failed)-1].Error))
		}
	}
	return all
}

// overranMuch is what is worth a line beside the verdict.
const overranMuch = 10 * time.Second

// overran is loud about it.
func overran(p *page, r *mishap.Run) {
	for _, text := range Overran(r) {
		p.line(0, "TOO LONG: %s", text)
	}
}

// about says what was tested, and which run this is.
func about(p *page, r *mishap.Run) {
	e := r.Plan.Experiment
	p.blank()
	p.field("claim", "%s", e.Claim)
	p.field("experiment", "%s", words.Joined(", owned by ", e.Name, e.Owner))
	p.field("file", "%s", source(e.Source))
	when := "began " + words.Moment(r.PlannedAt)
	if !r.EndedAt.IsZero() {
		when += ", took " + words.Took(words.Between(r.PlannedAt, r.EndedAt))
	}
	p.field("run", "%s, %s", r.ID, when)
	if begunBy := BegunBy(r); begunBy != "" {
		p.field("begun by", "%s", begunBy)
	}
	if o := r.Trigger.Override; o != nil {
		p.field("override", "by %s: %s", o.By, o.Reason)
		for _, of := range o.Of {
			p.field("", "of %s", of)
		}
	}
}

// BegunBy says what or who began a run; empty if nobody known did by hand.
func BegunBy(r *mishap.Run) string {
	switch t := r.Trigger; {
	case t.Tick != nil && r.Plan.Experiment.Schedule != nil:
		s := *r.Plan.Experiment.Schedule
		return fmt.Sprintf("schedule %s; due %s", Rhythm(s), Moment(t.Tick.Due, s))
	case t.Kind == mishap.TriggerHand && t.By != "":
		return t.By + ", by hand"
	case t.Kind == mishap.TriggerAPI:
		return "the API, asked by " + words.OrElse(t.By, "nobody known")
	}
	return ""
}

// faults says what was injected where, what became of it, and what it did.
func faults(p *page, r *mishap.Run) {
	if len(r.Injections) == 0 {
		return
	}
	heading := "faults"
	if ArmsInjection(r) != nil {
		heading = "faults, and the arms"
	}
	p.heading(heading)
	for _, in := range r.Injections {
		p.line(2, "%s: %s on %s", in.Fault, in.Injector, in.Target.Label())
		for _, text := range History(in) {
			p.line(4, "%s", text)
		}
	}
}

// History says what became of an injection, and what it did.
func History(in *mishap.RunInjection) []string {
	texts := []string{fate(in)}
	if in.Looks > 0 {
		texts = append(texts, fmt.Sprintf("in force at %d of %s", in.Looks-in.NotInForce, mishap.Plural(in.Looks, "look")))
	}
	if e := in.Effect; e != nil && in.NotInForce > 0 && e.Detail != "" {
		texts = append(texts, fmt.Sprintf("last look: %s, %s", e.InForce, e.Detail))
	}
	if in.Fault == mishap.ArmsFault {
		if in.Felt != nil && in.Felt.Connections > 0 {
			texts = append(texts, "an arm was given to "+FeltBy(in.Felt))
		}
		return slices.Concat(texts, in.Notes)
	}
	if with := settings(in.With); with != "" {
		texts = append(texts, "with "+with)
	}
	return slices.Concat(texts, felt(in), leftBehind(in), in.Notes)
}

// leftBehind names the connections that a restart of the proxy left behind.
func leftBehind(in *mishap.RunInjection) []string {
	if in.Left == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s that a restart of the proxy left in the process before were open; faults reach them too", mishap.Plural(in.Left, "connection"))}
}

// settings are the parameters of a fault that are one word each.
func settings(with json.RawMessage) string {
	var all map[string]any
	if json.Unmarshal(with, &all) != nil {
		return ""
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		switch v := all[key].(type) {
		case string, float64, bool:
			parts = append(parts, fmt.Sprintf("%s %v", key, v))
		}
	}
	return strings.Join(parts, ", ")
}

// fate says where an injection stands and how long it was in.
func fate(in *mishap.RunInjection) string {
	text := string(in.State)
	if in.By != "" {
		text = "settled by " + in.By + " (" + text + ")"
	}
	switch {
	case in.State == mishap.InjectionEnded:
		text += " by itself, was seen in force"
	case in.InjectedAt.IsZero() && in.State.Settled():
		text += ", was never seen in force"
	case in.State.Settled() && !in.SettledAt.IsZero():
		text += ", was in force for " + words.Took(words.Between(in.InjectedAt, in.SettledAt))
	}
	return words.Joined(": ", text, in.Detail)
}

// countsLost is why it is not known what a fault affected.
const countsLost = "the proxy that counted was started anew, or is gone"

// felt says what a fault on traffic did to it: what was asked for beside what
// was delivered.
func felt(in *mishap.RunInjection) []string {
	t := in.Felt
	switch {
	case t == nil:
		return nil
	case in.Uncounted && t.Connections == 0:
		return []string{"what it affected is not known: " + countsLost}
	case in.Uncounted:
		return []string{"affected at least " + FeltBy(t) + ": " + countsLost}
	case t.Connections == 0:
		return []string{"affected no traffic"}
	case t.Count == 0:
		return []string{fmt.Sprintf("affected %s, whose bytes were let go before they were due", mishap.Plural(t.Connections, "connection"))}
	}
	texts := []string{"affected " + FeltBy(t)}
	if t.Requested > 0 {
		texts = append(texts, fmt.Sprintf("delay asked for %s; delivered p50 %s, p99 %s, at most %s", t.Requested, words.Quick(t.P50.Std()), words.Quick(t.P99.Std()), words.Quick(t.Max.Std())))
	}
	return texts
}

// AffectedNow says what of the traffic an injection has affected so far; empty if
// that is not counted.
func AffectedNow(in *mishap.RunInjection) string {
	switch t := in.Felt; {
	case t == nil:
		return ""
	case in.Uncounted && t.Connections == 0:
		return "not known any more"
	case in.Uncounted:
		return "at least " + FeltBy(t)
	case t.Connections == 0:
		return "nothing yet"
	default:
		return FeltBy(t)
	}
}

// FeltBy says what of the traffic felt a fault. Requests have no size of their
// own: their bytes were not looked at.
func FeltBy(t *mishap.Traffic) string {
	if t.Requests {
		return mishap.Plural(t.Connections, "request")
	}
	return mishap.Plural(t.Connections, "connection") + ", " + words.Size(t.Bytes)
}

// probes is the table of what each probe saw while faults were in.
func probes(p *page, r *mishap.Run) {
	asked := func(w *mishap.Watch) bool { return w.Last.Result != "" }
	switch {
	case !r.InjectedAt.IsZero():
		p.blank()
		p.row(0, p.fit(0, 8, 40, -5, -5, -7), "probes, while faults were in force", "met", "unmet", "unknown", "allowed")
	case slices.ContainsFunc(r.Watches, asked):
		p.heading("probes")
	default:
		return
	}
	for _, w := range r.Watches {
		if r.InjectedAt.IsZero() {
			p.line(2, "%s", w.Spec.Name)
		} else {
			p.row(2, p.fit(2, 8, 38, -5, -5, -7), w.Spec.Name, fmt.Sprint(w.Met), fmt.Sprint(w.Unmet), fmt.Sprint(w.Unknown), allowed(w.Spec))
		}
		if !r.InjectedAt.IsZero() && !w.Spec.In(mishap.During) {
			p.line(4, "was not to be asked then")
		}
		if w.Deviation != "" && w.Deviation == r.Deviation {
			p.line(4, "was the first to deviate")
		} else if w.Deviation != "" {
			p.line(4, "deviated: %s", w.Deviation)
		}
		if w.Blind != "" {
			p.line(4, "blind: %s", w.Blind)
		}
		if last := w.Last; asked(w) {
			p.line(4, "last, %s: %s", last.Phase, words.Joined(", ", string(last.Result), Seen(", ", last)))
		}
	}
}

// allowed is what a probe tolerates, in few words.
func allowed(s mishap.ProbeSpec) string {
	text := s.Allow.String()
	if s.OnDeviation == mishap.NoteDeviation {
		text += ", noted"
	}
	return text
}

// safeguards names who was asked, and what they said.
func safeguards(checks map[string]mishap.Check) []SheetField {
	var yes, others []string
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		if c := checks[name]; c.Answer == mishap.Yes {
			yes = append(yes, name)
		} else {
			others = append(others, name+" "+words.Joined(": ", answer(c.Answer), c.Reason))
		}
	}
	if yes != nil {
		others = append([]string{strings.Join(yes, ", ") + " passed"}, others...)
	}
	return labelled("safeguards", others)
}

// answer is what a safeguard did.
func answer(a mishap.Answer) string {
	switch a {
	case mishap.Yes:
		return "passed"
	case mishap.No:
		return "refused"
	}
	return "could not tell"
}

// notes is what moved nothing but is worth knowing.
func notes(texts []string) []SheetField { return labelled("notes", texts) }

// apart writes fields below an empty one, if there are any.
func (p *page) apart(all []SheetField) {
	if len(all) > 0 {
		p.blank()
	}
	p.fields(all, 0, 13)
}
