package report

import (
	"fmt"

	"mishap"
	"mishap/internal/report/words"
)

// change is what an entry changed, in a word and a text.
type change struct{ word, text string }

// changes says of each entry of one run what it changed. What was said before
// is not said again.
type changes struct {
	result map[string]mishap.Result // the last one per probe
	force  map[string]mishap.Answer // the last one per injection
	arms   armsSaid
}

func newChanges() *changes {
	return &changes{result: map[string]mishap.Result{}, force: map[string]mishap.Answer{}}
}

// of is what is worth saying of an entry, after the run has applied it; often
// nothing.
func (v *changes) of(e mishap.Entry, r *mishap.Run) []change {
	if e.Comparison != nil {
		return v.arms.describe(e.Comparison, r)
	}
	if word, text := v.describe(e, r); word != "" {
		return []change{{word, text}}
	}
	return nil
}

// describe says in a word and a text what an entry changed; nothing for what is
// not worth a line.
func (v *changes) describe(e mishap.Entry, r *mishap.Run) (word, text string) {
	switch {
	case e.Planned != nil:
		return "planned", fmt.Sprintf("run %s of %s, %s", e.Run, e.Planned.Experiment.Name, planned(*e.Planned))
	case e.State != nil:
		return v.describeState(e.State, r)
	case e.Check != nil && e.Check.Answer != mishap.Yes:
		return "safeguard", words.Joined(": ", fmt.Sprintf("%s said %s", e.Check.Safeguard, e.Check.Answer), e.Check.Reason)
	case e.Observation != nil:
		return v.describeObservation(e.Observation)
	case e.Injection != nil:
		return describeInjection(e.Injection, r)
	case e.Effect != nil:
		return v.describeEffect(e.Effect, r)
	case e.Disturbance != nil:
		return "disturbed", e.Disturbance.What + " " + e.Disturbance.By
	case e.Recovered != nil:
		return "recovery", recovered(*e.Recovered)
	case e.Note != nil:
		return "note", e.Note.Text
	}
	return "", ""
}

func (v *changes) describeState(s *mishap.StateChange, r *mishap.Run) (word, text string) {
	reason := s.Reason
	if reason == v.arms.reason {
		reason = ""
	}
	switch s.To {
	case mishap.Injecting:
		return "", "" // each injection says so itself
	case mishap.Completed:
		verdict, reason := mishap.Judge(r)
		return string(s.To), words.Joined(": ", string(verdict), reason)
	}
	return string(s.To), words.Joined(": ", words.Joined(" by ", string(s.Cause), s.By), reason)
}

// describeObservation says the result when it changes, and whenever it is not
// met.
func (v *changes) describeObservation(o *mishap.Observation) (word, text string) {
	before := v.result[o.Probe]
	v.result[o.Probe] = o.Result
	if o.Result == mishap.Met && before == mishap.Met {
		return "", ""
	}
	return string(o.Result), words.Joined(": ", o.Probe, seen(", ", *o))
}

func describeInjection(c *mishap.InjectionChange, r *mishap.Run) (word, text string) {
	if c.To == mishap.InjectionPrepared || c.To == mishap.InjectionReverting {
		return "", ""
	}
	text = words.Joined(": ", on(r.Injection(c.ID)), c.Detail)
	if c.By != "" {
		return "settled", text + " (by " + c.By + ")"
	}
	return string(c.To), text
}

// describeEffect says when a fault is not in force, and when it is again.
func (v *changes) describeEffect(e *mishap.Effect, r *mishap.Run) (word, text string) {
	before := v.force[e.Injection]
	v.force[e.Injection] = e.InForce
	over := e.InForce == mishap.No && r.Injection(e.Injection).State.Settled() // as it should
	if over || e.InForce == before || before == "" && e.InForce == mishap.Yes {
		return "", ""
	}
	return "in force", words.Joined(": ", fmt.Sprintf("%s for %s", e.InForce, on(r.Injection(e.Injection))), e.Detail)
}
