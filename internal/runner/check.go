package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"mishap"
	"mishap/internal/bounded"
)

// check asks the safeguards and the steady state, and prepares the injections.
// It changes nothing but the ledger and the keeper; false means that the run
// was refused.
func (x *execution) check(ctx context.Context) bool {
	x.rec.note(mishap.Entry{State: &mishap.StateChange{To: mishap.Checking}})
	for _, step := range []func(context.Context) *mishap.StateChange{x.askGuards, x.askSteadyState, x.resolve, x.askAgain, x.prepare} {
		refusal := x.stopped(ctx)
		if refusal == nil {
			refusal = step(ctx)
		}
		if refusal == nil {
			refusal = x.stopped(ctx)
		}
		if refusal != nil {
			refusal.To = mishap.Refused
			x.rec.note(mishap.Entry{State: refusal})
			return false
		}
	}
	next := mishap.Injecting
	if x.Compare != nil {
		next = mishap.Baseline
	}
	if err := x.rec.must(ctx, mishap.Entry{State: &mishap.StateChange{To: next}}); err != nil {
		// Not durable, so nothing may be injected; the run in memory is
		// already there and takes the only way out.
		x.stop = internal(err)
		x.end(ctx)
		return false
	}
	return true
}

// stopped reports a stop that was asked for before anything was touched.
func (x *execution) stopped(ctx context.Context) *mishap.StateChange {
	select {
	case s := <-x.Stops:
		return &mishap.StateChange{Cause: s.Cause, Reason: s.Reason, By: s.By}
	case <-ctx.Done():
		return &mishap.StateChange{Cause: mishap.CauseInterrupt, Reason: "interrupted before anything was touched"}
	default:
		return nil
	}
}

// askGuards asks every safeguard, so that all reasons are known at once.
func (x *execution) askGuards(ctx context.Context) *mishap.StateChange {
	var reasons []string
	for _, g := range x.Guards {
		check := x.ask(ctx, g, x.situation())
		if x.rec.run.Checks[g.Name] != check {
			x.rec.note(mishap.Entry{Check: &check})
		}
		if check.Answer != mishap.Yes {
			reasons = append(reasons, g.Name+": "+check.Reason)
		}
	}
	if reasons == nil {
		return nil
	}
	return &mishap.StateChange{Cause: mishap.CauseSafeguard, Reason: "a safeguard refused: " + strings.Join(reasons, "; ")}
}

// askAgain asks the safeguards once more if the targets are not quite what the
// plan says: a tag may have been taken away since.
func (x *execution) askAgain(ctx context.Context) *mishap.StateChange {
	planned := x.rec.run.Plan.Injections
	same := slices.EqualFunc(planned, x.found, func(a, b mishap.Injection) bool {
		return a.Fault == b.Fault && a.Matched == b.Matched && a.Share == b.Share && reflect.DeepEqual(a.Target, b.Target)
	})
	if same {
		return nil
	}
	return x.askGuards(ctx)
}

// situation is what safeguards are asked about: the targets as they were found
// now, once they have been.
func (x *execution) situation() mishap.Situation {
	run := x.rec.run
	plan := run.Plan
	if x.found != nil {
		plan.Injections = nil
		for _, in := range x.found {
			in.Undo = nil
			plan.Injections = append(plan.Injections, in)
		}
	}
	return mishap.Situation{Plan: plan, State: run.State, Now: time.Now(), Started: run.InjectedAt}
}

// ask turns a safeguard's answer into a check; an error, a panic and silence
// all mean that it could not tell.
func (x *execution) ask(ctx context.Context, g Guard, s mishap.Situation) mishap.Check {
	_, err := bounded.Call(ctx, checkTimeout, "the safeguard", func(ctx context.Context) (struct{}, error) {
		err := g.Check(ctx, s)
		if err == nil {
			err = ctx.Err() // a yes that comes too late is none
		}
		return struct{}{}, err
	})
	var veto *mishap.Veto
	switch {
	case err == nil:
		return mishap.Check{Safeguard: g.Name, Answer: mishap.Yes}
	case errors.As(err, &veto):
		reason := veto.Reason
		if veto.Hint != "" {
			reason += " (" + veto.Hint + ")"
		}
		return mishap.Check{Safeguard: g.Name, Answer: mishap.No, Reason: reason}
	default:
		return mishap.Check{Safeguard: g.Name, Answer: mishap.Unknown, Reason: "could not tell: " + err.Error()}
	}
}

