package experiments

import (
	"encoding/json"
	"maps"
	"time"

	"mishap"
)

// The forms are the shape of the file: the keys that it may have, which of
// them it must have (those without omitempty or omitzero), their types and
// what they mean. Reading and [Schema] both follow them, so that neither knows
// a key that the other does not.

type experimentForm struct {
	Version     int               `json:"version" jsonschema:"version of the file's format: 1"`
	Name        string            `json:"name" jsonschema:"unique in the tree of files: lowercase letters, digits and dashes"`
	Claim       string            `json:"claim" jsonschema:"the sentence that the experiment tests"`
	Owner       string            `json:"owner,omitempty" jsonschema:"who answers for the experiment"`
	Group       string            `json:"group,omitempty" jsonschema:"at most one run per group at a time; default: the experiment's name"`
	Tags        map[string]string `json:"tags,omitempty" jsonschema:"words to select and report by"`
	Vars        map[string]string `json:"vars,omitempty" jsonschema:"values for ${name} in claim, owner, group, tags, needs, with, expect and targets; --var name=value overrides them"`
	SteadyState []probeForm       `json:"steadyState" jsonschema:"what is measured and what it must be: before any fault, while one is in force, and after all were reverted"`
	Ready       *readyForm        `json:"ready,omitempty" jsonschema:"ask again for a steady state that is not met before a run, instead of refusing it: exponential backoff, at most 100 tries"`
	Compare     *compareForm      `json:"compare,omitempty" jsonschema:"control beside experiment; without it the probes alone judge the run"`
	Cost        *mishap.Cost      `json:"cost,omitempty" jsonschema:"what harm costs, so that reports can estimate it"`
	Faults      []faultForm       `json:"faults" jsonschema:"what goes wrong: all at once, unless one says after"`
	BlastRadius blastRadiusForm   `json:"blastRadius" jsonschema:"the most that a run may touch"`
	Safeguards  []safeguardForm   `json:"safeguards,omitempty" jsonschema:"what may refuse a plan before it starts and stop a run at any moment"`
	Recovery    recoveryForm      `json:"recovery,omitzero" jsonschema:"how the steady state is asked for after the revert: exponential backoff"`
	Schedule    *scheduleForm     `json:"schedule,omitempty" jsonschema:"when a server runs the experiment by itself"`
	Impacts     []impactForm      `json:"impacts,omitempty" jsonschema:"harms that the owner knows of; while one holds, no schedule runs the experiment"`
	Needs       map[string]string `json:"needs,omitempty" jsonschema:"labels that a server must have to run the experiment by itself, such as region: eu-west-1"`
}

type probeForm struct {
	Name        string             `json:"name" jsonschema:"unique in the steady state"`
	Probe       string             `json:"probe" jsonschema:"a name from the catalog of probes"`
	With        json.RawMessage    `json:"with,omitempty" jsonschema:"the probe's parameters"`
	Expect      json.RawMessage    `json:"expect,omitempty" jsonschema:"what the probe must find"`
	Every       mishap.Duration    `json:"every,omitempty" jsonschema:"time between two observations, default 1s"`
	Timeout     mishap.Duration    `json:"timeout,omitempty" jsonschema:"of one observation, default 5s"`
	Allow       mishap.Allowance   `json:"allow,omitzero" jsonschema:"unmet observations tolerated while a fault is in force, such as 2 of 20; default none"`
	Unknown     mishap.Allowance   `json:"unknown,omitzero" jsonschema:"unknown observations tolerated while a fault is in force, such as 2 of 20; default none"`
	OnDeviation mishap.OnDeviation `json:"onDeviation,omitempty" jsonschema:"stop (the default) reverts at once, note goes on; the verdict is deviated either way"`
	When        []mishap.Phase     `json:"when,omitempty" jsonschema:"phases in which the probe is asked; default all three"`
}

type faultForm struct {
	Name     string          `json:"name" jsonschema:"unique in the experiment"`
	Injector string          `json:"injector" jsonschema:"a name from the catalog of injectors"`
	Targets  json.RawMessage `json:"targets,omitempty" jsonschema:"what the fault touches"`
	With     json.RawMessage `json:"with,omitempty" jsonschema:"the injector's parameters"`
	For      mishap.Duration `json:"for" jsonschema:"how long at most, from when its last target is injected; 0s: until it was seen once, 5s at most"`
	After    *orderForm      `json:"after,omitempty" jsonschema:"wait for another fault"`
	Ramp     *rampForm       `json:"ramp,omitempty" jsonschema:"raise a parameter in steps while the fault is in force"`
}

type rampForm struct {
	Parameter string          `json:"parameter" jsonschema:"the parameter of with, such as delay"`
	Values    []string        `json:"values" jsonschema:"its values, one per step; the fault is injected with the first"`
	Every     mishap.Duration `json:"every" jsonschema:"time between two steps"`
}

