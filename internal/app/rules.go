package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/runner"
)

// rules are what the settings say of all runs, however they begin: limits,
// freezes, and the window and the calendar of the house.
type rules struct {
	limits  mishap.Limits
	freezes *freezes
	timed   []mishap.Safeguard // those that can be asked about any time
	guards  []runner.Guard     // all that a run asks as long as it goes on
}

// house makes the rules once: a calendar remembers its feed.
type house struct {
	once  sync.Once
	rules *rules
	err   error
}

// houseRules are the rules of the settings.
func (a *App) houseRules() (*rules, error) {
	a.house.once.Do(func() { a.house.rules, a.house.err = a.newRules() })
	return a.house.rules, a.house.err
}

func (a *App) newRules() (*rules, error) {
	g := a.Settings.Server.Governor
	r := &rules{limits: mishap.Limits{Runs: g.Runs, Targets: g.Targets, Share: g.Share, Approval: mishap.ApprovalRule(g.Approval)}}
	var problems []error
	var err error
	if r.freezes, err = a.newFreezes(g.Freezes); err != nil {
		return nil, err
	}
	for _, k := range a.Checked().Safeguards {
		with := map[string]json.RawMessage{"window": g.Window, "calendar": g.Calendar}[k.Name]
		if with == nil {
			continue
		}
		guard, err := k.New(a.BesideSettings(with))
		if err = mishap.WithoutWarnings(err); err != nil {
			problems = append(problems, fmt.Errorf("%s: governor: %s: %w", a.Settings.From("governor"), k.Name, err))
			continue
		}
		r.timed = append(r.timed, houseGuard{guard})
		r.guards = append(r.guards, runner.Guard{Name: k.Name + " of the settings", Safeguard: houseGuard{guard}})
	}
	if problems != nil {
		return nil, mishap.Invalid(errors.Join(problems...))
	}
	for _, f := range r.freezes.guards {
		r.guards = append(r.guards, runner.Guard{Name: f.Name, Safeguard: houseGuard{f.Safeguard}})
	}
	return r, nil
}

// houseGuard is a safeguard that the settings set for all runs.
type houseGuard struct{ mishap.Safeguard }

// Check says whose no it is, and who may do what about it.
func (h houseGuard) Check(ctx context.Context, s mishap.Situation) error {
	err := h.Safeguard.Check(ctx, s)
	var veto *mishap.Veto
	if errors.As(err, &veto) {
		return &mishap.Veto{Safeguard: veto.Safeguard, Reason: veto.Reason + "; the settings say so for all runs", Hint: "run it later; by hand, `--override WHY` runs it all the same, and is recorded"}
	}
	return err
}

// binding puts the rules on a run that is begun by hand. With an override, what
// stands against it and may be overridden is recorded and left out.
func (a *App) binding(ctx context.Context, plan mishap.Plan, o RunOptions) (RunOptions, error) {
	rules, err := a.houseRules()
	if err != nil {
		return o, err
	}
	limits := rules.limits
	limits.Approval = mishap.ApprovalRule{} // who begins it is there
	if o.Override == nil {
		o.Guards = append(o.Guards, rules.guards...)
		o.Admit = func(f mishap.Facts) error { return hinted(limits.Admit(plan, f)) }
		return o, nil
	}
	against, err := a.standing(ctx, plan)
	if err != nil {
		return o, err
	}
	override := *o.Override
	for _, c := range against {
		if c.Answer != mishap.Yes {
			override.Of = append(override.Of, c.Safeguard+": "+c.Reason)
		}
	}
	o.Trigger = &mishap.Trigger{Kind: mishap.TriggerHand, By: override.By, Override: &override}
	o.Admit = func(f mishap.Facts) error { return limits.AdmitOverridden(plan, f) }
	return o, nil
}

// hinted says what a person may do about the governor's no.
func hinted(err error) error {
	var no *mishap.Denial
	if !errors.As(err, &no) || !no.Overridable() {
		return err
	}
	said := *no
	said.Reason += "; `--override WHY` runs it all the same, and is recorded"
	return &said
}

// standing is what the rules say of a plan now, each as a check.
func (a *App) standing(ctx context.Context, plan mishap.Plan) ([]mishap.Check, error) {
	rules, err := a.houseRules()
	if err != nil {
		return nil, err
	}
	limits := rules.limits
	limits.Approval = mishap.ApprovalRule{}
	facts, err := a.facts(ctx, plan.Experiment)
	if err != nil {
		return nil, err
	}
	all := []mishap.Check{{Safeguard: "governor", Answer: mishap.Yes}}
	if err := limits.Admit(plan, facts); err != nil {
		all[0].Answer, all[0].Reason = mishap.No, err.Error()
	}
	for _, g := range rules.guards {
		all = append(all, checkOnce(ctx, g, plan))
	}
	return all, nil
}

// facts are what the governor decides on, as the ledger has it now. Without a
// ledger nothing goes on.
func (a *App) facts(ctx context.Context, e mishap.Experiment) (mishap.Facts, error) {
	f := mishap.Facts{Now: time.Now()}
	if !a.HasLedger(ctx) {
		return f, nil
	}
	book, err := a.Ledger(ctx)
	if err != nil {
		return f, err
	}
	if f.Runs, err = book.Ongoing(ctx); err != nil {
		return f, err
	}
	if f.Queue, err = book.Queue(ctx, f.Now); err != nil {
		return f, err
	}
	locks, err := book.Locks(ctx)
	for _, l := range locks {
		if l.Experiment == e.Name {
			f.Lock = &l
		}
	}
	return f, err
}
