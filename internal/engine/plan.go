package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"mishap"
	"mishap/internal/keeper"
	"mishap/internal/outside"
	"mishap/internal/report"
	"mishap/internal/runner"
)

// Plan resolves an experiment against the live system, and touches nothing.
func (eng *Engine) Plan(ctx context.Context, e mishap.Experiment) (mishap.Plan, error) {
	return eng.PlanRun(ctx, e, false)
}

// PlanRun is Plan; without the faults if they are to be left out.
func (eng *Engine) PlanRun(ctx context.Context, e mishap.Experiment, noFault bool) (mishap.Plan, error) {
	host, err := os.Hostname()
	if err != nil {
		return mishap.Plan{}, fmt.Errorf("plan %s: %w", e.Name, err)
	}
	plan := mishap.Plan{Experiment: e, Created: time.Now().UTC().Round(time.Second), Host: host, NoFault: noFault}
	faults, err := eng.faults(plan)
	if err != nil {
		return plan, err
	}
	request := mishap.Request{Run: "plan", Limit: e.BlastRadius, Sample: e.SamplesTargets()}
	if arms := eng.comparer.arms(e); arms != nil {
		faults = append([]runner.Fault{*arms}, faults...)
		request.Arms = &mishap.ArmsRequest{Run: request.Run, Share: e.Compare.Arms.Share}
	}
	var problems []error
	for _, f := range faults {
		found, err := f.Prepare(ctx, request)
		if err != nil {
			problems = append(problems, wrapHinted(fmt.Sprintf("fault %q", f.Name), err))
			continue
		}
		plan.Injections = append(plan.Injections, found...)
	}
	if noFault && request.Sample {
		if plan.Sampled, err = eng.sample(ctx, e, request); err != nil {
			problems = append(problems, err)
		}
	}
	sealed, err := plan.Seal()
	if err != nil {
		return sealed, err
	}
	if few := fewTargets(plan); few != nil && problems == nil {
		problems = append(problems, few)
	}
	if problems != nil {
		return sealed, mishap.Refusal(errors.Join(problems...))
	}
	return sealed, nil
}

// sample finds the targets of both arms for a run that injects nothing.
func (eng *Engine) sample(ctx context.Context, e mishap.Experiment, request mishap.Request) ([]mishap.Injection, error) {
	faults, err := eng.faults(mishap.Plan{Experiment: e})
	if err != nil {
		return nil, err
	}
	var all []mishap.Injection
	for _, f := range faults {
		found, err := f.Prepare(ctx, request)
		if err != nil {
			return nil, wrapHinted(fmt.Sprintf("fault %q", f.Name), err)
		}
		for _, in := range found {
			all = append(all, mishap.Injection{Fault: f.Name, Injector: f.Fault.Injector, Target: in.Target, Control: in.Control})
		}
	}
	return all, nil
}

