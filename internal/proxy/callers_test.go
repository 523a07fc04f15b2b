package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
)

func (r *rig) watch(ask attempts.Watch) attempts.Watched {
	r.t.Helper()
	if ask.Keep == 0 {
		ask.Keep = fault.Duration(time.Minute)
	}
	w, err := r.Callers(context.Background(), "web", ask)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

// attempts waits until a watch has seen so many.
func (r *rig) attempts(n int, ask attempts.Watch) (w attempts.Watched) {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%d attempts are seen", n), func() bool {
		w = r.watch(ask)
		return len(w.Attempts) >= n
	})
	return w
}

const (
	parent1 = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	parent2 = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00"
	parent3 = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

func TestAttemptsOfOneRequestHaveOneID(t *testing.T) {
	r, c := webRig(t)
	if w := r.watch(attempts.Watch{}); w.Protocol != fault.HTTP || len(w.Attempts) != 0 {
		t.Fatalf("a new watch: %+v", w)
	}
	r.watch(attempts.Watch{ID: "header:X-Request-Id"})
	for _, headers := range [][]string{
		{"Traceparent", parent1}, {"Traceparent", parent2}, {"Traceparent", parent3},
		{"Amz-Sdk-Invocation-Id", "a", "Traceparent", parent1}, {"Amz-Sdk-Invocation-Id", "a", "Traceparent", parent3},
		{"Idempotency-Key", "a"}, {"X-Request-Id", "a"}, {"Traceparent", "00-x"},
	} {
		if _, _, err := r.ask(c, "GET", "/pay", headers...); err != nil {
			t.Fatal(err)
		}
	}
	r.ask(c, "GET", "/other", "Traceparent", parent1)
	a := r.attempts(9, attempts.Watch{}).Attempts
	same := func(i, j int) bool { return a[i].ID == a[j].ID && a[i].ID != "" }
	if !same(0, 1) || same(0, 2) || !same(3, 4) || same(3, 0) || same(3, 5) || a[6].ID != "" || a[7].ID != "" || same(0, 8) {
		t.Errorf("ids are %+v", a)
	}
	if !a[0].Loose || a[3].Loose || a[0].Source != "127.0.0.1" || a[0].Outcome != attempts.OK || a[0].Status != 200 || a[1].Start < a[0].Start+a[0].Total {
		t.Errorf("attempts are %+v", a[:4])
	}
	for i, a := range r.attempts(9, attempts.Watch{ID: "header:X-Request-Id"}).Attempts {
		if (a.ID != "") != (i == 6) {
			t.Errorf("by X-Request-Id: %d is %+v", i, a)
		}
	}
}

func TestNothingIsRecordedUnlessSomebodyWatches(t *testing.T) {
	r, c := webRig(t)
	r.ask(c, "GET", "/before")
	first := r.watch(attempts.Watch{Keep: fault.Duration(10 * time.Millisecond)})
	var again attempts.Watched
	eventually(t, "the watch ends", func() bool {
		time.Sleep(20 * time.Millisecond)
		again = r.watch(attempts.Watch{Keep: fault.Duration(10 * time.Millisecond)})
		return !again.Since.Equal(first.Since)
	})
	if len(first.Attempts)+len(again.Attempts) != 0 {
		t.Errorf("seen: %+v, %+v", first, again)
	}
}

func TestAWatchGivesWhatIsNewAndSaysWhatWasLost(t *testing.T) {
	r, c := webRig(t)
	r.watch(attempts.Watch{})
	r.ask(c, "GET", "/1")
	one := r.attempts(1, attempts.Watch{})
	r.ask(c, "GET", "/2", "Baggage", "a=b, mishap.arm=experiment;p=1")
	two := r.attempts(1, attempts.Watch{After: one.Seq})
	if len(two.Attempts) != 1 || two.Attempts[0].Arm != "experiment" || two.Lost != 0 || two.Seq != 2 {
		t.Errorf("after the first: %+v", two)
	}
}

func TestCallersThatLeaveAreSeenToLeaveWhenTheyDid(t *testing.T) {
	const answer = patience // after the request; long after the client has left
	asked := make(chan struct{}, 1)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-time.After(answer):
		}
	}))
	t.Cleanup(slow.Close)
	r := startWith(t, slow.Listener.Addr().String(), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	r.watch(attempts.Watch{})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-asked
		time.Sleep(150 * time.Millisecond) // that is how long it waits
		leave()
	}()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addr+"/", nil)
	if _, err := transport.RoundTrip(req); err == nil {
		t.Fatal("there is an answer")
	}
	a := r.attempts(1, attempts.Watch{}).Attempts[0]
	if took := time.Duration(a.Total) * time.Microsecond; a.Outcome != attempts.GaveUp || took < 100*time.Millisecond || took >= answer {
		t.Errorf("%+v", a)
	}
}

