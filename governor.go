package mishap

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"
)

// Limits are how much may go on at once over all runs of a ledger. They bind
// every run, however it begins; the approval binds only those that a server
// begins. Zero is no limit.
type Limits struct {
	Runs    int   // at once
	Targets int   // touched at once, in one place
	Share   Share // of a target group or of a target's traffic, over all runs, in one place

	Approval ApprovalRule // which plans a person must approve first
}

// Footprint is how much of one place a run touches.
type Footprint struct {
	Place   string `json:"place"` // account/region, a host, or "" for this machine
	Targets int    `json:"targets"`
	Share   Share  `json:"share"` // the largest of its faults
}

// Footprints says how much of which places the plan touches.
func (p Plan) Footprints() []Footprint {
	prints := map[string]*Footprint{}
	shares := map[string]float64{} // fault and place → share
	for _, in := range p.Injections {
		if in.Fault == ArmsFault {
			continue // it harms nothing; the faults count what the experiment arm has
		}
		at := in.Target.Where.name()
		f := prints[at]
		if f == nil {
			f = &Footprint{Place: at}
			prints[at] = f
		}
		f.Targets++
		part := 1.0
		if in.Share > 0 {
			part = float64(in.Share)
		}
		key := in.Fault + "\x00" + at
		shares[key] += part / float64(max(1, in.Matched))
		f.Share = max(f.Share, Share(shares[key]))
	}
	all := make([]Footprint, 0, len(prints))
	for _, f := range prints {
		all = append(all, *f)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Place < all[j].Place })
	return all
}

func (p Place) name() string {
	if p.Account != "" || p.Region != "" {
		return p.Account + "/" + p.Region
	}
	return p.Host
}

// Ongoing is an active run as the governor sees it.
type Ongoing struct {
	ID         string
	Experiment string
	Group      string
	State      State
	Footprints []Footprint
}

// Lock keeps an experiment that deviated from being run again by itself, until
// a person unlocks it.
type Lock struct {
	Experiment string    `json:"experiment"`
	Run        string    `json:"run"`
	Reason     string    `json:"reason"`
	At         time.Time `json:"at"`
}

// Facts are what the governor decides on, as they stand when a run begins.
type Facts struct {
	Runs []Ongoing // active, stranded ones too
	Lock *Lock     // of the experiment; nil if there is none

	Approvals []Approval // of the experiment
	Queue     []Waiting  // experiments that wait to begin, that of the plan too if it does
	Now       time.Time
}

// Denial is the governor's no.
type Denial struct {
	Cause   Cause
	Reason  string   // one sentence
	Passing bool     // what is in the way ends by itself
	Wants   []string // what it may wait for, as [Waiting] has it
}

// Error returns the reason.
func (d *Denial) Error() string { return d.Reason }

// Overridable reports whether a named person may begin the run all the same, for
// a reason that is recorded.
func (d *Denial) Overridable() bool { return d.Cause == CauseLocked || d.Cause == CauseLimit }

// Admit decides whether the plan may begin beside what goes on, and what has
// waited longer. It answers nil, or a [*Denial].
func (l Limits) Admit(p Plan, f Facts) error {
	for _, check := range []func(Plan, Facts) error{admitLocked, admitBesideStranded, l.admitRuns, admitGroup, l.admitPlaces, l.Approval.admit} {
		if err := check(p, f); err != nil {
			return err
		}
	}
	return nil
}

// AdmitOverridden is like [Limits.Admit] for a run that a named person begins in
// spite of what may be overridden: locks and limits are left out.
func (l Limits) AdmitOverridden(p Plan, f Facts) error {
	return errors.Join(admitBesideStranded(p, f), l.Approval.admit(p, f))
}

func admitLocked(_ Plan, f Facts) error {
	if f.Lock == nil {
		return nil
	}
	return &Denial{Cause: CauseLocked, Reason: fmt.Sprintf("%s deviated in run %s and is locked until `mishap unlock %s --reason …`", f.Lock.Experiment, f.Lock.Run, f.Lock.Experiment)}
}

// admitBesideStranded refuses a run beside one of its group that waits for a
// person.
func admitBesideStranded(p Plan, f Facts) error { return strandedBeside(p.Experiment, f.Runs) }

