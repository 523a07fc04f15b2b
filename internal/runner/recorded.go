package runner

import (
	"context"
	"time"

	"mishap"
)

// Recorded reverts injections of which nothing but their records is known, and looks
// whether they are out, as [Runner.Resume] does for a run. Whether they were injected
// is not known. It writes no journal: what it answers is all there is.
func (r *Runner) Recorded(ctx context.Context, all []mishap.Injection) (*mishap.Run, error) {
	r.Journal = unwritten{}
	run := all[0].Run
	plan := mishap.Plan{Experiment: mishap.Experiment{Name: run, Recovery: mishap.Recovery{Within: mishap.Duration(time.Second), First: mishap.Duration(time.Millisecond), Factor: 1, Cap: mishap.Duration(time.Millisecond)}}}
	told := []mishap.Entry{{Planned: &plan}, {State: &mishap.StateChange{To: mishap.Checking}}}
	for _, in := range all {
		public := in
		public.Undo = nil
		told = append(told, mishap.Entry{Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionPrepared, Injection: &public}})
	}
	told = append(told, mishap.Entry{State: &mishap.StateChange{To: mishap.Injecting}})
	for _, in := range all {
		told = append(told, change(in.ID, mishap.InjectionInjecting, ""))
	}
	for i := range told {
		told[i].Run, told[i].Seq, told[i].At = run, int64(i)+1, time.Now()
	}
	return r.Resume(ctx, told, all, mishap.StateChange{Cause: mishap.CauseCrash, Reason: "only the record of it is left"})
}

// unwritten is a journal of a run that no ledger has.
type unwritten struct{}

// Append writes nothing.
func (unwritten) Append(context.Context, ...mishap.Entry) error { return nil }

// Prepare writes nothing.
func (unwritten) Prepare(context.Context, mishap.Entry, mishap.Injection) error { return nil }