// askSteadyState looks whether the steady state is met. While it is not, it asks
// again, if the run may wait: the safeguards too, since their answers are old by
// then. The last look begins when the time is over.
func (x *execution) askSteadyState(ctx context.Context) *mishap.StateChange {
	start := time.Now()
	unmet := x.look(ctx)
	spec := x.Ready
	if spec == nil {
		spec = x.rec.run.Plan.Experiment.Ready
	}
	if unmet == nil || spec == nil || spec.Within <= 0 {
		return refusedState(unmet, "")
	}
	pauses, deadline := pausesOf(mishap.Recovery(*spec)), start.Add(spec.Within.Std())
	x.say("the steady state is not met yet; it is asked for again for up to %s", spec.Within)
	for tries := 2; ; tries++ {
		left := time.Until(deadline)
		pause := pauses.NextBackOff()
		if tries > mishap.MostTries/2 { // the others are spread over what is left
			pause = max(pause, left/time.Duration(max(mishap.MostTries+1-tries, 1)))
		}
		if stop := x.pause(ctx, min(pause, left)); stop != nil {
			return stop
		}
		if refusal := x.askGuards(ctx); refusal != nil {
			return refusal
		}
		began := time.Now()
		unmet = x.look(ctx)
		switch x.rec.write(); {
		case unmet == nil:
			x.say("the steady state was met at try %d, %s after the first", tries, since(start, began))
			return nil
		case !began.Before(deadline):
			return refusedState(unmet, fmt.Sprintf(" after %s in %s", mishap.Plural(tries, "try"), since(start, began)))
		}
	}
}

// say notes a sentence, and has it written.
func (x *execution) say(format string, args ...any) {
	x.rec.record(mishap.Entry{Note: &mishap.Note{Text: fmt.Sprintf(format, args...)}})
}

// since is how long after the start something was, to the tenth of a second.
func since(start, at time.Time) mishap.Duration {
	return mishap.Duration(at.Sub(start).Round(100 * time.Millisecond))
}

// refusedState refuses a run for what is not as it must be; nil for nothing.
func refusedState(unmet []string, tried string) *mishap.StateChange {
	if unmet == nil {
		return nil
	}
	return &mishap.StateChange{Cause: mishap.CauseSteadyState, Reason: "the steady state is not met" + tried + ", so nothing was injected: " + strings.Join(unmet, "; ")}
}

// look makes one observation of every probe, side by side, and says what is not
// as it must be.
func (x *execution) look(ctx context.Context) (unmet []string) {
	for _, o := range x.observeAll(ctx, mishap.Before) {
		x.rec.note(mishap.Entry{Observation: &o})
		if o.Result != mishap.Met {
			unmet = append(unmet, fmt.Sprintf("%q is %s: %s", o.Probe, o.Result, o.Detail))
		}
	}
	return unmet
}

// observeAll asks every probe of the phase once, side by side, in order.
func (x *execution) observeAll(ctx context.Context, phase mishap.Phase) []mishap.Observation {
	var wg sync.WaitGroup
	var out []*mishap.Observation
	for i, w := range x.rec.run.Watches {
		if !w.Spec.In(phase) {
			continue
		}
		o := new(mishap.Observation)
		out = append(out, o)
		wg.Go(func() { *o = observe(ctx, x.Probes[i], w.Spec, phase) })
	}
	wg.Wait()
	all := make([]mishap.Observation, len(out))
	for i, o := range out {
		all[i] = *o
	}
	return all
}

// observe makes one observation within the probe's timeout.
func observe(ctx context.Context, p mishap.Probe, spec mishap.ProbeSpec, phase mishap.Phase) mishap.Observation {
	start := time.Now()
	o, err := bounded.Call(ctx, spec.Timeout.Std(), "the probe", func(ctx context.Context) (mishap.Observation, error) {
		return p.Observe(ctx), nil
	})
	if err != nil {
		o = mishap.Observation{Result: mishap.Unmeasured, Detail: err.Error()}
	}
	o.Probe, o.Phase, o.Start, o.Took = spec.Name, phase, start, mishap.Duration(time.Since(start))
	return o
}

