package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mishap"
	"mishap/internal/catalog"
	"mishap/internal/engine"
	"mishap/internal/ledger"
)

// view is what goes on, as of one moment. Decisions to start are made again in
// the transaction that begins the run; those not to start need no more.
type view struct {
	halt   string
	frozen string
	facts  mishap.Facts
	locks  map[string]mishap.Lock
}

func (p *dispatcher) view(ctx context.Context, now time.Time) (*view, error) {
	v := &view{locks: map[string]mishap.Lock{}}
	halt, err := p.book.Halted(ctx)
	if err != nil {
		return nil, err
	}
	if halt != nil {
		v.halt = halt.String()
	}
	v.facts.Now = now
	if v.facts.Queue, err = p.book.Queue(ctx, now); err != nil {
		return nil, err
	}
	if v.facts.Runs, err = p.book.Ongoing(ctx); err != nil {
		return nil, err
	}
	locks, err := p.book.Locks(ctx)
	for _, l := range locks {
		v.locks[l.Experiment] = l
	}
	v.frozen = p.rules().Freezes.Reason(ctx)
	return v, err
}

// admit counts a run that was just started.
func (v *view) admit(h held) {
	v.leave(h.Name)
	v.facts.Runs = append(v.facts.Runs, mishap.Ongoing{Experiment: h.Name, Group: h.Group, State: mishap.Planned})
}

// enter gives an experiment its place in the queue.
func (v *view) enter(w mishap.Waiting) {
	v.leave(w.Experiment)
	v.facts.Queue = append(v.facts.Queue, w)
}

func (v *view) leave(experiment string) {
	v.facts.Queue = slices.DeleteFunc(v.facts.Queue, func(w mishap.Waiting) bool { return w.Experiment == experiment })
}

// begins is a due run that is about to begin.
type begins struct {
	held
	tick    mishap.Tick
	since   time.Time // when the oldest of its times was due that it did not get
	turn    time.Time // when it had its last turn; zero: never
	decided time.Time // by what was known then
	advance *ledger.Advance
}

// place is what it holds in the queue while it is planned.
func (b begins) place(until time.Time) ledger.Turn {
	wants := []string{mishap.WantsRun, mishap.WantsGroup(b.Group)}
	return ledger.Turn{Waiting: b.waiting(wants, ""), Tick: b.tick.At, Until: until}
}

// waiting is how the others see it.
func (b begins) waiting(wants []string, why string) mishap.Waiting {
	return mishap.Waiting{Experiment: b.Name, Since: b.since, Turn: b.turn, Wants: wants, Why: why}
}

// waits is its place while something that ends by itself is in its way.
func (b begins) waits(why string, wants []string, until time.Time) *ledger.Turn {
	return &ledger.Turn{Waiting: b.waiting(wants, why), Tick: b.tick.At, Until: until}
}

// waits reports whether a run waits for what is in its way: until the next one
// is due, or, where all are made up for, until too many are behind it.
func waits(h held, tick, next mishap.Tick, more bool, now time.Time) bool {
	if h.Schedule.Missed == mishap.MissedAll {
		return len(h.table.Between(tick.At, now, mishap.MostMissed+1)) <= mishap.MostMissed
	}
	return h.Schedule.Overlap == mishap.OverlapWait && (!more || now.Before(next.Due))
}

// decision is what becomes of a schedule that is due: one of the three.
type decision struct {
	begins
	refusal *ledger.Refusal
	turn    *ledger.Turn // it waits
	start   bool
}

// passedOver records that a time passed at which the experiment did not begin.
// If that was because others went first, it keeps its place for the next time.
func (b begins) passedOver(no *mishap.Denial, v *view, now time.Time) decision {
	v.leave(b.Name)
	b.advance.Since = b.since
	if waited := now.Sub(b.tick.Due); no.Passing && waited >= waitFor {
		no.Reason = fmt.Sprintf("it waited for %s, until its next time: %s", mishap.Duration(waited.Round(time.Second)), no.Reason)
	}
	if next := b.advance.Next; no.Passing && next != nil && !next.Due.After(now) {
		b.advance.Wants = no.Wants
		v.enter(b.waiting(no.Wants, no.Reason))
	}
	return b.refused(no.Cause, no.Reason)
}

