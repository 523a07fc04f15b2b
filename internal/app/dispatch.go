package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap"
	"mishap/internal/ledger"
)

const (
	dispatchBatch = 100
	lookAgain     = time.Second           // longest sleep of the dispatcher: clocks jump, and others write to the ledger
	again         = 10 * time.Millisecond // after something was due: its next time may be due already
	waitFor       = time.Second           // how long a run that waits is left alone
	// claimFor is how long other servers leave a time alone that one of them
	// plans a run for. If that server is lost meanwhile, another has it then.
	claimFor = 30 * time.Second
)

// dispatch starts what is due, or records why it does not start.
func (s *serving) dispatch(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		n, err := s.dispatchOnce(ctx, now)
		if err != nil && ctx.Err() == nil {
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
	if s.fenced.Load() {
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
	view, err := s.view(ctx)
	if err != nil {
		return 0, err
	}
	var refusals []ledger.Refusal
	for _, d := range due {
		h, ok := s.mine(d)
		if !ok {
			continue // it has changed since
		}
		r := s.decide(ctx, h, d, view, now)
		switch {
		case r.refusal != nil:
			refusals = append(refusals, *r.refusal)
			s.metrics.notStarted(r.refusal.Why.State.Cause)
		case r.wait:
			err = errors.Join(err, s.book.Postpone(ctx, h.Name, d.Tick.At, now.Add(waitFor)))
		case r.start:
			mine, claimErr := s.book.Claim(ctx, d, now.Add(claimFor))
			err = errors.Join(err, claimErr)
			if mine && claimErr == nil {
				view.admit(h)
				s.launch(h, r.tick, r.advance)
			}
		}
	}
	err = errors.Join(err, s.book.Refuse(ctx, s.me(), refusals))
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

// view is what goes on, as of one moment. Decisions to start are made again in
// the transaction that begins the run; those not to start need no more.
type view struct {
	halt   string
	frozen string
	facts  mishap.Facts
	locks  map[string]mishap.Lock
}

func (s *serving) view(ctx context.Context) (*view, error) {
	v := &view{locks: map[string]mishap.Lock{}}
	halt, err := s.book.Halted(ctx)
	if err != nil {
		return nil, err
	}
	if halt != nil {
		v.halt = halt.String()
	}
	if v.facts.Runs, err = s.book.Ongoing(ctx); err != nil {
		return nil, err
	}
	locks, err := s.book.Locks(ctx)
	for _, l := range locks {
		v.locks[l.Experiment] = l
	}
	v.frozen = s.freezes.reason(ctx)
	return v, err
}

// admit counts a run that was just started.
func (v *view) admit(h held) {
	v.facts.Runs = append(v.facts.Runs, mishap.Ongoing{Experiment: h.Name, Group: h.Group, State: mishap.Planned})
}

// decision is what becomes of a schedule that is due.
type decision struct {
	refusal *ledger.Refusal
	wait    bool
	start   bool
	tick    mishap.Tick
	advance *ledger.Advance
}

func (s *serving) decide(ctx context.Context, h held, d ledger.Schedule, v *view, now time.Time) decision {
	tick := d.Tick
	if first, ok := h.table.Next(d.Tick.At.Add(-1)); ok && first.At.Equal(d.Tick.At) {
		tick = first // it may wait, and then is due later than it was
	}
	next, more := h.table.Next(tick.At)
	advance := &ledger.Advance{Experiment: h.Name, From: tick.At, Now: now}
	if more {
		advance.Next = &next
	}
	if why, to := missed(h, now.Sub(d.Tick.Due), tick, next, more, now); why != "" {
		if to != nil {
			advance.Next = to
		}
		return s.refused(h, tick, advance, mishap.CauseMissed, why)
	}
	cause, why, passing := s.against(ctx, h, v, now)
	switch {
	case why == "":
		return decision{start: true, tick: tick, advance: advance}
	case passing && waits(h, tick, next, more, now):
		return decision{wait: true}
	}
	return s.refused(h, tick, advance, cause, why)
}

// waits reports whether a run waits for what is in its way: until the next one
// is due, or, where all are made up for, until too many are behind it.
func waits(h held, tick, next mishap.Tick, more bool, now time.Time) bool {
	if h.Schedule.Missed == mishap.MissedAll {
		return len(h.table.Between(tick.At, now, mishap.MostMissed+1)) <= mishap.MostMissed
	}
	return h.Schedule.Overlap == mishap.OverlapWait && (!more || now.Before(next.Due))
}

// against is what stands against starting an experiment now; empty if nothing
// does, as far as one can know before planning.
func (s *serving) against(ctx context.Context, h held, v *view, now time.Time) (cause mishap.Cause, reason string, passing bool) {
	if v.halt != "" {
		return mishap.CauseHalt, v.halt, false
	}
	if h.policy != "" {
		return mishap.CausePolicy, h.policy, false
	}
	if known := h.Known(now); known != nil {
		return mishap.CauseImpact, "known impact: " + known.What, false
	}
	if v.frozen != "" {
		return mishap.CauseSafeguard, v.frozen, false
	}
	facts := v.facts
	if lock, ok := v.locks[h.Name]; ok {
		facts.Lock = &lock
	}
	var denial *mishap.Denial
	if err := s.limits.Admit(mishap.Plan{Experiment: h.Experiment}, facts); errors.As(err, &denial) {
		return denial.Cause, denial.Reason, denial.Passing
	}
	for _, r := range v.facts.Runs {
		if r.Experiment == h.Name || r.Group == h.Group {
			return mishap.CauseBusy, fmt.Sprintf("run %s of %s (group %s) is %s", orNew(r.ID), r.Experiment, r.Group, r.State), true
		}
	}
	timed, err := s.timed(h.Experiment)
	if err == nil {
		err = askTimed(ctx, timed, h.Experiment, now)
	}
	if err != nil {
		return mishap.CauseSafeguard, reasonOf(err), false
	}
	return "", "", false
}

func orNew(id string) string {
	if id == "" {
		return "that begins"
	}
	return id
}

// missed says why a tick that is late is not run, if the schedule wants that;
// and where to go on if there are too many of them to record each. Late counts
// from when it was to be looked at: one that waits is not late.
func missed(h held, late time.Duration, tick, next mishap.Tick, more bool, now time.Time) (string, *mishap.Tick) {
	if late <= mishap.MissedAfter {
		return "", nil
	}
	last := !more || now.Sub(next.Due) <= mishap.MissedAfter
	if h.Schedule.Missed == mishap.MissedLast && last {
		return "", nil
	}
	behind := h.table.Between(tick.At, now, 100_000)
	skip := len(behind) - mishap.MostMissed
	why := fmt.Sprintf("nobody served when it was due, %s ago", mishap.Duration(late.Round(time.Second)))
	switch {
	case skip > 0:
		return fmt.Sprintf("%s; so were %d more", why, skip), &behind[skip]
	case h.Schedule.Missed == mishap.MissedAll:
		return "", nil
	}
	return why, nil
}

// refused is the record of a run that does not start.
func (s *serving) refused(h held, tick mishap.Tick, advance *ledger.Advance, cause mishap.Cause, why string) decision {
	now := time.Now()
	run := newRunID()
	plan := &mishap.Plan{Experiment: h.Experiment, Created: now.UTC().Round(time.Second)}
	return decision{refusal: &ledger.Refusal{
		First:   mishap.Entry{Run: run, Seq: 1, At: now, Trigger: s.trigger(h, tick), Planned: plan},
		Why:     mishap.Entry{Run: run, Seq: 2, At: now, State: &mishap.StateChange{To: mishap.Refused, Cause: cause, Reason: why}},
		Advance: advance,
	}}
}

func (s *serving) trigger(h held, tick mishap.Tick) *mishap.Trigger {
	return &mishap.Trigger{Kind: mishap.TriggerSchedule, Tick: &tick, Source: h.source}
}
