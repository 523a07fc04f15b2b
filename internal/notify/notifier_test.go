package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap/internal/notify"
)

// onFakeTime tells messages to a webhook whose answers are r's; time is fake.
func onFakeTime(t *testing.T, r http.RoundTripper, o notify.Options, f func(n *notify.Notifier)) {
	synctest.Test(t, func(t *testing.T) {
		o.Client = &http.Client{Transport: r}
		if o.Targets == nil {
			o.Targets = []notify.Target{{Name: "hook", Kind: notify.Webhook, URL: "https://hook.example/x"}}
		}
		f(notify.New(o)) // synctest fails the test when a goroutine is left
	})
}

func closeIn(n *notify.Notifier, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return n.Close(ctx)
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestMessagesAreSentInOrderOneAtATime(t *testing.T) {
	fail := false
	r := answering(func(w http.ResponseWriter) {
		if fail = !fail; fail {
			w.WriteHeader(500)
		}
	})
	onFakeTime(t, r, notify.Options{}, func(n *notify.Notifier) {
		for i := range 50 {
			n.Tell(notify.Message{ID: fmt.Sprint(i), Event: notify.Ended})
		}
		if err := closeIn(n, time.Hour); err != nil {
			t.Fatal(err)
		}
		for i, got := range r.requests() {
			if id := got.header.Get("Mishap-Id"); id != fmt.Sprint(i/2) {
				t.Fatalf("request %d is of message %s", i, id)
			}
		}
	})
}

func TestADeadTargetDelaysNobody(t *testing.T) {
	const many = 10_000
	release, all, got := make(chan struct{}), make(chan struct{}), 0
	alive := answering(func(http.ResponseWriter) {
		if got++; got == many {
			close(all)
		}
	})
	dead := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer dead.Close()
	defer close(release)
	good := httptest.NewServer(alive)
	defer good.Close()
	n := notify.New(notify.Options{Queue: many, Targets: []notify.Target{
		{Name: "dead", Kind: notify.Webhook, URL: dead.URL}, {Name: "good", Kind: notify.Webhook, URL: good.URL}}})
	for i := range many { // waits for nobody: the dead target answers when the test is over
		n.Tell(notify.Message{ID: fmt.Sprint(i), Event: notify.Ended})
	}
	<-all
	for n.Stats()[1].Sent != many { // the last answer may still be on its way
		time.Sleep(time.Millisecond)
	}
	if err := closeIn(n, time.Second); err == nil || !strings.Contains(err.Error(), "10000 messages") {
		t.Errorf("Close says %v", err)
	}
	if s := n.Stats(); s[1].Sent != many || s[0].Sent != 0 || s[0].Failed != many {
		t.Errorf("stats are %+v", s)
	}
}

// stuck never answers; it ends with its request.
func stuck(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestAFullQueueDropsTheOldestNobodyHasToActOn(t *testing.T) {
	for _, c := range []struct {
		name     string
		told     []notify.Event // after one that is being sent; the queue takes 3
		left     string
		dropped  uint64
		warnings int
	}{
		{"not full", []notify.Event{"started", "ended", "stranded"}, "0 1 2", 0, 0},
		{"oldest", []notify.Event{"started", "ended", "ended", "ended", "ended"}, "2 3 4", 2, 1},
		{"oldest that is not urgent", []notify.Event{"stranded", "ended", "notRecovered", "ended"}, "0 2 3", 1, 1},
		{"the new one, for all others are urgent", []notify.Event{"stranded", "stranded", "notRecovered", "ended"}, "0 1 2", 1, 1},
		{"all urgent", []notify.Event{"stranded", "stranded", "notRecovered", "stranded", "stranded"}, "2 3 4", 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, log := answering(), &lines{}
			slow := tripper(func(req *http.Request) (*http.Response, error) {
				time.Sleep(time.Second) // fake
				return r.RoundTrip(req)
			})
			onFakeTime(t, slow, notify.Options{Queue: 3, Log: log.logger()}, func(n *notify.Notifier) {
				n.Tell(notify.Message{ID: "first", Event: notify.Ended})
				synctest.Wait()
				for i, e := range c.told {
					n.Tell(notify.Message{ID: fmt.Sprint(i), Event: e})
				}
				if s := n.Stats()[0]; s.Dropped != c.dropped || s.Queued != 4 {
					t.Errorf("stats are %+v", s)
				}
				if err := closeIn(n, time.Hour); err != nil {
					t.Error(err)
				}
			})
			var left []string
			for _, got := range r.requests()[1:] {
				left = append(left, got.header.Get("Mishap-Id"))
			}
			if strings.Join(left, " ") != c.left || log.count("level=WARN") != c.warnings {
				t.Errorf("left are %v; log:\n%s", left, log)
			}
		})
	}
}

func TestCloseGivesUpAtItsContextWithACount(t *testing.T) {
	onFakeTime(t, tripper(stuck), notify.Options{}, func(n *notify.Notifier) {
		start := time.Now()
		for range 5 {
			n.Tell(notify.Message{Event: notify.Ended})
		}
		err := closeIn(n, 3*time.Second)
		if err == nil || !strings.Contains(err.Error(), "5 messages could not be sent") {
			t.Errorf("Close says %v", err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		n.Tell(notify.Message{Event: notify.Ended})
		if s := n.Stats()[0]; s.Failed != 5 || s.Queued != 0 || s.Dropped != 1 || !strings.Contains(s.LastError, "closed before") {
			t.Errorf("stats are %+v", s)
		}
		if err := closeIn(n, time.Second); err != nil {
			t.Errorf("closing again says %v", err)
		}
	})
}

func TestCloseDoesNotWaitForASecretThatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		come := make(chan struct{})
		n := notify.New(notify.Options{Client: &http.Client{Transport: answering()}, Targets: []notify.Target{{
			Kind: notify.Webhook, URL: "https://hook.example/x", Secret: func() (string, error) { <-come; return "k", nil }}}})
		n.Tell(notify.Message{Event: notify.Ended})
		n.Tell(notify.Message{Event: notify.Ended})
		if err := closeIn(n, time.Second); err == nil || !strings.Contains(err.Error(), "2 messages") {
			t.Errorf("Close says %v", err)
		}
		close(come)
	})
}

