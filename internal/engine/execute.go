package engine

import (
	"context"

	"mishap"
	"mishap/internal/runner"
)

// Carry executes a run that has begun, or records why its plan was refused.
func (eng *Engine) Carry(ctx context.Context, b Begun, refused error, o RunOptions) (*mishap.Run, error) {
	defer b.done()
	if refused == nil {
		return eng.execute(ctx, b, o)
	}
	return eng.refuse(ctx, b, mishap.CauseTarget, mishap.Advised(refused), o)
}

// execute runs the plan with a keeper, a socket for stops, and an eye on halt.
func (eng *Engine) execute(ctx context.Context, b Begun, o RunOptions) (run *mishap.Run, err error) {
	plan := *b.First.Planned
	faults, err := eng.faults(plan)
	if err != nil {
		return eng.fail(ctx, b, err, o)
	}
	measured, err := eng.catalog.MakeProbes(plan.Experiment)
	if err != nil {
		return eng.fail(ctx, b, err, o)
	}
	r := &runner.Runner{
		Journal: toldJournal{journal{b.book, b.lease}, eng.around}, Faults: faults, Probes: measured, Seen: eng.member.Watch(o.Seen), Log: eng.log,
		Restore: eng.catalog.Restore, Yield: eng.aid.YieldIfLapsed(b.book, b.lease.Server), Confirm: eng.member.Confirming(b.book, b.lease, b.First.At),
		RevertWithin: eng.settings.RevertWithin.Std(), Renew: eng.settings.Lease.Std() / 3, Inject: eng.member.InjectWithin(), GiveUp: o.GiveUp, Ready: o.Ready,
	}
	held := keepIn(eng.catalog, r, b.First.Run)
	letGo, err := eng.comparer.compare(ctx, b.book, r, b.First.Run, plan)
	if err != nil {
		return eng.fail(ctx, b, err, o)
	}
	defer letGo()
	pid := 0
	if needsKeeper(faults) {
		k, err := eng.startKeeper(b.First.Run)
		if err != nil {
			return eng.fail(ctx, b, err, o)
		}
		defer func() { eng.endKeeper(ctx, k, run) }()
		if held != nil {
			k.Holding(held.Remains)
		}
		r.Keeper, pid = toldKeeper{k, eng.around}, k.PID()
	}
	if r.Guards, err = eng.catalog.Guards(b.First.Run, func() int { return pid }, plan.Experiment); err != nil {
		return eng.fail(ctx, b, err, o)
	}
	r.Guards = append(r.Guards, o.Guards...)
	stops, done, err := eng.member.Listen(ctx, b.lease, o.Stops)
	if err != nil {
		return eng.fail(ctx, b, err, o)
	}
	defer done()
	r.Stops = stops
	return r.Run(ctx, b.First)
}
