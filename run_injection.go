package mishap

import (
	"fmt"
	"time"
)

// RunInjection is an injection and what became of it.
type RunInjection struct {
	Injection
	State      InjectionState
	Detail     string
	By         string
	InjectedAt time.Time
	SettledAt  time.Time
	Looks      int       // how often it was asked whether the fault is in force
	OutAt      time.Time // the first of these looks that saw it out; zero if none did
	NotInForce int       // how often the answer was not yes, although it should have been
	Seen       bool      // a look saw it in force
	Effect     *Effect   // the last answer
	Felt       *Traffic
	AllCounted bool            // Felt was told after it had settled: that is all
	Uncounted  bool            // it may have affected more than Felt says: who counted that does not know any more
	Left       int64           // the most connections of an answer that a restart of the proxy had left behind
	Failed     []FailedRevert  // attempts to revert it, those that say something new; at most [MostFailedReverts]
	Answered   map[string]bool // probes by name that were asked and answered while it was in; true if one of the answers was met
}

// FailedRevert is an attempt to revert that failed, and was made again.
type FailedRevert struct {
	At    time.Time
	Error string
}

// MostFailedReverts is how many failed attempts the journal says of one injection.
// They may be made for hours, and each fail in other words.
const MostFailedReverts = 4

// Overran is how long the fault stayed in force because reverts of it failed: from
// the first that did, less what it takes to settle anyway. Zero while it is not out.
func (in *RunInjection) Overran() time.Duration {
	if len(in.Failed) == 0 || !in.State.Settled() || in.InjectedAt.IsZero() {
		return 0
	}
	return max(0, in.SettledAt.Sub(in.Failed[0].At)-in.Settles.Std())
}

func (r *Run) checkInjection(c *InjectionChange) error {
	in := r.Injection(c.ID)
	switch {
	case in == nil && c.To != InjectionPrepared:
		return fmt.Errorf("there is no injection %q", c.ID)
	case in == nil && c.Injection == nil:
		return fmt.Errorf("injection %q is prepared without saying what it is", c.ID)
	case in == nil:
		return nil
	case c.By != "" && in.State == InjectionStranded && c.To.Settled():
		return nil // settled by a person
	case !in.State.CanBecome(c.State()):
		return fmt.Errorf("injection %s is %s and cannot become %s", c.ID, in.State, c.State())
	}
	return nil
}

func (r *Run) applyInjection(e Entry) {
	c := e.Injection
	in := r.Injection(c.ID)
	if in == nil {
		in = &RunInjection{Injection: *c.Injection, Answered: map[string]bool{}}
		in.Undo = nil
		r.Injections = append(r.Injections, in)
	}
	if in.State == InjectionReverting && c.To == InjectionReverting && c.Detail != "" {
		in.Failed = append(in.Failed, FailedRevert{e.At, c.Detail})
	}
	in.State, in.Detail, in.By = c.State(), c.Detail, c.By
	switch {
	case in.State == InjectionEnded:
		in.SettledAt = e.At
		in.Looks++ // who reverted it has seen it
		in.hit()
	case c.To == InjectionInjected:
		in.InjectedAt = e.At
	case c.To.Settled():
		in.SettledAt = e.At
		in.Uncounted = in.Uncounted || in.State == InjectionGone && in.Felt != nil
	case c.To == InjectionStranded:
		r.WasStuck = true
	}
}

func (r *Run) applyEffect(e Entry) {
	in := r.Injection(e.Effect.Injection)
	effect := *e.Effect
	effect.At = e.At
	in.Effect = &effect
	in.count(effect)
	in.Left = max(in.Left, effect.Left)
	if in.State != InjectionInjected {
		return
	}
	in.Looks++
	switch {
	case effect.InForce == Yes:
		in.hit()
	case in.Seen && (in.Class == SelfRecovering || effect.Gone): // it was hit, and that is over
	default:
		in.NotInForce++
		if effect.InForce == No && in.OutAt.IsZero() {
			in.OutAt = e.At
		}
	}
}

// count takes in what the fault has affected so far. Who counts it may have been
// started anew, and know nothing or less: then what was told before stays, and is
// not all.
func (in *RunInjection) count(e Effect) {
	switch t := e.Traffic; {
	case t != nil && (in.Felt == nil || t.Connections >= in.Felt.Connections):
		in.Felt, in.AllCounted = t, in.State.Settled()
	case in.Felt != nil && !in.AllCounted && (t != nil || e.InForce == No):
		in.Uncounted = true
	}
}

// hit takes in that the fault was seen in force. One that recovers by itself need
// not be seen so before, nor after.
func (in *RunInjection) hit() {
	in.Seen = true
	if in.Class == SelfRecovering {
		in.NotInForce, in.OutAt = 0, time.Time{}
	}
}
