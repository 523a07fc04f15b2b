package server

import (
	"testing"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/notify"
)

func TestWhatGoesOnHereIsSeenAsItStandsUntilItIsOver(t *testing.T) {
	ev := newEvents(nil)
	run := &mishap.Run{ID: "a", State: mishap.Holding, Watches: []*mishap.Watch{{}}, Injections: []*mishap.RunInjection{{State: mishap.InjectionInjected}}}
	ev.seen(mishap.Entry{}, run)
	ev.seen(mishap.Entry{}, &mishap.Run{ID: "b", State: mishap.Holding})
	ev.seen(mishap.Entry{}, nil)
	if n := ev.hub.last(); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	var was *mishap.Run
	for _, r := range ev.now() {
		if r.ID == "a" {
			was = r
		}
	}
	run.Watches[0].Met, run.Injections[0].State = 7, mishap.InjectionReverting // it goes on
	if len(ev.now()) != 2 || was.Watches[0].Met != 0 || was.Injections[0].State != mishap.InjectionInjected {
		t.Errorf("%+v of %d", was, len(ev.now()))
	}
	run.State = mishap.Completed
	ev.seen(mishap.Entry{}, run)
	ev.left("b")
	if left := ev.now(); len(left) != 0 {
		t.Errorf("over, and yet there: %+v", left)
	}
}

func TestMessagesOfRunsLinkToTheirPages(t *testing.T) {
	s := &shared{settings: &config.Settings{}}
	s.settings.Put(&config.Live{PublicURL: "https://mishap.example"})
	if got := s.linked(notify.Message{Run: "a1"}).Link; got != "https://mishap.example/runs/a1" {
		t.Errorf("a message of a run links to %q", got)
	}
	if got := s.linked(notify.Message{}).Link; got != "" {
		t.Errorf("a message of none links to %q", got)
	}
}
