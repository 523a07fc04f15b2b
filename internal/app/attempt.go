package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap"
	"mishap/internal/ledger"
)

// planWithin is how long a server plans a run.
const planWithin = time.Minute

// begin starts a due experiment in a goroutine of its own.
func (s *serving) begin(h held, tick mishap.Tick, advance *ledger.Advance) {
	s.mu.Lock()
	s.starting[h.Name] = true
	s.mu.Unlock()
	s.runs.Go(func() {
		started := func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.starting, h.Name)
		}
		defer s.nudge()
		defer started()
		s.metrics.late(time.Since(tick.Due))
		o := s.options(s.trigger(h, tick))
		o.Advance = advance
		if err := s.attempt(h, tick, o, started); err != nil {
			s.log.Error("run of schedule", "experiment", h.Name, "error", err)
		}
	})
}

// options are those of every run that a server starts.
func (s *serving) options(trigger *mishap.Trigger) RunOptions {
	return RunOptions{Trigger: trigger, Guards: s.freezes.guards, Seen: s.seen, GiveUp: s.giveUp}
}

// attempt plans, begins and carries out one due run. What the governor says in
// the transaction that begins it is recorded, unless the run may wait.
func (s *serving) attempt(h held, tick mishap.Tick, o RunOptions, started func()) error {
	planning, cancel := context.WithTimeout(s.life, planWithin)
	plan, refused := s.Plan(planning, h.Experiment)
	cancel()
	if refused != nil && !Refusal(refused) {
		refused = refusal{fmt.Errorf("plan %s: %w", h.Name, refused)}
	}
	if plan.Digest == "" {
		plan = mishap.Plan{Experiment: h.Experiment, Created: time.Now().UTC().Round(time.Second)}
	}
	o.Admit = func(f mishap.Facts) error { return s.limits.Admit(plan, f) }
	b, err := s.App.begin(s.life, plan, o)
	started()
	if err == nil {
		s.seen(b.first, nil)
		s.log.Info("run begins", "run", b.first.Run, "experiment", h.Name, "commit", h.Source.Commit, "due", tick.Due)
		run, err := s.carry(s.life, b, refused, o)
		s.logEnd(run)
		return err
	}
	if errors.Is(err, ledger.ErrTickTaken) {
		// Another server has it; or this clock went back, and it was run before.
		return s.book.Refuse(s.life, s.me(), []ledger.Refusal{*s.refused(h, tick, o.Advance, mishap.CauseBusy, err.Error()).refusal})
	}
	why, ok := notBegun(err)
	if !ok {
		return err
	}
	if next, more := h.table.Next(tick.At); passing(err) && waits(h, tick, next, more, time.Now()) {
		return s.book.Postpone(s.life, h.Name, tick.At, time.Now().Add(waitFor))
	}
	r := *s.refused(h, tick, o.Advance, why.Cause, why.Reason).refusal
	s.metrics.notStarted(why.Cause)
	s.publishRefusal(r)
	return s.book.Refuse(s.life, s.me(), []ledger.Refusal{r})
}

// logEnd says how a run ended.
func (s *serving) logEnd(run *mishap.Run) {
	if run == nil {
		return
	}
	verdict, reason := mishap.Judge(run)
	s.log.Info("run ends", "run", run.ID, "experiment", run.Plan.Experiment.Name, "state", run.State, "verdict", verdict, "reason", reason)
}

// passing reports whether what is in the way ends by itself.
func passing(err error) bool {
	var busy *ledger.BusyError
	var denial *mishap.Denial
	return errors.As(err, &busy) || errors.As(err, &denial) && denial.Passing
}

// seen is told every entry of every run here.
func (s *serving) seen(e mishap.Entry, r *mishap.Run) {
	event := Event{At: e.At, Entry: &e}
	if r != nil {
		event.run = picture(r)
	}
	s.hub.publish(event)
}

// publishRefusal tells of a run that did not start.
func (s *serving) publishRefusal(r ledger.Refusal) {
	run, err := mishap.Replay([]mishap.Entry{r.First, r.Why})
	if err != nil {
		s.log.Error("record refusal", "error", err)
		return
	}
	s.seen(r.First, nil)
	s.seen(r.Why, run)
}
