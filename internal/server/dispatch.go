package server

import (
	"context"
	"errors"
	"time"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/member"
)

const (
	dispatchBatch = 500
	lookAgain     = time.Second           // longest sleep of the dispatcher: clocks jump, and others write to the ledger
	again         = 10 * time.Millisecond // after something was due: its next time may be due already
	waitFor       = time.Second           // how long the first of those that wait is left alone
	waitForEach   = 10 * time.Millisecond // and how much longer for each that is before it
	mostWait      = 10 * time.Second      // and any, also one that must be planned to see whether it may begin
	// claimFor is how long other servers leave a time alone that one of them
	// plans a run for. If that server is lost meanwhile, another has it then.
	claimFor = 30 * time.Second
)

// dispatcher says what becomes of what is due.
type dispatcher struct {
	*shared
	desired *desired
	events  *events
	launch  func(begins)           // starts a due run; the launcher, except in tests
	busy    func(name string) bool // whether an experiment is being started here

	clock time.Time // as it was last
}

// dispatch starts what is due, or records why it does not start.
func (p *dispatcher) dispatch(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		n, err := p.dispatchOnce(ctx, now)
		switch {
		case errors.Is(err, member.ErrStood):
			p.log.Warn("look at schedules", "error", err)
		case err != nil && ctx.Err() == nil:
			p.log.Error("look at schedules", "error", err)
		}
		if n == dispatchBatch && err == nil {
			continue
		}
		sleep := p.untilDue(ctx, now)
		if n > 0 {
			sleep = again
		}
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-time.After(sleep):
		}
	}
}

// untilDue is how long nothing becomes due. What was due at the last look and
// is not this server's, or waits, is looked at again after a while.
func (p *dispatcher) untilDue(ctx context.Context, last time.Time) time.Duration {
	next, err := p.book.NextDue(ctx, last)
	if err != nil || next.IsZero() {
		return lookAgain
	}
	return min(max(time.Until(next), 0), lookAgain)
}

// dispatchOnce deals with schedules that are due, at most [dispatchBatch] of
// them, and answers how many there were.
func (p *dispatcher) dispatchOnce(ctx context.Context, now time.Time) (int, error) {
	if p.member.Fenced() {
		return 0, nil
	}
	if err := p.rewind(ctx, now.Round(0)); err != nil {
		return 0, err
	}
	current, err := p.desired.current(ctx)
	if err != nil {
		return 0, err
	}
	due, err := p.book.Due(ctx, now, dispatchBatch, func(d ledger.Schedule) bool {
		_, mine := p.mine(d)
		return mine && current[d.Source]
	})
	if err != nil || len(due) == 0 {
		return 0, err
	}
	view, err := p.view(ctx, now)
	if err != nil {
		return 0, err
	}
	var refusals []ledger.Refusal
	var turns []ledger.Turn
	for _, d := range due {
		h, ok := p.mine(d)
		if !ok {
			continue // it has changed since
		}
		r := p.decide(ctx, h, d, view, now)
		switch {
		case r.refusal != nil:
			refusals = append(refusals, *r.refusal)
		case r.turn != nil:
			turns = append(turns, *r.turn)
			p.events.waits(*r.turn)
		case r.start && p.member.Stood(now):
			return len(due), member.ErrStood
		case r.start:
			mine, claimErr := p.book.Claim(ctx, d, r.place(now.Add(claimFor)))
			err = errors.Join(err, claimErr)
			view.admit(h) // somebody begins it
			if mine && claimErr == nil {
				p.launch(r.begins)
			}
		}
	}
	if p.member.Stood(now) {
		return len(due), member.ErrStood
	}
	err = errors.Join(err, p.book.Postpone(ctx, turns), p.book.Refuse(ctx, p.member.Server(), refusals))
	for _, r := range refusals {
		p.events.refused(r)
	}
	return len(due), err
}

// rewind notices that this machine's clock went back, or was ahead when another
// server wrote, and gives the schedules that were moved on too far their next
// time by the clock as it is now. A time that was run already is not run again:
// the ledger knows it.
func (p *dispatcher) rewind(ctx context.Context, now time.Time) error {
	before := p.clock
	p.clock = now
	if !before.IsZero() && now.After(before.Add(-mishap.MissedAfter)) {
		return nil
	}
	all, err := p.book.Schedules(ctx)
	if err != nil {
		p.clock = before
		return err
	}
	var back []ledger.Schedule
	for _, one := range all {
		h, ok := p.desired.experiment(one.Experiment)
		if !ok || h.table == nil || !one.Advanced.After(now.Add(mishap.MissedAfter)) {
			continue
		}
		if next, ok := h.table.Next(now); ok {
			one.Tick, one.Advanced = next, now
			back = append(back, one)
		}
	}
	if len(back) > 0 {
		p.log.Warn("the clock went back; schedules are set by it again", "schedules", len(back))
	}
	return p.book.Reset(ctx, back)
}

// mine is the experiment of a schedule, if this server may deal with it now: it
// has the experiment and the labels for it, and is not at it already.
func (p *dispatcher) mine(d ledger.Schedule) (held, bool) {
	h, ok := p.desired.experiment(d.Experiment)
	ok = ok && h.table != nil && h.source == d.Source && !p.busy(d.Experiment) && h.Lacks(p.settings.Live().Labels) == nil
	return h, ok
}