func TestTargetsAreToldWhatTheyWant(t *testing.T) {
	all := notify.Events()
	for _, c := range []struct {
		target notify.Target
		want   []notify.Event
	}{
		{notify.Target{Kind: notify.Webhook}, all},
		{notify.Target{Kind: notify.Slack}, all[1:]},
		{notify.Target{Kind: notify.PagerDuty, Secret: secret("k")}, []notify.Event{"stranded", "notRecovered", "reverted"}},
		{notify.Target{Kind: notify.Webhook, Events: []notify.Event{"treeMended", "treeBroken"}}, []notify.Event{"treeBroken", "treeMended"}},
	} {
		r := answering()
		c.target.URL = "https://hook.example/x"
		onFakeTime(t, r, notify.Options{Targets: []notify.Target{c.target}}, func(n *notify.Notifier) {
			for _, e := range all {
				n.Tell(notify.Message{Event: e, Text: "event=" + string(e) + ";"})
			}
			if err := closeIn(n, time.Hour); err != nil {
				t.Error(err)
			}
		})
		var got []notify.Event
		for _, req := range r.requests() {
			for _, e := range all {
				if strings.Contains(string(req.body), "event="+string(e)+";") || e == "reverted" && strings.Contains(string(req.body), `"resolve"`) {
					got = append(got, e)
				}
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s is told %v, not %v", c.target.Kind, got, c.want)
		}
	}
}

func TestAnUncheckedTargetFailsAndSaysWhy(t *testing.T) {
	for _, target := range []notify.Target{
		{Kind: "pigeon", URL: "https://x/y"}, {Kind: notify.Webhook, URL: "::"}, {Kind: notify.Slack, URL: "http://hooks.slack.com/x"},
	} {
		onFakeTime(t, answering(), notify.Options{Targets: []notify.Target{target}}, func(n *notify.Notifier) {
			n.Tell(notify.Message{Event: notify.Stranded})
			synctest.Wait()
			if s := n.Stats()[0]; s.Failed != 1 || s.LastError == "" {
				t.Errorf("%v: %+v", target, s)
			}
			if err := closeIn(n, time.Hour); err != nil {
				t.Errorf("Close says %v of what failed before", err)
			}
		})
	}
}

func TestCloseLeavesNoConnectionOpen(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		send(t, answering(), notify.Target{Kind: notify.Webhook}, "/x", notify.Message{Event: notify.Ended})
	}
	for deadline := time.Now().Add(2 * time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func TestMessageFieldsAreNamedAsDocumented(t *testing.T) {
	raw, err := json.Marshal(notify.Message{Event: notify.Digest, Text: "x"})
	if want := `{"id":"","event":"digest","at":"0001-01-01T00:00:00Z","text":"x"}`; err != nil || string(raw) != want {
		t.Errorf("message is %s", raw)
	}
}

// Targets change while messages wait: those of a target that stays go where it is now,
// once; those of one that is gone go nowhere.
func TestWhatWaitsGoesToWhereATargetIsNow(t *testing.T) {
	var mu sync.Mutex
	var got []string
	r := tripper(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Host == "gone.example" {
			w.WriteHeader(http.StatusInternalServerError)
		} else {
			got = append(got, r.URL.Host+" "+r.Header.Get("Mishap-Id"))
		}
		return w.Result(), nil
	})
	hook := func(name, host string) notify.Target {
		return notify.Target{Name: name, Kind: notify.Webhook, URL: "https://" + host + "/x"}
	}
	o := notify.Options{Targets: []notify.Target{hook("moves", "gone.example"), hook("leaves", "gone.example"), hook("stays", "stays.example")}}
	onFakeTime(t, r, o, func(n *notify.Notifier) {
		for _, id := range []string{"1", "2"} {
			n.Tell(notify.Message{ID: id, Event: notify.Ended})
		}
		time.Sleep(time.Minute)
		n.Retarget([]notify.Target{hook("stays", "stays.example"), hook("comes", "comes.example"), hook("moves", "moved.example")})
		n.Tell(notify.Message{ID: "3", Event: notify.Ended})
		if err := closeIn(n, time.Hour); err != nil {
			t.Error(err)
		}
		n.Retarget(o.Targets) // too late
	})
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(got)
	if want := []string{"comes.example 3", "moved.example 1", "moved.example 2", "moved.example 3", "stays.example 1", "stays.example 2", "stays.example 3"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
