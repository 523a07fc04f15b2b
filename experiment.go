package mishap

import (
	"encoding/json"
	"slices"
	"time"
)

// Version is the only version of the experiment file that this program reads.
const Version = 1

// Experiment is a falsifiable claim about a system, with a method and limits.
// It is what one YAML file says after variables were substituted and defaults
// filled in.
type Experiment struct {
	Version     int               `json:"version"`
	Name        string            `json:"name"`  // unique in a tree of files
	Claim       string            `json:"claim"` // the sentence that the experiment tests
	Owner       string            `json:"owner,omitempty"`
	Group       string            `json:"group"` // at most one run per group at a time; default: Name
	Tags        map[string]string `json:"tags,omitempty"`
	SteadyState []ProbeSpec       `json:"steadyState"`
	Ready       *Ready            `json:"ready,omitempty"`   // nil: a steady state that is not met refuses a run at once
	Compare     *Compare          `json:"compare,omitempty"` // nil: the probes alone judge
	Faults      []Fault           `json:"faults"`
	BlastRadius BlastRadius       `json:"blastRadius"`
	Safeguards  []SafeguardSpec   `json:"safeguards,omitempty"`
	Recovery    Recovery          `json:"recovery"`
	Schedule    *Schedule         `json:"schedule,omitempty"` // nil: nothing runs it by itself
	Impacts     []Impact          `json:"impacts,omitempty"`
	Cost        *Cost             `json:"cost,omitempty"`  // nil: reports estimate no cost
	Needs       map[string]string `json:"needs,omitempty"` // labels that a server must have to run it
	Source      Source            `json:"source"`
}

// Impact is a harm that the owner knows the experiment does today. While one
// holds, no schedule runs the experiment: it would only show it again.
type Impact struct {
	What  string `json:"what"`            // one sentence
	Until Date   `json:"until,omitempty"` // the last day on which it holds, in UTC; empty: until it is removed
}

// Known returns the first impact that holds at now; nil if there is none.
func (e Experiment) Known(now time.Time) *Impact {
	for i, known := range e.Impacts {
		if known.Until == "" || now.Before(known.Until.start().AddDate(0, 0, 1)) {
			return &e.Impacts[i]
		}
	}
	return nil
}

// Lacks lists the labels that the experiment needs and a server with these ones
// does not have, in order.
func (e Experiment) Lacks(labels map[string]string) []string {
	var lacks []string
	for key, value := range e.Needs {
		if labels[key] != value {
			lacks = append(lacks, key+"="+value)
		}
	}
	slices.Sort(lacks)
	return lacks
}

// Source says where an experiment came from, so that a verdict names a commit.
type Source struct {
	File       string `json:"file"`                 // path as given
	Repository string `json:"repository,omitempty"` // remote URL without credentials, or the work tree's folder
	Commit     string `json:"commit,omitempty"`     // full hash; empty outside git
	Path       string `json:"path,omitempty"`       // path inside the repository
	Dirty      bool   `json:"dirty,omitempty"`      // the file differs from the commit
	Author     string `json:"author,omitempty"`     // of the commit: "Name <mail>"
	Digest     string `json:"digest"`               // "sha256:…" of the canonical JSON after substitution
}

// ProbeSpec is one line of the steady state: what to measure and what it must
// be.
type ProbeSpec struct {
	Name        string          `json:"name"`
	Probe       string          `json:"probe"`            // a name from the catalog of probes
	With        json.RawMessage `json:"with,omitempty"`   // the probe's parameters
	Expect      json.RawMessage `json:"expect,omitempty"` // the probe's expectations
	Every       Duration        `json:"every"`            // time between two observations
	Timeout     Duration        `json:"timeout"`          // of one observation
	Allow       Allowance       `json:"allow"`            // unmet observations tolerated while holding
	Unknown     Allowance       `json:"unknown"`          // unknown observations tolerated while holding
	OnDeviation OnDeviation     `json:"onDeviation"`
	When        []Phase         `json:"when"`
}

// OnDeviation says what a deviating probe does to the run. The verdict is
// deviated either way.
type OnDeviation string

// The two answers to a deviation.
const (
	StopOnDeviation OnDeviation = "stop" // revert at once
	NoteDeviation   OnDeviation = "note" // go on and say so
)

// Phase is a part of a run in which a probe is asked.
type Phase string

// The phases: before any fault, while one is in, after all were reverted.
const (
	Before Phase = "before"
	During Phase = "during"
	After  Phase = "after"
)

// In reports whether the probe is asked in phase p.
func (s ProbeSpec) In(p Phase) bool {
	for _, w := range s.When {
		if w == p {
			return true
		}
	}
	return false
}

