package mishap

import (
	"fmt"
	"time"
)

// Run is one execution of a plan. It is the fold of its journal: applying the
// entries in order gives the same run everywhere.
type Run struct {
	ID         string
	Plan       Plan
	Trigger    Trigger
	State      State
	Cause      Cause  // of the first reverting, or of the refusal
	Reason     string // in words
	By         string // who, if a person
	Injections []*RunInjection
	Watches    []*Watch // one per probe of the steady state, in its order
	Checks     map[string]Check
	Looks      []*Comparison // at the arms, oldest first
	Recovered  *Recovered
	Notes      []string
	Deviation  string        // the first one of a probe or of the recovery, in words; empty if there was none
	ArmsHarm   string        // the first harm that the arms showed while a fault was in, in words
	Disturbed  []Disturbance // what others changed meanwhile, as it became known
	EverLost   bool          // the run changed its server
	WasStuck   bool          // an injection was stranded at some time
	Internal   bool          // mishap itself failed
	Stopped    bool          // a person interrupted it, at whatever time
	Seq        int64         // of the last entry
	// Unwritten is why the journal does not have the last entries, at the end of
	// the run; empty if it has. The journal cannot say it: the server does.
	Unwritten string

	PlannedAt   time.Time
	DeviatedAt  time.Time // when Deviation was recorded
	ArmsHarmAt  time.Time // when ArmsHarm was
	InjectedAt  time.Time // of the first injection
	HoldingAt   time.Time
	RevertingAt time.Time
	RevertedAt  time.Time // when verifying began
	EndedAt     time.Time
}

// Replay folds a journal into a run. Entries must be of one run, in order and
// without gaps; an impossible sequence is an error that names the entry.
func Replay(entries []Entry) (*Run, error) {
	run := &Run{}
	for i := range entries {
		if err := run.Apply(entries[i]); err != nil {
			return nil, err
		}
	}
	if run.State == stateStart {
		return nil, fmt.Errorf("replay journal: it has no entries")
	}
	return run, nil
}

// ReplayAll folds the journals of some runs, up to the first that cannot be read.
func ReplayAll[R any](some []R, journal func(R) ([]Entry, error)) ([]*Run, error) {
	var all []*Run
	for _, one := range some {
		entries, err := journal(one)
		if err != nil {
			return all, err
		}
		run, err := Replay(entries)
		if err != nil {
			return all, err
		}
		all = append(all, run)
	}
	return all, nil
}

// Apply folds one more entry into the run. On an error the run is unchanged.
func (r *Run) Apply(e Entry) error {
	if err := r.check(e); err != nil {
		return fmt.Errorf("replay journal of run %s, entry %d: %w", e.Run, e.Seq, err)
	}
	r.Seq = e.Seq
	switch {
	case e.Planned != nil:
		r.applyPlanned(e)
	case e.State != nil:
		r.applyState(e)
	case e.Check != nil:
		r.Checks[e.Check.Safeguard] = *e.Check
	case e.Observation != nil:
		r.applyObservation(*e.Observation, e.At)
	case e.Injection != nil:
		r.applyInjection(e)
	case e.Effect != nil:
		r.applyEffect(e)
	case e.Comparison != nil:
		r.applyComparison(e.At, e.Comparison)
	case e.Recovered != nil:
		r.Recovered = e.Recovered
		if !e.Recovered.In && e.Recovered.Blind == "" {
			r.deviate(e.At, fmt.Sprintf("the steady state did not come back within %s", r.Plan.Experiment.Recovery.Within))
		}
	case e.Disturbance != nil:
		r.Disturbed = append(r.Disturbed, *e.Disturbance)
	case e.Note != nil:
		r.Notes = append(r.Notes, e.Note.Text)
	}
	return nil
}

// check refuses an entry that cannot come next.
func (r *Run) check(e Entry) error {
	switch {
	case r.State == stateStart && e.Planned == nil:
		return fmt.Errorf("a journal begins with the plan")
	case r.State != stateStart && e.Run != r.ID:
		return fmt.Errorf("it belongs to another run; this one is %s", r.ID)
	case e.Seq != r.Seq+1:
		return fmt.Errorf("it comes after entry %d; entries are missing or out of order", r.Seq)
	case e.fields() != 1:
		return fmt.Errorf("it says %d things; an entry says one", e.fields())
	case e.Planned != nil && r.State != stateStart:
		return fmt.Errorf("the plan is there already")
	case e.State != nil && !r.State.CanBecome(e.State.To):
		return fmt.Errorf("a run that is %s cannot become %s", r.State, e.State.To)
	case e.Observation != nil && r.Watch(e.Observation.Probe) == nil:
		return fmt.Errorf("the plan has no probe %q", e.Observation.Probe)
	case e.Effect != nil && r.Injection(e.Effect.Injection) == nil:
		return fmt.Errorf("there is no injection %q", e.Effect.Injection)
	case e.Disturbance != nil && r.Injection(e.Disturbance.Injection) == nil:
		return fmt.Errorf("there is no injection %q", e.Disturbance.Injection)
	case e.Injection != nil:
		return r.checkInjection(e.Injection)
	}
	return nil
}

