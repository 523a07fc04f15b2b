package app

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

// dispatch starts what is due, or records why it does not start.
func (s *serving) dispatch(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		n, err := s.dispatchOnce(ctx, now)
		switch {
		case errors.Is(err, member.ErrStood):
			s.log.Warn("look at schedules", "error", err)
		case err != nil && ctx.Err() == nil:
			s.log.Error("look at schedules", "error", err)
		}
		if n == dispatchBatch && err == nil {
			continue
		}
		sleep := s.untilDue(ctx, now)
		if n > 0 {
			sleep = again
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-time.After(sleep):
		}
	}
}

// untilDue is how long nothing becomes due. What was due at the last look and
// is not this server's, or waits, is looked at again after a while.
func (s *serving) untilDue(ctx context.Context, last time.Time) time.Duration {
	next, err := s.book.NextDue(ctx, last)
	if err != nil || next.IsZero() {
		return lookAgain
	}
	return min(max(time.Until(next), 0), lookAgain)
}

// dispatchOnce deals with schedules that are due, at most [dispatchBatch] of
// them, and answers how many there were.
func (s *serving) dispatchOnce(ctx context.Context, now time.Time) (int, error) {
	if s.Fenced() {
		return 0, nil
	}
	if err := s.rewind(ctx, now.Round(0)); err != nil {
		return 0, err
	}
	current, err := s.currentSources(ctx)
	if err != nil {
		return 0, err
	}
	due, err := s.book.Due(ctx, now, dispatchBatch, func(d ledger.Schedule) bool {
		_, mine := s.mine(d)
		return mine && current[d.Source]
	})
	if err != nil || len(due) == 0 {
		return 0, err
	}
	view, err := s.view(ctx, now)
	if err != nil {
		return 0, err
	}
	var refusals []ledger.Refusal
	var turns []ledger.Turn
	for _, d := range due {
		h, ok := s.mine(d)
		if !ok {
			continue // it has changed since
		}
		r := s.decide(ctx, h, d, view, now)
		switch {
		case r.refusal != nil:
			refusals = append(refusals, *r.refusal)
		case r.turn != nil:
			turns = append(turns, *r.turn)
			s.tellWaiting(*r.turn)
		case r.start && s.Stood(now):
			return len(due), member.ErrStood
		case r.start:
			mine, claimErr := s.book.Claim(ctx, d, r.place(now.Add(claimFor)))
			err = errors.Join(err, claimErr)
			view.admit(h) // somebody begins it
			if mine && claimErr == nil {
				s.launch(r.begins)
			}
		}
	}
	if s.Stood(now) {
		return len(due), member.ErrStood
	}
	err = errors.Join(err, s.book.Postpone(ctx, turns), s.book.Refuse(ctx, s.Server(), refusals))
	for _, r := range refusals {
		s.publishRefusal(r)
	}
	return len(due), err
}

// rewind notices that this machine's clock went back, or was ahead when another
// server wrote, and gives the schedules that were moved on too far their next
// time by the clock as it is now. A time that was run already is not run again:
// the ledger knows it.
func (s *serving) rewind(ctx context.Context, now time.Time) error {
	before := s.clock
	s.clock = now
	if !before.IsZero() && now.After(before.Add(-mishap.MissedAfter)) {
		return nil
	}
	all, err := s.book.Schedules(ctx)
	if err != nil {
		s.clock = before
		return err
	}
	var back []ledger.Schedule
	for _, one := range all {
		h, ok := s.experiment(one.Experiment)
		if !ok || h.table == nil || !one.Advanced.After(now.Add(mishap.MissedAfter)) {
			continue
		}
		if next, ok := h.table.Next(now); ok {
			one.Tick, one.Advanced = next, now
			back = append(back, one)
		}
	}
	if len(back) > 0 {
		s.log.Warn("the clock went back; schedules are set by it again", "schedules", len(back))
	}
	return s.book.Reset(ctx, back)
}

// mine is the experiment of a schedule, if this server may deal with it now: it
// has the experiment and the labels for it, and is not at it already.
func (s *serving) mine(d ledger.Schedule) (held, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.known[d.Experiment]
	ok = ok && h.table != nil && h.source == d.Source && !s.starting[d.Experiment] && h.Lacks(s.Settings.Labels) == nil
	return h, ok
}
