package desk

import (
	"fmt"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/report"
)

// Going is a run that is not over, as it stands. It holds nothing that the run goes on
// to change.
func (d *Desk) Going(r *mishap.Run) api.Going {
	kinds := d.catalog.Kinds()
	s, e := report.Summarize(r), r.Plan.Experiment
	g := api.Going{
		RunView: api.RunView{Run: r.ID, Experiment: e.Name, Group: e.Group, State: r.State, Cause: r.Cause, Reason: r.Reason, Trigger: r.Trigger.Kind, By: r.Trigger.By, Began: r.PlannedAt.UTC()},
		Claim:   e.Claim, Owner: e.Owner, Next: report.Next(r), Faults: []api.GoingFault{}, Probes: s.Probes,
	}
	g.Verdict, _ = mishap.Judge(r)
	g.Since, g.Until = stands(r)
	for _, in := range r.Injections {
		g.Faults = append(g.Faults, goingFault(in, kinds[in.Injector]))
	}
	if a := report.Compared(r); a != nil {
		g.Compared = a.Intervals
		for _, arm := range []report.Arm{a.Control, a.Experiment} {
			g.Arms = append(g.Arms, api.GoingArm{Name: arm.Name, Requests: arm.Requests, Succeeded: arm.Succeeded(), Rate: arm.Now})
		}
	}
	return g
}

// stands is since when a run is where it stands, and until when.
func stands(r *mishap.Run) (since time.Time, until *time.Time) {
	var most time.Duration
	since = r.PlannedAt
	switch e := r.Plan.Experiment; r.State {
	case mishap.Baseline:
		if in := report.ArmsInjection(r); in != nil && !in.InjectedAt.IsZero() {
			since = in.InjectedAt
		}
		if e.Compare != nil {
			most = e.Compare.Baseline.AtLeast()
		}
	case mishap.Injecting, mishap.Holding:
		since, most = r.InjectedAt, r.Plan.Longest()
	case mishap.Reverting, mishap.Stranded:
		since = r.RevertingAt
	case mishap.Verifying:
		since, most = r.RevertedAt, e.Recovery.Within.Std()
	}
	if most > 0 {
		at := since.Add(most).UTC()
		until = &at
	}
	return since.UTC(), until
}

func goingFault(in *mishap.RunInjection, kind mishap.InjectorKind) api.GoingFault {
	f := api.GoingFault{Fault: in.Fault, Injector: in.Injector, Target: in.Target, State: in.State, Detail: in.Detail, Ends: ends(in, kind), Affected: report.AffectedNow(in)}
	if !in.InjectedAt.IsZero() {
		since := in.InjectedAt.UTC()
		f.Since = &since
	}
	if in.State == mishap.InjectionInjected && in.For > 0 {
		until := in.InjectedAt.Add(in.For.Std()).UTC()
		f.Until = &until
	}
	return f
}

// ends says what ends a fault whose server is lost.
func ends(in *mishap.RunInjection, kind mishap.InjectorKind) string {
	switch {
	case in.State.Settled():
		return ""
	case kind.Class == mishap.Irreversible:
		return "nothing: it has no undo"
	case kind.Class == mishap.SelfRecovering:
		return "it recovers by itself"
	case kind.Keeper == mishap.KeeperProxy:
		return "the proxy: it expires there when nobody renews it"
	case kind.Keeper == mishap.KeeperProcess:
		return "its keeper, a process beside the server"
	case kind.Class == mishap.Expiring:
		return "what it is in, at a time that was fixed when it was injected"
	}
	return fmt.Sprintf("the next server, or `mishap revert %s`", in.Run)
}