// resolve finds the targets of every fault once more, and compares them with
// the plan.
func (x *execution) resolve(ctx context.Context) *mishap.StateChange {
	run := x.rec.run
	injections := []mishap.Injection{}
	arms := x.armsRequest()
	for i, f := range x.all() {
		request := mishap.Request{Run: run.ID, Limit: run.Plan.Experiment.BlastRadius, Arms: arms, Sample: run.Plan.Experiment.SamplesTargets()}
		found, err := bounded.Call(ctx, prepareWithin, "the injector", func(ctx context.Context) ([]mishap.Injection, error) { return f.Prepare(ctx, request) })
		if err != nil {
			return &mishap.StateChange{Cause: mishap.CauseTarget, Reason: fmt.Sprintf("prepare %s: %s", f.Name, mishap.Advised(err))}
		}
		for j := range found {
			found[j].ID = InjectionID(run.ID, i, j)
			found[j].Run = run.ID
		}
		injections = append(injections, found...)
	}
	if drift := run.Plan.Drift(mishap.Plan{Injections: injections}); drift != nil {
		return &mishap.StateChange{Cause: mishap.CauseTarget, Reason: "the targets are not the ones planned: " + strings.Join(drift, "; ")}
	}
	x.found = injections
	return nil
}

// prepare makes the undo of what was found durable in the ledger, with the keeper and
// in the vault.
func (x *execution) prepare(ctx context.Context) *mishap.StateChange {
	for _, in := range x.found {
		if err := x.rec.prepare(ctx, in); errors.Is(err, mishap.ErrTaken) {
			return taken(in, err)
		} else if err != nil {
			return internal(err)
		}
		x.undo[in.ID] = in
		if err := x.own(ctx, in); errors.Is(err, mishap.ErrTaken) {
			return taken(in, err)
		} else if err != nil {
			return &mishap.StateChange{Cause: mishap.CauseTarget, Reason: fmt.Sprintf("prepare %s on %s: %s", in.Fault, in.Target.Label(), mishap.Advised(err))}
		}
		if !x.kept(in) {
			continue
		}
		if err := x.Keeper.Hold(ctx, in); errors.Is(err, mishap.ErrTaken) {
			return taken(in, err)
		} else if err != nil {
			return internal(fmt.Errorf("hand injection to its keeper: %w", err))
		}
	}
	return x.hand(ctx)
}

// InjectionID names an injection for good: of a fault of the run, in their order
// from 0, and a target of it. The arms, if there are any, come before the faults.
func InjectionID(run string, fault, target int) string {
	return fmt.Sprintf("%s.%d.%d", run, fault+1, target+1)
}

// armsRequest is what the faults of this run share with its arms: a token that
// nobody outside can know, so that nobody can claim to be in the experiment.
func (x *execution) armsRequest() *mishap.ArmsRequest {
	if x.Arms == nil {
		return nil
	}
	run := x.rec.run
	return &mishap.ArmsRequest{Run: run.ID, Token: rand.Text(), Share: run.Plan.Experiment.Compare.Arms.Share}
}

// taken refuses a run whose target another one changes.
func taken(in mishap.Injection, err error) *mishap.StateChange {
	return &mishap.StateChange{Cause: mishap.CauseTarget, Reason: fmt.Sprintf("prepare %s on %s: %s", in.Fault, in.Target.Label(), mishap.Advised(err))}
}

// kept reports whether the keeper process injects and holds the injection.
func (x *execution) kept(in mishap.Injection) bool {
	f := x.fault(in.Fault)
	return x.Keeper != nil && f != nil && f.Kind.Keeper == mishap.KeeperProcess
}

func (x *execution) fault(name string) *Fault {
	if x.Arms != nil && name == mishap.ArmsFault {
		return x.Arms
	}
	for i := range x.Faults {
		if x.Faults[i].Name == name {
			return &x.Faults[i]
		}
	}
	return nil
}

func internal(err error) *mishap.StateChange {
	return &mishap.StateChange{Cause: mishap.CauseInternal, Reason: "mishap failed: " + err.Error()}
}