// wrapHinted says what was done, and keeps the hint.
func wrapHinted(what string, err error) error {
	var hinted *mishap.Hinted
	if errors.As(err, &hinted) {
		return mishap.WithHint(fmt.Errorf("%s: %w", what, err), hinted.Hint)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// faults makes the injectors of a plan.
func (eng *Engine) faults(p mishap.Plan) ([]runner.Fault, error) {
	if p.NoFault {
		return nil, nil
	}
	kinds := eng.catalog.Kinds()
	var all []runner.Fault
	for _, f := range p.Experiment.Faults {
		kind, ok := kinds[f.Injector]
		if !ok {
			return nil, fmt.Errorf("fault %q: there is no injector %q", f.Name, f.Injector)
		}
		injector, err := kind.New(f)
		if err != nil {
			return nil, fmt.Errorf("fault %q: %w", f.Name, err)
		}
		all = append(all, runner.Fault{Fault: f, Injector: injector, Kind: kind})
	}
	return all, nil
}

// PlanText writes a plan for a person, with what the safeguards say of it now. It
// refuses what a run would be refused for now.
func (eng *Engine) PlanText(ctx context.Context, w io.Writer, plan mishap.Plan) error {
	sheet, refused, err := eng.Describe(ctx, plan)
	if err != nil {
		return err
	}
	return errors.Join(sheet.Text(w), refused)
}

// Describe is what a person is to know of a plan, with what the safeguards say of it
// now, and what a run would be refused for now; nil if nothing stands against it.
func (eng *Engine) Describe(ctx context.Context, plan mishap.Plan) (sheet report.Sheet, refused, _ error) {
	checks, err := eng.checks(ctx, plan)
	if err != nil {
		return sheet, nil, err
	}
	refused = errors.Join(eng.absent(ctx, plan), against(plan, checks))
	plan.Notes = slices.Concat(plan.Notes, lockNotes(plan, eng.catalog.Kinds()), eng.catalog.VaultNotes(plan.Injections), eng.catalog.LeftBehind(ctx, append([]mishap.Injection{}, plan.Injections...))) // as it is now; a pinned plan does not depend on it
	lines, short := eng.comparer.foretell(ctx, plan.Experiment)
	if short != "" {
		refused = errors.Join(refused, mishap.Refusal(mishap.WithHint(errors.New(short), "raise share or the margin, or write baseline: auto up to 1h")))
	}
	return report.PlanSheet(plan, eng.catalog.Kinds(), checks, lines), refused, nil
}

// Refuse refuses a plan whose run would be refused now: something is absent, or a
// safeguard or a rule of the settings does not let it begin.
func (eng *Engine) Refuse(ctx context.Context, plan mishap.Plan) error {
	checks, err := eng.checks(ctx, plan)
	return errors.Join(err, eng.absent(ctx, plan), against(plan, checks))
}

// checks are what the rules of the settings and the safeguards say of a plan now.
func (eng *Engine) checks(ctx context.Context, plan mishap.Plan) ([]mishap.Check, error) {
	all, err := eng.catalog.Guards("", nil, plan.Experiment)
	if err != nil {
		return nil, err
	}
	checks, err := eng.standing(ctx, plan)
	for _, g := range all {
		checks = append(checks, checkOnce(ctx, g, plan))
	}
	return checks, err
}

// against refuses a plan that checks do not let begin, and says all of them.
func against(plan mishap.Plan, checks []mishap.Check) error {
	var all []error
	for _, c := range checks {
		switch c.Answer {
		case mishap.No:
			all = append(all, fmt.Errorf("%s refused: %s", c.Safeguard, c.Reason))
		case mishap.Unknown:
			all = append(all, fmt.Errorf("%s could not be checked: %s", c.Safeguard, c.Reason))
		case mishap.Yes:
		}
	}
	if all == nil {
		return nil
	}
	return mishap.Refusal(fmt.Errorf("a run of %s would not begin now: %w", plan.Experiment.Name, errors.Join(all...)))
}

// absent refuses a plan whose run would not find what it needs on this machine, or
// where its numbers come from.
func (eng *Engine) absent(ctx context.Context, plan mishap.Plan) error {
	all := eng.catalog.NotHere(plan.Experiment)
	if plan.Experiment.Compare != nil {
		_, _, gone := eng.comparer.lateness(ctx, *plan.Experiment.Compare)
		all = append(all, gone...)
	}
	if all == nil {
		return nil
	}
	return mishap.Refusal(fmt.Errorf("what a run of %s needs is not there: %w", plan.Experiment.Name, errors.Join(all...)))
}

// lockNotes say how far the lock reaches of what a plan changes on this machine, where
// that is not all of it. A proxy knows by itself whose it is.
func lockNotes(plan mishap.Plan, kinds map[string]mishap.InjectorKind) []string {
	for _, in := range plan.Injections {
		if scope := keeper.LockScope(); scope != "" && in.Target.Where.Local() && kinds[in.Injector].Keeper == mishap.KeeperProcess {
			return []string{scope}
		}
	}
	return nil
}

// checkOnce asks a safeguard about a plan.
func checkOnce(ctx context.Context, g runner.Guard, plan mishap.Plan) mishap.Check {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := g.Check(ctx, mishap.Situation{Plan: plan, State: mishap.Planned, Now: time.Now()})
	c := mishap.Check{Safeguard: g.Name, Answer: mishap.Yes}
	var veto *mishap.Veto
	switch {
	case errors.As(err, &veto):
		c.Answer, c.Reason = mishap.No, veto.Reason
	case err != nil:
		c.Answer, c.Reason = mishap.Unknown, err.Error()
	}
	return c
}

// mostOfPlan is how many bytes a plan in a file may have.
const mostOfPlan = 64 << 20

// ReadPlan reads a plan that was pinned to a file, and refuses one that was
// changed or is too old.
func ReadPlan(path string) (mishap.Plan, error) {
	var plan mishap.Plan
	file, err := outside.Read(context.Background(), path, mostOfPlan)
	if err != nil {
		return plan, mishap.Invalid(fmt.Errorf("read plan: %w", err))
	}
	if err := json.Unmarshal(file.Text, &plan); err != nil || plan.Digest == "" {
		return plan, mishap.Invalid(mishap.WithHint(fmt.Errorf("read plan: %s is not a plan", path), "make one with `mishap plan FILE -o plan.json`"))
	}
	if err := plan.Check(time.Now()); err != nil {
		return plan, mishap.Refusal(wrapHinted("read plan "+path, err))
	}
	return plan, nil
}