func TestFailuresAreToldFromAnswers(t *testing.T) {
	r, c := webRig(t)
	r.watch(attempts.Watch{})
	for status, want := range map[int]string{500: attempts.Failed, 503: attempts.Failed, 429: attempts.Failed, 404: attempts.OK} {
		id := fmt.Sprint("e", status)
		r.put(with(id, fault.HTTPError{Status: status}))
		seq := r.watch(attempts.Watch{}).Seq
		r.ask(c, "GET", "/")
		if a := r.attempts(1, attempts.Watch{After: seq}).Attempts[0]; a.Outcome != want || a.Status != status {
			t.Errorf("%d: %+v", status, a)
		}
		r.remove(id)
	}
}

func TestOfTCPTheMakingOfConnectionsIsSeen(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	if w := r.watch(attempts.Watch{}); w.Protocol != fault.TCP {
		t.Errorf("%+v", w)
	}
	ask(t, r.dial(), "hello")
	r.put(with("no", fault.Refuse{}))
	if conn, err := net.Dial("tcp", r.addr); err == nil {
		conn.Close()
	}
	a := r.attempts(2, attempts.Watch{}).Attempts
	if a[0].Outcome != attempts.OK || a[1].Outcome != attempts.Failed || a[0].ID != "" || a[0].Source != "127.0.0.1" {
		t.Errorf("%+v", a)
	}
}

func TestAWatchThatCannotBeIsRefused(t *testing.T) {
	r, _ := webRig(t)
	for _, bad := range []struct {
		name string
		ask  attempts.Watch
		want string
	}{
		{"webb", attempts.Watch{Keep: fault.Duration(time.Second)}, `no proxy "webb"`},
		{"web", attempts.Watch{}, "at most 10m"},
		{"web", attempts.Watch{ID: "cookie:a", Keep: fault.Duration(time.Second)}, "not a header"},
		{"web", attempts.Watch{ID: "header:a b", Keep: fault.Duration(time.Second)}, "not a header"},
	} {
		if _, err := r.Callers(t.Context(), bad.name, bad.ask); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s %+v: %v", bad.name, bad.ask, err)
		}
	}
	for i := range 5 {
		_, err := r.Callers(t.Context(), "web", attempts.Watch{ID: fmt.Sprint("header:a", i), Keep: fault.Duration(time.Minute)})
		if (err != nil) != (i == 4) {
			t.Errorf("watch %d: %v", i, err)
		}
	}
	r.stop()
	if _, err := r.Callers(t.Context(), "web", attempts.Watch{}); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("%v", err)
	}
}

// BenchmarkWatched is a request through the proxy, watched or not.
func BenchmarkWatched(b *testing.B) {
	for _, watched := range []bool{false, true} {
		b.Run(fmt.Sprint("watched=", watched), func(b *testing.B) {
			r, c := webRig(b)
			if watched {
				r.watch(attempts.Watch{})
			}
			for b.Loop() {
				if _, _, err := r.ask(c, "GET", "/", "Traceparent", parent1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
