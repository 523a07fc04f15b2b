package report

import (
	"fmt"
	"slices"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// proofSteps is into how many steps a proof is divided: a line is written when
// one more is reached than ever before.
const proofSteps = 4

// armsSaid is what plain lines have said of the arms of a run.
type armsSaid struct {
	phase       mishap.ComparisonPhase
	covered     time.Duration // of the phase
	harm, clear int           // steps of the proofs
	outcome     mishap.ComparisonOutcome
	reason      string // of the outcome
	doubts      []string
	standing    map[string]mishap.RowState // of rows, by their names
}

// describe says what a look changed: the traffic of a phase, a proof that has
// come further, a new doubt, and the decision.
func (s *armsSaid) describe(look *mishap.Comparison, r *mishap.Run) []Line {
	a := ArmsOf(r, look)
	var lines []Line
	say := func(word, text string) { lines = append(lines, Line{word, text}) }
	if look.Phase != s.phase {
		s.phase, s.covered = look.Phase, 0
	}
	before := s.covered
	from, to := look.Span()
	s.covered += to.Sub(from)
	if before < recent && s.covered >= recent { // before, it says little
		say("arms", fmt.Sprintf("%s: %s; %s", PhaseName(look.Phase), a.Control.spoken(), a.Experiment.spoken()))
	}
	for _, doubt := range a.Doubts {
		if !slices.Contains(s.doubts, doubt) {
			s.doubts = append(s.doubts, doubt)
			say("doubt", doubt)
		}
	}
	if look.Phase != mishap.InHold {
		return lines
	}
	if a.Outcome != s.outcome { // which says more than the proof
		s.outcome, s.reason = a.Outcome, a.reason
		say("decided", a.decision())
		return lines
	}
	if a.Intervals != nil {
		return append(lines, s.rows(a.Intervals)...)
	}
	if step := int(a.Harm * proofSteps); step > s.harm {
		s.harm = step
		say("proof", fmt.Sprintf("of harm %s; %s", words.Proof(a.Harm), a.spoken()))
	}
	if step := int(a.Clear * proofSteps); step > s.clear && a.Guarded {
		s.clear = step
		say("proof", fmt.Sprintf("of no harm %s; %s", words.Proof(a.Clear), a.spoken()))
	}
	return lines
}

// spoken is an arm in one phrase.
func (a Arm) spoken() string {
	text := fmt.Sprintf("%s: %s requests/s", a.Name, words.Rate(a.Now))
	if share, known := a.Success(); known {
		text += ", " + words.Percent(share) + " succeed"
	}
	if a.P50 > 0 {
		text += fmt.Sprintf(", p50 %s, p99 %s", words.Quick(a.P50), words.Quick(a.P99))
	}
	return text
}

// spoken is how the arms differ in one phrase.
func (a *Arms) spoken() string {
	var parts []string
	for _, m := range a.Metrics {
		if text := m.InWords(); text != "" {
			parts = append(parts, m.Name+": "+text)
		}
	}
	return words.Joined("; ", append(parts, "extra failed requests: "+a.Failures(), a.ToGo())...)
}

// PhaseName is a phase for a person.
func PhaseName(p mishap.ComparisonPhase) string {
	switch p {
	case mishap.InBaseline:
		return "before any fault"
	case mishap.InHold:
		return "with the fault in force"
	case mishap.InRecovery:
		return "after the revert"
	}
	return string(p)
}

// rows say which intervals have come to lie elsewhere.
func (s *armsSaid) rows(i *mishap.Intervals) (lines []Line) {
	if s.standing == nil {
		s.standing = map[string]mishap.RowState{}
	}
	for _, r := range AllRows(i) {
		if s.standing[r.Name()] == r.State || r.State == mishap.Open && s.standing[r.Name()] == "" {
			continue
		}
		s.standing[r.Name()] = r.State
		lines = append(lines, Line{string(r.State), r.Spoken()})
	}
	return lines
}
