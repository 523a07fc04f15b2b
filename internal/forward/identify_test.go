package forward_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"mishap/internal/forward"
)

func TestIdentifySeesTheRequestAndItsNoteIsObserved(t *testing.T) {
	for _, version := range []string{"http1", "http2"} {
		t.Run(version, func(t *testing.T) {
			r, c := rigFor(t, version, func(http.ResponseWriter, *http.Request) {}, func(s *forward.Server) {
				s.Identify = func(r forward.Incoming) any {
					v, ok := r.Header("X-Id")
					_, none := r.Header("X-None")
					return []any{r.Method(), r.Path(), v, ok, none, slices.Collect(r.Headers("X-Id"))}
				}
			})
			q, _ := http.NewRequest(http.MethodPut, "http://"+r.addr+"/a/b?c=d", nil)
			q.Header["X-Id"] = []string{"one", "two"}
			answer, err := c.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			n, ok := r.exchange().Note.([]any)
			if !ok || n[0] != "PUT" || n[1] != "/a/b" || n[2] != "one" || n[3] != true || n[4] != false || len(n[5].([]string)) != 2 {
				t.Errorf("%v", n)
			}
		})
	}
}

// A client of HTTP/1 that gives up closes its connection, which is not told from one that has said all it has to say.
func TestAClientThatClosesWhileItWaitsIsSeenToLeave(t *testing.T) {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	for _, version := range []string{"http1", "http2"} {
		t.Run(version, func(t *testing.T) {
			asked := make(chan struct{}, 1)
			r, c := rigFor(t, version, func(_ http.ResponseWriter, r *http.Request) {
				asked <- struct{}{}
				select {
				case <-r.Context().Done():
				case <-over:
				}
			})
			ctx, leave := context.WithCancel(t.Context())
			go func() {
				<-asked
				time.Sleep(150 * time.Millisecond) // that is how long it waits
				leave()
			}()
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addr+"/", nil)
			if answer, err := c.Do(req); err == nil {
				answer.Body.Close()
				t.Fatal("there is an answer")
			}
			x := r.exchange()
			left := x.Left
			if left == 0 && x.Failure == forward.ClientGone {
				left = x.Total
			}
			if left < 100*time.Millisecond || left > x.Total {
				t.Errorf("left after %v of %v: %v", x.Left, x.Total, x.Failure)
			}
		})
	}
}

func TestAClientThatWaitsDoesNotLeave(t *testing.T) {
	r, c := rigFor(t, "http1", func(http.ResponseWriter, *http.Request) { time.Sleep(60 * time.Millisecond) })
	answer, err := c.Get("http://" + r.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if x := r.exchange(); x.Left != 0 {
		t.Errorf("left after %v", x.Left)
	}
}