type orderForm struct {
	Fault string          `json:"fault" jsonschema:"name of the fault to wait for"`
	Wait  mishap.Duration `json:"wait,omitempty" jsonschema:"counted from the moment that fault is injected; default 0s"`
}

type blastRadiusForm struct {
	Targets int          `json:"targets" jsonschema:"most targets over all faults, at least 1"`
	Share   mishap.Share `json:"share,omitempty" jsonschema:"largest part of the matched targets, per fault; default: not limited"`
}

type safeguardForm struct {
	Safeguard string          `json:"safeguard" jsonschema:"a name from the catalog of safeguards"`
	With      json.RawMessage `json:"with,omitempty" jsonschema:"the safeguard's parameters"`
}

type recoveryForm struct {
	Within mishap.Duration `json:"within,omitempty" jsonschema:"deadline, counted from the verified revert, default 2m"`
	First  mishap.Duration `json:"first,omitempty" jsonschema:"first wait, default 250ms"`
	Factor float64         `json:"factor,omitempty" jsonschema:"each wait is this many times the one before, at least 1, default 1.6"`
	Cap    mishap.Duration `json:"cap,omitempty" jsonschema:"longest wait, default 15s"`
	Jitter mishap.Share    `json:"jitter,omitempty" jsonschema:"part by which each wait is changed at random, default 20%"`
}

type readyForm struct {
	Within mishap.Duration `json:"within,omitempty" jsonschema:"how long at most, counted from the first look, default 2m, at most 1h"`
	First  mishap.Duration `json:"first,omitempty" jsonschema:"first wait, default 250ms"`
	Factor float64         `json:"factor,omitempty" jsonschema:"each wait is this many times the one before, at least 1, default 1.6"`
	Cap    mishap.Duration `json:"cap,omitempty" jsonschema:"longest wait, default 15s"`
	Jitter mishap.Share    `json:"jitter,omitempty" jsonschema:"part by which each wait is changed at random, default 20%"`
}

// withDefaults is a form that has values before it is filled in.
type withDefaults interface{ setDefaults() }

func (e *experimentForm) setDefaults() { e.Recovery.setDefaults() }

func (p *probeForm) setDefaults() {
	p.Every = mishap.Duration(time.Second)
	p.Timeout = mishap.Duration(5 * time.Second)
	p.OnDeviation = mishap.StopOnDeviation
	p.When = phases()
}

func (r *recoveryForm) setDefaults() { *r = recoveryForm(mishap.DefaultRecovery()) }

func (r *readyForm) setDefaults() { *r = readyForm(mishap.DefaultReady()) }

func phases() []mishap.Phase { return []mishap.Phase{mishap.Before, mishap.During, mishap.After} }

// experiment returns what the form says.
func (e *experimentForm) experiment() mishap.Experiment {
	out := mishap.Experiment{
		Version: e.Version, Name: e.Name, Claim: e.Claim, Owner: e.Owner, Group: e.Group, Tags: maps.Clone(e.Tags),
		BlastRadius: mishap.BlastRadius(e.BlastRadius),
		Recovery:    mishap.Recovery(e.Recovery),
	}
	if out.Group == "" {
		out.Group = out.Name
	}
	for _, p := range e.SteadyState {
		out.SteadyState = append(out.SteadyState, mishap.ProbeSpec(p))
	}
	for _, f := range e.Faults {
		out.Faults = append(out.Faults, f.fault())
	}
	for _, s := range e.Safeguards {
		out.Safeguards = append(out.Safeguards, mishap.SafeguardSpec(s))
	}
	if e.Ready != nil {
		ready := mishap.Ready(*e.Ready)
		out.Ready = &ready
	}
	if e.Compare != nil {
		out.Compare = e.Compare.compare()
	}
	out.Cost = e.Cost
	if e.Schedule != nil {
		out.Schedule = e.Schedule.schedule(out.Name)
	}
	for _, i := range e.Impacts {
		out.Impacts = append(out.Impacts, mishap.Impact(i))
	}
	out.Needs = maps.Clone(e.Needs)
	return out
}

func (f *faultForm) fault() mishap.Fault {
	out := mishap.Fault{Name: f.Name, Injector: f.Injector, Targets: f.Targets, With: f.With, For: f.For}
	if f.After != nil {
		out.After = &mishap.FaultOrder{Fault: f.After.Fault, Wait: f.After.Wait}
	}
	if f.Ramp != nil {
		ramp := mishap.Ramp(*f.Ramp)
		out.Ramp = &ramp
		if len(ramp.Values) > 0 {
			if with, err := ramp.With(f.With, 0); err == nil {
				out.With = with
			}
		}
	}
	return out
}
