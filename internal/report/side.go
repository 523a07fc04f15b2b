package report

import (
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// Side is one run in few numbers, as it stands beside another.
type Side struct {
	Run        string           `json:"run"`
	Experiment string           `json:"experiment"`
	Began      time.Time        `json:"began"`
	Took       *mishap.Duration `json:"took"` // null while it is not over
	State      mishap.State     `json:"state"`
	Cause      mishap.Cause     `json:"cause,omitempty"`
	Verdict    *mishap.Verdict  `json:"verdict"` // null if it was refused or is not over
	Reason     string           `json:"reason"`
	Effects    []Effect         `json:"effects"`       // what the fault did to each metric
	Harm       *float64         `json:"proofOfHarm"`   // of runs that were judged by proofs; else null, as the next
	Clear      *float64         `json:"proofOfNoHarm"` // also null if no metric has a margin
	Extra      *float64         `json:"extraFailures"` // null without arms
	Recovery   *mishap.Duration `json:"recovery"`      // within which it had recovered; null if nobody saw it
	// RecoveryAfter is when it had not: the time is known no better than that.
	RecoveryAfter *mishap.Duration  `json:"recoveryAfter"`
	Cost          *SummaryCost      `json:"cost"`
	Source        mishap.Source     `json:"source"`
	PlanDigest    string            `json:"planDigest"`
	metrics       map[string]Metric // by name
}

// Effect is what the fault did to one metric: the experiment against control.
type Effect struct {
	Metric     string           `json:"metric"`
	Difference *mishap.Interval `json:"difference,omitempty"`
	Ratio      *mishap.Interval `json:"ratio,omitempty"`
	Words      string           `json:"words"`
}

// sideOf is a run in few numbers.
func sideOf(r *mishap.Run) Side {
	verdict, reason := mishap.Judge(r)
	e := r.Plan.Experiment
	s := Side{
		Run: r.ID, Experiment: e.Name, Began: r.PlannedAt.UTC(), State: r.State, Cause: r.Cause, Reason: reason, Effects: []Effect{}, Cost: summarizeCost(r),
		Source: e.Source, PlanDigest: r.Plan.Digest, metrics: map[string]Metric{},
	}
	if verdict != mishap.NoVerdict {
		s.Verdict = &verdict
	}
	if !r.EndedAt.IsZero() {
		took := mishap.Duration(words.Between(r.PlannedAt, r.EndedAt))
		s.Took = &took
	}
	if rec := r.Recovered; rec != nil && rec.In {
		after, within := rec.Range()
		s.RecoveryAfter, s.Recovery = (*mishap.Duration)(&after), (*mishap.Duration)(&within)
	}
	if a := Compared(r); a != nil && a.Phase == mishap.InHold {
		s.Extra = &a.extra
		if a.Intervals == nil {
			s.Harm = &a.Harm
		}
		if a.Guarded && a.Intervals == nil {
			s.Clear = &a.Clear
		}
		for _, m := range a.Metrics {
			s.metrics[m.Name] = m
			s.Effects = append(s.Effects, Effect{m.Name, m.Difference, m.Ratio, m.InWords()})
		}
	}
	return s
}

// Standing is the verdict, or where the run stands.
func (s Side) Standing() string {
	verdict := mishap.NoVerdict
	if s.Verdict != nil {
		verdict = *s.Verdict
	}
	return words.Standing(verdict, s.State, s.Cause)
}

// Effect is what the fault did, in the first metric that has an interval, or
// any; without arms it is empty.
func (s Side) Effect() string {
	text := ""
	for _, e := range s.Effects {
		switch {
		case e.Words == "":
		case e.Difference != nil || e.Ratio != nil:
			return e.Words
		case text == "":
			text = e.Words
		}
	}
	return text
}

// RecoveredIn is how long the system took to come back.
func (s Side) RecoveredIn() string {
	if s.Recovery == nil {
		return "-"
	}
	return words.Took(s.Recovery.Std())
}

// Origin is where the experiment came from, in short.
func (s Side) Origin() string {
	switch {
	case s.Source.Commit == "":
		return "not in git"
	case s.Source.Dirty:
		return s.Source.Commit[:min(12, len(s.Source.Commit))] + ", changed"
	}
	return s.Source.Commit[:min(12, len(s.Source.Commit))]
}

// Metric is what is known of a metric by its name; of one that the run does not have, nothing.
func (s Side) Metric(name string) Metric { return s.metrics[name] }
