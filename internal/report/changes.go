package report

import (
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/report/words"
)

// Line is what an entry changed, in a word and a text.
type Line struct{ Word, Text string }

// Changes says of each entry of one run what it changed. What was said before
// is not said again.
type Changes struct {
	result map[string]mishap.Result // the last one per probe
	force  map[string]mishap.Answer // the last one per injection
	arms   armsSaid
}

// NewChanges are those of a run of which nothing was said yet.
func NewChanges() *Changes {
	return &Changes{result: map[string]mishap.Result{}, force: map[string]mishap.Answer{}}
}

// Of is what is worth saying of an entry, after the run has applied it; often
// nothing.
func (v *Changes) Of(e mishap.Entry, r *mishap.Run) []Line {
	if e.Comparison != nil {
		return v.arms.describe(e.Comparison, r)
	}
	if word, text := v.describe(e, r); word != "" {
		return []Line{{word, text}}
	}
	return nil
}

// describe says in a word and a text what an entry changed; nothing for what is
// not worth a line.
func (v *Changes) describe(e mishap.Entry, r *mishap.Run) (word, text string) {
	switch {
	case e.Planned != nil:
		return "planned", fmt.Sprintf("run %s of %s, %s", e.Run, e.Planned.Experiment.Name, planned(*e.Planned))
	case e.State != nil:
		return v.describeState(e.State, r)
	case e.Check != nil && e.Check.Answer != mishap.Yes:
		return "safeguard", words.Joined(": ", e.Check.Safeguard+" "+answer(e.Check.Answer), e.Check.Reason)
	case e.Observation != nil:
		return v.describeObservation(e.Observation)
	case e.Injection != nil:
		return describeInjection(e.Injection, r)
	case e.Effect != nil:
		return v.describeEffect(e.Effect, r)
	case e.Disturbance != nil:
		return "disturbed", e.Disturbance.What + " " + e.Disturbance.By
	case e.Recovered != nil:
		return "recovery", Recovered(*e.Recovered)
	case e.Note != nil:
		return "note", e.Note.Text
	}
	return "", ""
}

func (v *Changes) describeState(s *mishap.StateChange, r *mishap.Run) (word, text string) {
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
	if word = words.Standing(mishap.NoVerdict, s.To, s.Cause); word == string(s.Cause) {
		return word, reason
	}
	return word, because(s, reason)
}

// because is why a run changed, and by whom, neither of which is said twice.
func because(s *mishap.StateChange, reason string) string {
	why, by := string(s.Cause), s.By
	if strings.Contains(reason, "by "+by) {
		by = ""
	}
	if by == "" && strings.HasPrefix(reason, why) {
		why = ""
	}
	return words.Joined(": ", words.Joined(" by ", why, by), reason)
}

// describeObservation says the result when it changes, and whenever it is not
// met.
func (v *Changes) describeObservation(o *mishap.Observation) (word, text string) {
	before := v.result[o.Probe]
	v.result[o.Probe] = o.Result
	if o.Result == mishap.Met && before == mishap.Met {
		return "", ""
	}
	return string(o.Result), words.Joined(": ", o.Probe, Seen(", ", *o))
}

func describeInjection(c *mishap.InjectionChange, r *mishap.Run) (word, text string) {
	switch c.To {
	case mishap.InjectionPrepared:
		return "", ""
	case mishap.InjectionReverting:
		if why := Failing(r.Injection(c.ID)); why != "" {
			return "failed", fmt.Sprintf("revert %s: %s; it is tried again", On(r.Injection(c.ID)), why)
		}
		return "", ""
	}
	text = words.Joined(": ", On(r.Injection(c.ID)), c.Detail)
	if c.By != "" {
		return "settled", text + " (by " + c.By + ")"
	}
	return string(c.State()), text
}

// Failing is why the last attempt to revert failed, of what is still reverting.
func Failing(in *mishap.RunInjection) string {
	if in.State != mishap.InjectionReverting || len(in.Failed) == 0 {
		return ""
	}
	return in.Detail
}

// describeEffect says when a fault is not in force, and when it is again.
func (v *Changes) describeEffect(e *mishap.Effect, r *mishap.Run) (word, text string) {
	before := v.force[e.Injection]
	v.force[e.Injection] = e.InForce
	over := e.InForce == mishap.No && r.Injection(e.Injection).State.Settled() // as it should
	if over || e.InForce == before || before == "" && e.InForce == mishap.Yes {
		return "", ""
	}
	return "in force", words.Joined(": ", fmt.Sprintf("%s for %s", e.InForce, On(r.Injection(e.Injection))), e.Detail)
}