// Fault is an injector's name, its parameters, its targets and how long.
type Fault struct {
	Name     string          `json:"name"`
	Injector string          `json:"injector"` // a name from the catalog of injectors
	Targets  json.RawMessage `json:"targets,omitempty"`
	With     json.RawMessage `json:"with,omitempty"`
	For      Duration        `json:"for"` // at most, see Lasts; counted from when the last of its targets is injected
	After    *FaultOrder     `json:"after,omitempty"`
	Ramp     *Ramp           `json:"ramp,omitempty"`
}

// SeenWithin is how long a fault whose `for` is zero stays in at most.
const SeenWithin = 5 * time.Second

// Lasts is how long the fault is in at most. With a zero `for` it is over at once,
// and leaves as soon as it was seen: looked at, and every probe answered.
func (f Fault) Lasts() time.Duration { return lasts(f.For) }

func lasts(d Duration) time.Duration {
	if d <= 0 {
		return SeenWithin
	}
	return d.Std()
}

// Ramp raises one parameter of a fault in steps while it is in. The first value
// is the one that it is injected with.
type Ramp struct {
	Parameter string   `json:"parameter"` // of with
	Values    []string `json:"values"`    // at least two
	Every     Duration `json:"every"`     // between two steps, counted from injected
}

// Step is the number of the step, from 0, so long after the injection.
func (r Ramp) Step(since time.Duration) int {
	return min(int(since/r.Every.Std()), len(r.Values)-1)
}

// With is the fault's parameters at a step.
func (r Ramp) With(with json.RawMessage, step int) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if len(with) > 0 {
		if err := json.Unmarshal(with, &all); err != nil {
			return nil, err
		}
	}
	value, err := json.Marshal(r.Values[step])
	if err != nil {
		return nil, err
	}
	all[r.Parameter] = value
	return json.Marshal(all)
}

// FaultOrder makes one fault wait for another.
type FaultOrder struct {
	Fault string   `json:"fault"` // name of the fault to wait for
	Wait  Duration `json:"wait"`  // counted from that fault's injected
}

// BlastRadius is the most that a run may touch. It is mandatory.
type BlastRadius struct {
	Targets int   `json:"targets"`         // most targets over all faults; 0 is refused
	Share   Share `json:"share,omitempty"` // largest part of the matched targets, per fault; 0 means not limited
}

// SafeguardSpec names a safeguard and its parameters.
type SafeguardSpec struct {
	Safeguard string          `json:"safeguard"`
	With      json.RawMessage `json:"with,omitempty"`
}

// Recovery is how the steady state is asked for after the revert: exponential
// backoff, first × factorⁿ up to cap, each wait changed by ± jitter, until
// within has passed.
type Recovery struct {
	Within Duration `json:"within"`
	First  Duration `json:"first"`
	Factor float64  `json:"factor"`
	Cap    Duration `json:"cap"`
	Jitter Share    `json:"jitter"`
}

// DefaultRecovery is used where an experiment does not say otherwise.
func DefaultRecovery() Recovery {
	return Recovery{
		Within: Duration(2 * time.Minute),
		First:  Duration(250 * time.Millisecond),
		Factor: 1.6,
		Cap:    Duration(15 * time.Second),
		Jitter: 0.2,
	}
}

// Ready is how the steady state is asked for before a run while it is not met:
// backoff as of a [Recovery], until within has passed since the first look. A look
// always begins then, and there are at most [MostTries].
type Ready Recovery

// MostTries is how often the steady state is asked for before a run, at most:
// each try is in its journal.
const MostTries = 100

// DefaultReady is used where an experiment says that it waits, and not how.
func DefaultReady() Ready { return Ready(DefaultRecovery()) }

// Longest returns the longest time that the experiment's faults can be in:
// the end of the last one, counted from the first injection.
func (e Experiment) Longest() time.Duration {
	var longest time.Duration
	for _, f := range e.Faults {
		if end := e.start(f, len(e.Faults)) + f.Lasts(); end > longest {
			longest = end
		}
	}
	return longest
}

// Together returns how long all faults that come at once are in: until the first
// of them ends.
func (e Experiment) Together() time.Duration {
	shortest := e.Longest()
	for _, f := range e.Faults {
		shortest = min(shortest, f.Lasts())
	}
	return shortest
}

// start is when f is injected, counted from the first; depth bounds a circle,
// which validation refuses.
func (e Experiment) start(f Fault, depth int) time.Duration {
	if f.After == nil || depth == 0 {
		return 0
	}
	for _, other := range e.Faults {
		if other.Name == f.After.Fault {
			return e.start(other, depth-1) + f.After.Wait.Std()
		}
	}
	return 0
}
