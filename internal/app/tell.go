package app

import (
	"context"
	"fmt"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/notify"
)

// newNotifier makes what tells people, from the settings.
func (a *App) newNotifier() (*notify.Notifier, error) {
	o := notify.Options{Log: a.log}
	for _, n := range a.Settings.Server.Notify {
		t, err := target(n)
		if err != nil {
			return nil, invalid{fmt.Errorf("notify %s: %w", n.Name, err)}
		}
		o.Targets = append(o.Targets, t)
	}
	return notify.New(o), nil
}

func target(n config.Notify) (notify.Target, error) {
	url, err := secret(n.URL)
	if err != nil {
		return notify.Target{}, err
	}
	t := notify.Target{Name: n.Name, Kind: notify.Kind(n.Kind), URL: url, Channel: n.Channel}
	if n.Secret != (mishap.Secret{}) {
		t.Secret = func() (string, error) { return secret(n.Secret) }
	}
	for _, e := range n.Events {
		t.Events = append(t.Events, notify.Event(e))
	}
	return t, t.Check()
}

func (s *serving) closeNotifier() error {
	const most = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.life), most)
	defer cancel()
	return s.notifier.Close(ctx)
}

// tellAll turns what happens into messages and metrics.
func (s *serving) tellAll(ctx context.Context) {
	events, done := s.hub.listen(0)
	defer func() { done() }()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok { // too slow, and cut off
				events, done = s.hub.listen(0)
				continue
			}
			s.metrics.saw(e)
			if m, ok := messageOf(e); ok {
				s.notifier.Tell(m)
			}
		}
	}
}

// messageOf is what people are told of an event, if anything.
func messageOf(e Event) (notify.Message, bool) {
	if e.run == nil || e.Entry == nil || e.Entry.State == nil {
		return notify.Message{}, false
	}
	r := e.run
	name := r.Plan.Experiment.Name
	switch e.Entry.State.To {
	case mishap.Injecting:
		return runMessage(notify.Started, r, fmt.Sprintf("%s begins: %d faults for at most %s", name, len(r.Plan.Experiment.Faults), mishap.Duration(r.Plan.Experiment.Longest()))), true
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
