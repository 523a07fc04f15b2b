package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/engine"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/runner"
)

// planWithin is how long a server plans a run.
const planWithin = time.Minute

// launcher begins runs that are due, and carries them out.
type launcher struct {
	*shared
	desired   *desired
	approvals *approvals
	events    *events

	runs   sync.WaitGroup
	giveUp chan struct{} // closed when what could not be written is left to the next server

	mu       sync.Mutex
	starting map[string]bool // experiments that are being started here
}

func newLauncher(s *shared, d *desired, a *approvals, ev *events) *launcher {
	return &launcher{shared: s, desired: d, approvals: a, events: ev, giveUp: make(chan struct{}), starting: map[string]bool{}}
}

// busy reports whether an experiment is being started here.
func (l *launcher) busy(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.starting[name]
}

// start marks an experiment as being started, until the function is called.
func (l *launcher) start(name string) (started func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starting[name] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.starting, name)
	}
}

// begin starts a due experiment in a goroutine of its own.
func (l *launcher) begin(b begins) {
	started := l.start(b.Name)
	l.runs.Go(func() {
		defer l.nudge()
		defer started()
		l.metrics.late(time.Since(b.tick.Due))
		o := l.options(b.held, b.trigger())
		o.Advance = b.advance
		if err := l.attempt(b, o, started); err != nil {
			l.log.Error("run of schedule", "experiment", b.Name, "error", err)
		}
	})
}

// drain asks every run to revert and waits for all of them.
func (l *launcher) drain() {
	over := make(chan struct{})
	go func() { l.runs.Wait(); close(over) }()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	const patience = 20 * time.Second
	defer time.AfterFunc(patience, func() { close(l.giveUp) }).Stop()
	for {
		l.member.StopAll(runner.Stop{Cause: mishap.CauseInterrupt, Reason: "the server was stopped", By: "the operating system"})
		select {
		case <-over:
			return
		case <-again.C:
		}
	}
}

// options are those of every run that a server starts.
func (l *launcher) options(h held, trigger *mishap.Trigger) engine.RunOptions {
	o := engine.RunOptions{Trigger: trigger, Guards: l.rules().Guards, Seen: l.events.seen, GiveUp: l.giveUp}
	if h.tree != nil {
		o.InForce = &ledger.Revision{Source: h.source, Seq: h.tree.Seq}
	}
	return o
}

// attempt plans, begins and carries out one due run. What the governor says in
// the transaction that begins it is recorded, unless the run may wait.
func (l *launcher) attempt(b begins, o engine.RunOptions, started func()) error {
	planning, cancel := context.WithTimeout(l.life, planWithin)
	plan, refused := l.engine.Plan(planning, b.Experiment)
	cancel()
	if refused != nil && !errors.Is(refused, mishap.ErrRefused) {
		refused = mishap.Refusal(fmt.Errorf("plan %s: %w", b.Name, refused))
	}
	if plan.Digest == "" {
		plan = engine.Unplanned(b.Experiment)
	}
	o.Admit = func(f mishap.Facts) error {
		if l.member.Stood(b.decided) {
			return member.ErrStood
		}
		return l.admit(b.held, plan, f)
	}
	run, err := l.engine.Begin(l.life, plan, o)
	started()
	if err == nil {
		l.events.seen(run.First, nil)
		l.log.Info("run begins", "run", run.First.Run, "experiment", b.Name, "commit", b.Source.Commit, "due", b.tick.Due, "incarnation", run.First.Trigger.Incarnation)
		ended, err := l.engine.Carry(l.life, run, refused, o)
		l.events.left(run.First.Run)
		l.events.ended(ended)
		return err
	}
	return l.notBegun(b, err)
}

// admit decides in the transaction that begins a run, with what has changed
// since it was looked at: while it was planned, and while it waited.
func (l *launcher) admit(h held, plan mishap.Plan, f mishap.Facts) error {
	if no := l.desired.stands(h); no != nil {
		return no
	}
	f.Approvals = l.approvals.judge(f.Approvals)
	return l.rules().Limits.Admit(plan, f)
}

// notBegun records why a due run did not begin, or lets it wait.
func (l *launcher) notBegun(b begins, err error) error {
	now := time.Now()
	if errors.Is(err, ledger.ErrTickTaken) {
		// Another server has it; or this clock went back, and it was run before.
		return l.book.Refuse(l.life, l.member.Server(), []ledger.Refusal{*b.refused(mishap.CauseBusy, err.Error()).refusal})
	}
	if errors.Is(err, member.ErrStood) {
		return l.book.Postpone(l.life, []ledger.Turn{*b.waits(err.Error(), nil, now)})
	}
	if errors.Is(err, ledger.ErrOutdated) || errors.Is(err, ledger.ErrFenced) { // this server reads it soon or gets a new lease, or another one runs it
		return l.book.Postpone(l.life, []ledger.Turn{*b.waits(err.Error(), nil, now.Add(waitFor))})
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
		l.events.waits(turn)
		return l.book.Postpone(l.life, []ledger.Turn{turn})
	}
	r := *b.passedOver(&no, &view{}, now).refusal
	l.events.refused(r)
	return l.book.Refuse(l.life, l.member.Server(), []ledger.Refusal{r})
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