// refused is the record of a run that does not start.
func (b begins) refused(cause mishap.Cause, why string) decision {
	first := engine.Planned(engine.NewRunID(), b.trigger(), engine.Unplanned(b.Experiment))
	r := engine.Refused(first, cause, why)
	r.Advance = b.advance
	return decision{begins: b, refusal: &r}
}

// trigger says that its time has come.
func (b begins) trigger() *mishap.Trigger {
	return &mishap.Trigger{Kind: mishap.TriggerSchedule, Tick: &b.tick, Source: b.source}
}

func (p *dispatcher) decide(ctx context.Context, h held, d ledger.Schedule, v *view, now time.Time) decision {
	tick := d.Tick
	if first, ok := h.table.Next(d.Tick.At.Add(-1)); ok && first.At.Equal(d.Tick.At) {
		tick = first // it may wait, and then is due later than it was
	}
	next, more := h.table.Next(tick.At)
	advance := &ledger.Advance{Experiment: h.Name, From: tick.At, Now: now}
	if more {
		advance.Next = &next
	}
	b := begins{held: h, tick: tick, since: d.Since, turn: d.Turn, decided: now, advance: advance}
	if why, to := missed(h, now.Sub(d.Tick.Due), tick, next, more, now); why != "" {
		if to != nil {
			advance.Next = to
		}
		advance.Since = d.Since
		return b.refused(mishap.CauseMissed, why)
	}
	if b.since.IsZero() {
		b.since = tick.Due
	}
	v.enter(b.waiting(nil, ""))
	no := p.against(ctx, h, v, now)
	switch {
	case no == nil:
		return decision{begins: b, start: true}
	case no.Passing && waits(h, tick, next, more, now):
		turn := b.waits(no.Reason, no.Wants, p.lookAt(v, next, more, now))
		v.enter(b.waiting(no.Wants, no.Reason))
		return decision{begins: b, turn: turn}
	}
	return b.passedOver(no, v, now)
}

// lookAt is when one that waits is looked at again: the first of them soon, and
// none later than its next time.
func (p *dispatcher) lookAt(v *view, next mishap.Tick, more bool, now time.Time) time.Time {
	at := now.Add(min(waitFor+time.Duration(len(v.facts.Queue))*waitForEach, mostWait))
	if more && next.Due.After(now) && next.Due.Before(at) {
		return next.Due
	}
	return at
}

// against is what stands against starting an experiment now; nil if nothing
// does, as far as one can know before planning.
func (p *dispatcher) against(ctx context.Context, h held, v *view, now time.Time) *mishap.Denial {
	if v.halt != "" {
		return &mishap.Denial{Cause: mishap.CauseHalt, Reason: v.halt}
	}
	if no := p.desired.stands(h); no != nil {
		return no
	}
	if known := h.Known(now); known != nil {
		return &mishap.Denial{Cause: mishap.CauseImpact, Reason: "known impact: " + known.What}
	}
	if v.frozen != "" {
		return &mishap.Denial{Cause: mishap.CauseSafeguard, Reason: v.frozen}
	}
	facts := v.facts
	if lock, ok := v.locks[h.Name]; ok {
		facts.Lock = &lock
	}
	var denial *mishap.Denial
	if err := p.rules().Limits.Admit(mishap.Plan{Experiment: h.Experiment}, facts); errors.As(err, &denial) {
		return denial
	}
	for _, r := range v.facts.Runs {
		if r.Experiment == h.Name || r.Group == h.Group {
			return &mishap.Denial{Cause: mishap.CauseBusy, Passing: true, Wants: []string{mishap.WantsGroup(h.Group)},
				Reason: fmt.Sprintf("run %s of %s (group %s) is %s", orNew(r.ID), r.Experiment, r.Group, r.State)}
		}
	}
	timed, err := p.catalog.Timed(h.Experiment)
	if err == nil {
		err = catalog.AskTimed(ctx, timed, h.Experiment, now)
	}
	if err != nil {
		return &mishap.Denial{Cause: mishap.CauseSafeguard, Reason: catalog.ReasonOf(err)}
	}
	return nil
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
	why := fmt.Sprintf("nobody served it when it was due, %s ago", mishap.Duration(late.Round(time.Second)))
	switch {
	case skip > 0:
		return fmt.Sprintf("%s; so were %d more", why, skip), &behind[skip]
	case h.Schedule.Missed == mishap.MissedAll:
		return "", nil
	}
	return why, nil
}
