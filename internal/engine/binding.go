package engine

import (
	"context"
	"errors"
	"time"

	"mishap"
)

// binding puts the rules on a run that is begun by hand. With an override, what
// stands against it and may be overridden is recorded and left out.
func (eng *Engine) binding(ctx context.Context, plan mishap.Plan, o RunOptions) (RunOptions, error) {
	rules, err := eng.catalog.Rules()
	if err != nil {
		return o, err
	}
	limits := rules.Limits
	limits.Approval = mishap.ApprovalRule{} // who begins it is there
	if o.Override == nil {
		o.Guards = append(o.Guards, rules.Guards...)
		o.Admit = func(f mishap.Facts) error { return hinted(limits.Admit(plan, f)) }
		return o, nil
	}
	against, err := eng.standing(ctx, plan)
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
func (eng *Engine) standing(ctx context.Context, plan mishap.Plan) ([]mishap.Check, error) {
	rules, err := eng.catalog.Rules()
	if err != nil {
		return nil, err
	}
	limits := rules.Limits
	limits.Approval = mishap.ApprovalRule{}
	facts, err := eng.facts(ctx, plan.Experiment)
	if err != nil {
		return nil, err
	}
	all := []mishap.Check{{Safeguard: "governor", Answer: mishap.Yes}}
	if err := limits.Admit(plan, facts); err != nil {
		all[0].Answer, all[0].Reason = mishap.No, err.Error()
	}
	for _, g := range rules.Guards {
		all = append(all, checkOnce(ctx, g, plan))
	}
	return all, nil
}

// facts are what the governor decides on, as the ledger has it now. Without a
// ledger nothing goes on.
func (eng *Engine) facts(ctx context.Context, e mishap.Experiment) (mishap.Facts, error) {
	f := mishap.Facts{Now: time.Now()}
	if !eng.member.HasLedger(ctx) {
		return f, nil
	}
	book, err := eng.member.Ledger(ctx)
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
