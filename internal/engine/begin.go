package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/member"
)

// Begun is a run that the ledger has, and this process owns.
type Begun struct {
	First mishap.Entry
	book  ledger.Ledger
	lease ledger.Lease
	done  func() // nobody is on it any more
}

// Begin records the run. The first entry is answered also if it may not begin.
func (eng *Engine) Begin(ctx context.Context, plan mishap.Plan, o RunOptions) (Begun, error) {
	id := o.ID
	if id == "" {
		id = NewRunID()
	}
	b := Begun{First: Planned(id, o.Trigger, plan)}
	if err := eng.aid.Blocked(keysOf(plan)); err != nil {
		return b, err
	}
	b.done = eng.member.Attend(id)
	var err error
	if b.book, err = eng.member.Ledger(ctx); err != nil {
		return b, err
	}
	server, err := eng.member.Join(ctx, "run")
	if err != nil {
		return b, err
	}
	if eng.member.Fenced() {
		return b, member.ErrLeaseLost
	}
	if o.Trigger != nil {
		trigger := *o.Trigger
		trigger.Incarnation = b.book.Incarnation(server)
		b.First.Trigger = &trigger
	}
	start := ledger.Start{Server: server, First: b.First, Admit: o.Admit, Advance: o.Advance, InForce: o.InForce}
	if o.Override != nil {
		start.Act = &ledger.Act{At: b.First.At, By: o.Override.By, What: fmt.Sprintf("override for run %s of %s: %s", id, plan.Experiment.Name, o.Override.Reason)}
	}
	b.lease, err = b.book.Begin(ctx, start)
	if err != nil {
		b.done() // if it was written all the same, it is found unattended
	}
	return b, err
}

// NotBegun says why a run may not begin, if that is what the error is about.
func NotBegun(err error) (cause mishap.Cause, reason string, ok bool) {
	var busy *ledger.BusyError
	var denial *mishap.Denial
	switch {
	case errors.Is(err, mishap.ErrStillIn):
		return mishap.CauseSafeguard, mishap.Advised(err), true
	case errors.As(err, &busy):
		return mishap.CauseBusy, "safeguard exclusive refused: " + busy.Error(), true
	case errors.Is(err, ledger.ErrHalted):
		return mishap.CauseHalt, err.Error() + " (`mishap resume` ends it)", true
	case errors.As(err, &denial):
		return denial.Cause, denial.Reason, true
	}
	return "", "", false
}

// NewRunID is short enough to type, and random.
func NewRunID() string { return strings.ToLower(rand.Text()[:8]) }

// keysOf are what the injections of a plan change.
func keysOf(plan mishap.Plan) (keys []mishap.Key) {
	for _, in := range plan.Injections {
		keys = append(keys, in.Keys...)
	}
	return keys
}
