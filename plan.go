package mishap

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// PlanLife is how long a plan may be run after it was made.
const PlanLife = 24 * time.Hour

// Plan is an experiment resolved against the live system. It pins targets,
// never undo: what undoes a fault is captured again when the run begins.
type Plan struct {
	Experiment Experiment  `json:"experiment"`
	Injections []Injection `json:"injections"` // without ID, Run and Undo
	Created    time.Time   `json:"created"`
	Host       string      `json:"host,omitempty"` // the machine that local targets are on
	Notes      []string    `json:"notes,omitempty"`
	NoFault    bool        `json:"noFault,omitempty"` // A/A: everything but the faults
	Sampled    []Injection `json:"sampled,omitempty"` // of A/A with arms of targets: those that would be injected, as Injections
	Digest     string      `json:"digest"`            // "sha256:…" over experiment and targets
}

// Arms are the injections whose targets are the experiment, beside whom control was
// picked; they stand for arms only if the experiment samples targets.
func (p Plan) Arms() []Injection { return append(slices.Clone(p.Injections), p.Sampled...) }

// Seal strips what a plan must not hold and computes its digest.
func (p Plan) Seal() (Plan, error) {
	injections := make([]Injection, len(p.Injections))
	for i, in := range p.Injections {
		in.ID, in.Run, in.Undo = "", "", nil
		injections[i] = in
	}
	p.Injections = injections
	digest, err := p.computeDigest()
	p.Digest = digest
	return p, err
}

// Check reports whether the plan may still be run at now: its digest must be
// that of its content, and it must be younger than [PlanLife].
func (p Plan) Check(now time.Time) error {
	digest, err := p.computeDigest()
	if err != nil {
		return err
	}
	if digest != p.Digest {
		return WithHint(fmt.Errorf("plan was changed after it was made: its content has digest %s, it says %s", digest, p.Digest),
			"make a new plan with `mishap plan FILE -o plan.json`")
	}
	if age := now.Sub(p.Created); age > PlanLife || age < -time.Hour {
		return WithHint(fmt.Errorf("plan was made %s, a plan is good for %s", Moment(p.Created), Duration(PlanLife)),
			"make a new plan with `mishap plan FILE -o plan.json`")
	}
	return nil
}

// Drift compares the plan's targets with those that a fresh plan found: which they
// are, where, in what state, and with which tags. It says what differs; nil means
// that they are the same. A tag that came since is no drift: what it means is for
// safeguards to judge, which are asked about what was found.
func (p Plan) Drift(fresh Plan) []string {
	have := map[string]Target{}
	for _, in := range fresh.Injections {
		have[in.aim()] = in.Target
	}
	var drift []string
	planned := map[string]bool{}
	for _, in := range p.Injections {
		key := in.aim()
		planned[key] = true
		now, found := have[key]
		if !found {
			drift = append(drift, "planned, but not found now: "+key)
			continue
		}
		for _, change := range in.Target.changes(now) {
			drift = append(drift, key+": "+change)
		}
	}
	for _, in := range fresh.Injections {
		if key := in.aim(); !planned[key] {
			drift = append(drift, "found now, but not planned: "+key)
		}
	}
	return drift
}

// changes says what of a target is not as it was planned.
func (t Target) changes(now Target) (all []string) {
	if t.State != "" && t.State != now.State {
		all = append(all, fmt.Sprintf("it was %s when it was planned, and is %s now", t.State, now.State))
	}
	for _, tag := range slices.Sorted(maps.Keys(t.Tags)) {
		switch value, has := now.Tags[tag]; {
		case !has:
			all = append(all, fmt.Sprintf("its tag %s=%s was taken away", tag, t.Tags[tag]))
		case value != t.Tags[tag]:
			all = append(all, fmt.Sprintf("its tag %s was %q, and is %q now", tag, t.Tags[tag], value))
		}
	}
	return all
}

// aim is which fault is on which target where.
func (in Injection) aim() string {
	text := in.Fault + " on " + in.Target.Kind + " " + in.Target.ID
	for _, part := range []string{in.Target.Where.Host, in.Target.Where.Account, in.Target.Where.Region} {
		if part != "" {
			text += " in " + part
		}
	}
	return text
}

// CallWithin is how long one call to an injector may take: to inject, to revert,
// or to look.
const CallWithin = 25 * time.Second

// Spread is how long it takes at most to put a fault into all of its targets,
// one call after another, counted from when the first is in: `for` begins when
// the last one is.
func (p Plan) Spread(fault string) time.Duration {
	n, batches := 0, map[int]bool{}
	for _, in := range p.Injections {
		if in.Fault == fault && (in.Batch == 0 || !batches[in.Batch]) {
			batches[in.Batch] = true
			n++
		}
	}
	return time.Duration(max(n-1, 0)) * CallWithin
}

// Longest is the longest time that the plan's faults can be in, counted from the
// first injection. It is that of the experiment if each fault has one target.
func (p Plan) Longest() time.Duration {
	var longest time.Duration
	for _, f := range p.Experiment.Faults {
		longest = max(longest, p.Start(f)+p.Spread(f.Name)+f.Lasts())
	}
	return longest
}

// Start is when a fault goes into its first target at the latest, counted from
// the first injection.
func (p Plan) Start(f Fault) (start time.Duration) {
	for range p.Experiment.Faults { // bounds a circle, which validation refuses
		if f.After == nil {
			break
		}
		i := slices.IndexFunc(p.Experiment.Faults, func(other Fault) bool { return other.Name == f.After.Fault })
		if i < 0 {
			break
		}
		start += f.After.Wait.Std() + p.Spread(f.After.Fault)
		f = p.Experiment.Faults[i]
	}
	return start
}

func (p Plan) computeDigest() (string, error) {
	p.Digest = ""
	data, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("compute plan digest: %w", err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