// admitRuns leaves as many runs free as others have waited longer for.
func (l Limits) admitRuns(p Plan, f Facts) error {
	if l.Runs == 0 {
		return nil
	}
	d := &Denial{Cause: CauseLimit, Passing: true, Wants: []string{WantsRun}}
	if len(f.Runs) >= l.Runs {
		d.Reason = fmt.Sprintf("%s under way (%s); the governor allows %d at once", Plural(len(f.Runs), "run"), names(f.Runs), l.Runs)
		return d
	}
	ahead := f.ahead(p.Experiment.Name, WantsRun)
	if len(f.Runs)+len(ahead) < l.Runs {
		return nil
	}
	d.Reason = fmt.Sprintf("the governor allows %s at once, and others have waited longer (%s)", Plural(l.Runs, "run"), inTurn(ahead))
	return d
}

// admitGroup lets those of the group go first that have waited longer.
func admitGroup(p Plan, f Facts) error {
	ahead := f.ahead(p.Experiment.Name, WantsGroup(p.Experiment.Group))
	if len(ahead) == 0 {
		return nil
	}
	return &Denial{Cause: CauseBusy, Passing: true, Wants: []string{WantsGroup(p.Experiment.Group)},
		Reason: fmt.Sprintf("others of group %s have waited longer (%s)", p.Experiment.Group, inTurn(ahead))}
}

// admitPlaces adds up what is touched, place by place. Whoever has waited longer
// for a place has it first, or many small runs would keep a large one out.
func (l Limits) admitPlaces(p Plan, f Facts) error {
	if l.Targets == 0 && l.Share == 0 {
		return nil
	}
	for _, own := range p.Footprints() {
		if err := l.admitPlace(own, f.Runs); err != nil {
			return err
		}
		if ahead := f.ahead(p.Experiment.Name, WantsPlace(own.Place)); len(ahead) > 0 {
			return &Denial{Cause: CauseLimit, Passing: true, Wants: []string{WantsPlace(own.Place)},
				Reason: fmt.Sprintf("the governor limits what is touched %s, and others have waited longer for it (%s)", own.where(), inTurn(ahead))}
		}
	}
	return nil
}

// strandedBeside is the run of the same group that waits for a person.
func strandedBeside(e Experiment, runs []Ongoing) error {
	for _, r := range runs {
		if r.State == Stranded && (r.Experiment == e.Name || r.Group == e.Group) {
			return &Denial{Cause: CauseBusy, Reason: fmt.Sprintf("run %s of %s is stranded; its group %s waits until it is reverted or settled", r.ID, r.Experiment, r.Group)}
		}
	}
	return nil
}

// admitPlace adds up what all runs touch in one place.
func (l Limits) admitPlace(own Footprint, runs []Ongoing) error {
	sum := own
	for _, r := range runs {
		for _, f := range r.Footprints {
			if f.Place == own.Place {
				sum.Targets += f.Targets
				sum.Share += f.Share
			}
		}
	}
	const slack = 1e-9 // shares that binary fractions only approach
	over := Denial{Cause: CauseLimit, Wants: []string{WantsPlace(own.Place)}}
	switch {
	case l.Targets > 0 && sum.Targets > l.Targets:
		over.Reason = fmt.Sprintf("%s would be touched at once %s; the governor allows %d", Plural(sum.Targets, "target"), own.where(), l.Targets)
		over.Passing = own.Targets <= l.Targets
	case l.Share > 0 && float64(sum.Share) > float64(l.Share)+slack:
		over.Reason = fmt.Sprintf("%s would be hit at once %s; the governor allows %s", sum.Share, own.where(), l.Share)
		over.Passing = float64(own.Share) <= float64(l.Share)+slack
	default:
		return nil
	}
	return &over
}

func (f Footprint) where() string {
	if f.Place == "" {
		return "on this machine"
	}
	return "in " + f.Place
}

func names(runs []Ongoing) string {
	const most = 3
	var all []string
	for i, r := range runs {
		if i == most {
			all = append(all, fmt.Sprintf("%d more", len(runs)-most))
			break
		}
		all = append(all, r.Experiment)
	}
	return strings.Join(all, ", ")
}
