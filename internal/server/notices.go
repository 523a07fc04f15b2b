package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/notify"
	"mishap/internal/trace"
)

// notices turn what happens into messages, metrics and traces.
type notices struct {
	*shared
	events   *events
	notifier *notify.Notifier
	traces   *trace.Exporter
	tracing  sync.WaitGroup
}

// targets are who the settings let be told.
func targets(s *config.Settings) (all []notify.Target, err error) {
	var problems []error
	for i, n := range s.Live().Notify {
		t, err := target(n)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: notify %s: %w", s.At(fmt.Sprintf("notify[%d]", i)), n.Name, err))
		}
		all = append(all, t)
	}
	if problems != nil {
		return nil, mishap.Invalid(errors.Join(problems...))
	}
	return all, nil
}

func target(n config.Notify) (notify.Target, error) {
	url, err := catalog.Secret(n.URL)
	if err != nil {
		return notify.Target{}, err
	}
	t := notify.Target{Name: n.Name, Kind: notify.Kind(n.Kind), URL: url, Channel: n.Channel}
	if n.Secret != (mishap.Secret{}) {
		t.Secret = func() (string, error) { return catalog.Secret(n.Secret) }
	}
	for _, e := range n.Events {
		t.Events = append(t.Events, notify.Event(e))
	}
	return t, t.Check()
}

// linked is a message with the address of its run's page.
func (s *shared) linked(m notify.Message) notify.Message {
	m.Link = s.settings.PageOf(m.Run)
	return m
}

func (n *notices) closeNotifier() error {
	const most = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(n.life), most)
	defer cancel()
	return n.notifier.Close(ctx)
}

// closeTraces sends the traces that wait.
func (n *notices) closeTraces() error {
	const most = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(n.life), most)
	defer cancel()
	n.tracing.Wait()
	return n.traces.Close(ctx)
}

// traceEnded sends the trace of a run that has ended after it began: what did
// not start is in the ledger, and no trace.
func (n *notices) traceEnded(e event) {
	if n.traces == nil || e.run == nil || e.Entry == nil || e.Entry.State == nil || !e.Entry.State.To.Ended() || e.Entry.Seq == 2 {
		return
	}
	n.tracing.Go(func() { // it reads the ledger, and what comes next must not wait
		entries, err := n.book.Entries(n.life, e.run.ID)
		if err == nil {
			err = n.traces.Send(n.life, entries)
		}
		if err != nil {
			n.log.Warn("trace run", "run", e.run.ID, "error", err)
		}
	})
}

// tellAll turns what happens into messages, metrics and traces; also what has
// happened by the time that it is stopped.
func (n *notices) tellAll(ctx context.Context) {
	events, done := n.events.hub.listen(0)
	defer func() { done() }()
	for {
		select {
		case e, ok := <-events:
			if !ok { // too slow, and cut off
				events, done = n.events.hub.listen(0)
				continue
			}
			n.tell(e)
			continue
		default:
		}
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if ok {
				n.tell(e)
			} else {
				events, done = n.events.hub.listen(0)
			}
		}
	}
}

func (n *notices) tell(e event) {
	n.metrics.saw(e.Entry, e.run)
	n.traceEnded(e)
	if m, ok := messageOf(e); ok {
		n.notify(m)
	}
}

// messageOf is what people are told of an event, if anything.
func messageOf(e event) (notify.Message, bool) {
	if e.run == nil || e.Entry == nil || e.Entry.State == nil {
		return notify.Message{}, false
	}
	r := e.run
	name := r.Plan.Experiment.Name
	switch e.Entry.State.To {
	case mishap.Injecting:
		return runMessage(notify.Started, r, fmt.Sprintf("%s begins: %s for at most %s", name, mishap.Plural(len(r.Plan.Experiment.Faults), "fault"), mishap.Duration(r.Plan.Longest()))), true
	case mishap.Refused:
		return runMessage(notify.Refused, r, fmt.Sprintf("%s did not start: %s", name, r.Reason)), true
	case mishap.Stranded:
		_, why := mishap.Judge(r)
		return runMessage(notify.Stranded, r, fmt.Sprintf("%s is STRANDED: %s. `mishap revert %s` tries again", name, why, r.ID)), true
	case mishap.Completed:
		verdict, why := mishap.Judge(r)
		event := notify.Ended
		if r.Recovered != nil && !r.Recovered.In {
			event = notify.NotRecovered
		}
		return runMessage(event, r, fmt.Sprintf("%s: %s. %s", name, verdict, why)), true
	}
	return notify.Message{}, false
}

func runMessage(event notify.Event, r *mishap.Run, text string) notify.Message {
	e := r.Plan.Experiment
	m := notify.Message{
		ID: fmt.Sprintf("%s/%d/%s", r.ID, r.Seq, event), Event: event, At: time.Now(), Run: r.ID, Experiment: e.Name, Group: e.Group, Owner: e.Owner, Claim: e.Claim,
		State: r.State, Commit: e.Source.Commit, Path: e.Source.Path, Repository: e.Source.Repository, Text: text,
	}
	m.Verdict, m.Reason = mishap.Judge(r)
	return m
}
