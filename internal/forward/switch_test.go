package forward_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/nettest"
)

// TestSwitchingFaultsUnderLoadLosesNothing puts faults in and takes them off as fast as it can while clients ask.
func TestSwitchingFaultsUnderLoadLosesNothing(t *testing.T) {
	for _, version := range []string{"http1", "http2"} {
		t.Run(version, func(t *testing.T) {
			r, client := rigFor(t, version, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, "%s %d", r.URL.Path, len(body))
			})
			over := make(chan struct{})
			var switches, load sync.WaitGroup
			for i := range 3 {
				rule := []forward.Rule{{Before: constant(2 * time.Millisecond), MaxActive: 10}, {After: constant(2 * time.Millisecond)},
					{Rate: 1_000_000, Response: forward.Edit{Set: []forward.Field{{Name: "X", Value: "y"}}}}}[i]
				switches.Go(func() {
					for {
						f, _ := forward.NewFault(rule)
						r.board.Put(f)
						select {
						case <-over:
							r.board.Remove(f)
							return
						case <-time.After(time.Millisecond):
							r.board.Remove(f)
						}
					}
				})
			}
			for n := range 16 {
				load.Go(func() {
					for i := range 25 {
						path, size := fmt.Sprintf("/%d/%d", n, i), i*1000
						res, err := client.Post("http://"+r.addr+path, "text/plain", strings.NewReader(strings.Repeat("x", size)))
						if err != nil {
							t.Error(err)
							return
						}
						body, err := io.ReadAll(res.Body)
						res.Body.Close()
						if want := fmt.Sprintf("%s %d", path, size); err != nil || string(body) != want {
							t.Errorf("got %q, %v, want %q", body, err, want)
						}
					}
				})
			}
			load.Wait()
			close(over)
			switches.Wait()
		})
	}
}

// TestAHeldRequestOfAHalfClosedClientGoesOn: a client that has sent its end can still wait for its answer.
func TestAHeldRequestOfAHalfClosedClientGoesOn(t *testing.T) {
	ended := make(chan struct{})
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		in := bufio.NewReader(c)
		if _, err := http.ReadRequest(in); err == nil {
			_, _ = in.ReadByte()
			close(ended)
			_, _ = io.WriteString(c, okAnswer)
		}
	}))
	r.put(forward.Rule{Before: constant(60 * time.Millisecond)})
	if answer := r.talk(head("GET / HTTP/1.1", "Host: a")); answer != okAnswer {
		t.Errorf("answer is %q", answer)
	}
	<-ended
}
