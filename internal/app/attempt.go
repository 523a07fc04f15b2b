package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/engine"
	"mishap/internal/ledger"
	"mishap/internal/member"
)

// planWithin is how long a server plans a run.
const planWithin = time.Minute

// begin starts a due experiment in a goroutine of its own.
func (s *serving) begin(b begins) {
	s.mu.Lock()
	s.starting[b.Name] = true
	s.mu.Unlock()
	s.runs.Go(func() {
		started := func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.starting, b.Name)
		}
		defer s.nudge()
		defer started()
		s.metrics.late(time.Since(b.tick.Due))
		o := s.options(b.held, s.trigger(b.held, b.tick))
		o.Advance = b.advance
		if err := s.attempt(b, o, started); err != nil {
			s.log.Error("run of schedule", "experiment", b.Name, "error", err)
		}
	})
}

// options are those of every run that a server starts.
func (s *serving) options(h held, trigger *mishap.Trigger) engine.RunOptions {
	o := engine.RunOptions{Trigger: trigger, Guards: s.rules.Guards, Seen: s.seen, GiveUp: s.giveUp}
	if h.tree != nil {
		o.InForce = &ledger.Revision{Source: h.source, Seq: h.tree.Seq}
	}
	return o
}

// attempt plans, begins and carries out one due run. What the governor says in
// the transaction that begins it is recorded, unless the run may wait.
func (s *serving) attempt(b begins, o engine.RunOptions, started func()) error {
	planning, cancel := context.WithTimeout(s.life, planWithin)
	plan, refused := s.Plan(planning, b.Experiment)
	cancel()
	if refused != nil && !errors.Is(refused, mishap.ErrRefused) {
		refused = mishap.Refusal(fmt.Errorf("plan %s: %w", b.Name, refused))
	}
	if plan.Digest == "" {
		plan = engine.Unplanned(b.Experiment)
	}
	o.Admit = func(f mishap.Facts) error {
		if s.Stood(b.decided) {
			return member.ErrStood
		}
		return s.admit(b.held, plan, f)
	}
	run, err := s.Begin(s.life, plan, o)
	started()
	if err == nil {
		s.seen(run.First, nil)
		s.log.Info("run begins", "run", run.First.Run, "experiment", b.Name, "commit", b.Source.Commit, "due", b.tick.Due, "incarnation", run.First.Trigger.Incarnation)
		ended, err := s.Carry(s.life, run, refused, o)
		s.logEnd(ended)
		return err
	}
	return s.notBegun(b, err)
}

// admit decides in the transaction that begins a run, with what has changed
// since it was looked at: while it was planned, and while it waited.
func (s *serving) admit(h held, plan mishap.Plan, f mishap.Facts) error {
	if no := s.stands(h); no != nil {
		return no
	}
	f.Approvals = s.judgeApprovals(f.Approvals)
	return s.rules.Limits.Admit(plan, f)
}

// notBegun records why a due run did not begin, or lets it wait.
func (s *serving) notBegun(b begins, err error) error {
	now := time.Now()
	if errors.Is(err, ledger.ErrTickTaken) {
		// Another server has it; or this clock went back, and it was run before.
		return s.book.Refuse(s.life, s.Server(), []ledger.Refusal{*s.refused(b, mishap.CauseBusy, err.Error()).refusal})
	}
	if errors.Is(err, member.ErrStood) {
		return s.book.Postpone(s.life, []ledger.Turn{*b.waits(err.Error(), nil, now)})
	}
	if errors.Is(err, ledger.ErrOutdated) || errors.Is(err, ledger.ErrFenced) { // this server reads it soon or gets a new lease, or another one runs it
		return s.book.Postpone(s.life, []ledger.Turn{*b.waits(err.Error(), nil, now.Add(waitFor))})
	}
	no := passing(err, b.held)
	var ok bool
	if no.Cause, no.Reason, ok = engine.NotBegun(err); !ok {
		return err
	}
	if next, more := b.table.Next(b.tick.At); no.Passing && waits(b.held, b.tick, next, more, now) {
		until := now.Add(mostWait)
		if more && next.Due.Before(until) {
			until = next.Due
		}
		turn := *b.waits(no.Reason, no.Wants, until)
		s.tellWaiting(turn)
		return s.book.Postpone(s.life, []ledger.Turn{turn})
	}
	r := *s.passedOver(b, &no, &view{}, now).refusal
	s.publishRefusal(r)
	return s.book.Refuse(s.life, s.Server(), []ledger.Refusal{r})
}

// logEnd says how a run ended.
func (s *serving) logEnd(run *mishap.Run) {
	if run == nil {
		return
	}
	verdict, reason := mishap.Judge(run)
	s.log.Info("run ends", "run", run.ID, "experiment", run.Plan.Experiment.Name, "state", run.State, "verdict", verdict, "reason", reason)
}

// passing says what of a no ends by itself, and what may be waited for.
func passing(err error, h held) mishap.Denial {
	var busy *ledger.BusyError
	var denial *mishap.Denial
	switch {
	case errors.As(err, &busy):
		return mishap.Denial{Passing: true, Wants: []string{mishap.WantsGroup(h.Group)}}
	case errors.As(err, &denial):
		return *denial
	}
	return mishap.Denial{}
}

// seen is told every entry of every run here.
func (s *serving) seen(e mishap.Entry, r *mishap.Run) {
	happened := event{Event: api.Event{At: e.At, Entry: &e}}
	if r != nil {
		happened.run = picture(r)
	}
	s.hub.publish(happened)
}

// tellWaiting tells once of each time of a schedule that it waits.
func (s *serving) tellWaiting(turn ledger.Turn) {
	s.mu.Lock()
	told := s.toldWait[turn.Experiment].Equal(turn.Tick)
	s.toldWait[turn.Experiment] = turn.Tick
	s.mu.Unlock()
	if told {
		return
	}
	s.log.Info("run waits", "experiment", turn.Experiment, "due", turn.Tick, "since", turn.Since, "reason", turn.Why)
	s.hub.publish(event{Event: api.Event{At: time.Now(), Waiting: &turn.Waiting}})
}

// publishRefusal tells of a run that did not start.
func (s *serving) publishRefusal(r ledger.Refusal) {
	why := r.Why.State
	s.metrics.notStarted(why.Cause)
	s.log.Info("run does not start", "run", r.First.Run, "experiment", r.First.Planned.Experiment.Name, "cause", why.Cause, "reason", why.Reason)
	run, err := r.Replay()
	if err != nil {
		s.log.Error("record refusal", "error", err)
		return
	}
	s.seen(r.First, nil)
	s.seen(r.Why, run)
}