// fields counts what the entry says.
func (e Entry) fields() int {
	n := 0
	for _, set := range []bool{
		e.Planned != nil, e.State != nil, e.Check != nil, e.Observation != nil,
		e.Injection != nil, e.Effect != nil, e.Comparison != nil, e.Recovered != nil, e.Disturbance != nil, e.Note != nil,
	} {
		if set {
			n++
		}
	}
	return n
}

func (r *Run) applyPlanned(e Entry) {
	*r = Run{ID: e.Run, Plan: *e.Planned, State: Planned, Seq: e.Seq, PlannedAt: e.At, Checks: map[string]Check{}}
	r.Trigger = Trigger{Kind: TriggerHand}
	if e.Trigger != nil {
		r.Trigger = *e.Trigger
	}
	for _, spec := range e.Planned.Experiment.SteadyState {
		r.Watches = append(r.Watches, &Watch{Spec: spec})
	}
}

func (r *Run) applyState(e Entry) {
	s := e.State
	first := s.To == Refused || s.To == Reverting && r.RevertingAt.IsZero()
	if first {
		r.Cause, r.Reason, r.By = s.Cause, s.Reason, s.By
	}
	r.EverLost = r.EverLost || s.Cause == CauseCrash
	r.Internal = r.Internal || s.Cause == CauseInternal
	r.Stopped = r.Stopped || s.Cause == CauseInterrupt
	r.WasStuck = r.WasStuck || s.To == Stranded
	r.State = s.To
	switch s.To {
	case Injecting:
		r.InjectedAt = e.At
	case Holding:
		r.HoldingAt = e.At
	case Reverting:
		if r.RevertingAt.IsZero() {
			r.RevertingAt = e.At
		}
	case Verifying:
		r.RevertedAt = e.At
	case Refused, Completed:
		r.EndedAt = e.At
	}
}

func (r *Run) applyObservation(o Observation, at time.Time) {
	w := r.Watch(o.Probe)
	w.add(o)
	if o.Phase != During {
		return
	}
	if w.Deviates() {
		r.deviate(at, w.Deviation)
	}
	if o.Start.IsZero() {
		o.Start = at.Add(-o.Took.Std())
	}
	for _, in := range r.Injections {
		if in.State == InjectionInjected && !o.Start.Before(in.InjectedAt) {
			in.Answered[o.Probe] = in.Answered[o.Probe] || o.Result == Met
		}
	}
}

// applyComparison folds a look at the arms. Harm that shows while the fault is
// in deviates, whenever it does, if the fault has met anything: see [Run.Deviated].
func (r *Run) applyComparison(at time.Time, c *Comparison) {
	r.Looks = append(r.Looks, c)
	if c.Outcome == HarmShown && c.Phase == InHold && r.ArmsHarm == "" {
		r.ArmsHarm, r.ArmsHarmAt = c.Reason, at
	}
}

// Compared is the last look at the arms while the fault was in force; nil if there
// was none.
func (r *Run) Compared() *Comparison {
	for i := len(r.Looks) - 1; i >= 0; i-- {
		if r.Looks[i].Phase == InHold {
			return r.Looks[i]
		}
	}
	return nil
}

// Watch returns the watch over the named probe, or nil.
func (r *Run) Watch(probe string) *Watch {
	for _, w := range r.Watches {
		if w.Spec.Name == probe {
			return w
		}
	}
	return nil
}

// Injection returns the injection with that id, or nil.
func (r *Run) Injection(id string) *RunInjection {
	for _, in := range r.Injections {
		if in.ID == id {
			return in
		}
	}
	return nil
}

// Outstanding lists the injections that are or may still be in force, newest first.
func (r *Run) Outstanding() []*RunInjection {
	var out []*RunInjection
	for i := len(r.Injections) - 1; i >= 0; i-- {
		if r.Injections[i].State.MayBeIn() {
			out = append(out, r.Injections[i])
		}
	}
	return out
}
