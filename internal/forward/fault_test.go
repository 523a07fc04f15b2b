package forward_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/nettest"
)

func TestDelayIsNeverEarlyAndReported(t *testing.T) {
	const delay = 30 * time.Millisecond
	for name, rule := range map[string]forward.Rule{
		"before": {Before: constant(delay)},
		"after":  {After: constant(delay)},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nettest.Serve(t, say(okAnswer)))
			f := r.put(rule)
			begin := time.Now()
			r.get("/")
			if took := time.Since(begin); took < delay {
				t.Errorf("took %v, less than %v", took, delay)
			}
			x := r.exchange()
			if x.Requested != delay || x.Delivered < delay || x.Head < delay || len(x.Hits) != 1 || x.Hits[0].Fault != f {
				t.Errorf("observed %+v", x)
			}
			if f.Hits() != 1 || f.Active() != 0 {
				t.Errorf("%d hits, %d active", f.Hits(), f.Active())
			}
		})
	}
}

func TestDelaysAddUp(t *testing.T) {
	r := start(t, nettest.Serve(t, say(okAnswer)))
	r.put(forward.Rule{Before: constant(10 * time.Millisecond)})
	r.put(forward.Rule{Before: constant(20 * time.Millisecond), After: constant(5 * time.Millisecond)})
	r.get("/")
	if x := r.exchange(); x.Requested != 35*time.Millisecond || x.Delivered < x.Requested || len(x.Hits) != 2 {
		t.Errorf("observed %+v", x)
	}
}

// TestRemovingAFaultLetsGoAtOnce holds requests for an hour, in both places, and takes the fault off.
func TestRemovingAFaultLetsGoAtOnce(t *testing.T) {
	for name, rule := range map[string]forward.Rule{
		"before": {Before: constant(time.Hour)},
		"after":  {After: constant(time.Hour)},
		"slow":   {Rate: 1},
	} {
		for _, dial := range []string{"http1", "http2"} {
			t.Run(name+" "+dial, func(t *testing.T) {
				drawn := make(chan struct{}, 1)
				if name == "slow" {
					drawn <- struct{}{}
				}
				rule := rule
				for _, sample := range []*func() time.Duration{&rule.Before, &rule.After} {
					if *sample != nil {
						*sample = func() time.Duration { drawn <- struct{}{}; return time.Hour }
					}
				}
				r, client := rigFor(t, dial, func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
				})
				f := r.put(rule)
				got := make(chan int, 1)
				go func() {
					res, err := client.Get("http://" + r.addr)
					if err != nil {
						got <- 0
						return
					}
					defer res.Body.Close()
					b, _ := io.ReadAll(res.Body)
					got <- len(b)
				}()
				<-drawn
				eventually(t, "the request is held", func() bool { return f.Active() == 1 })
				r.board.Remove(f)
				if n := <-got; n != 10_000 {
					t.Errorf("got %d bytes", n)
				}
				if x := r.exchange(); len(x.Hits) != 1 || !x.Hits[0].Lifted || x.Hits[0].LetGo != (name != "slow") || x.Requested != 0 {
					t.Errorf("observed %+v", x)
				}
			})
		}
	}
}

func TestAFaultThatBeginsHoldsRequestsThatWait(t *testing.T) {
	asked := make(chan struct{})
	r := start(t, serve(t, func(http.ResponseWriter, *http.Request) { close(asked) }))
	first := r.put(forward.Rule{Before: constant(time.Hour)})
	got := make(chan int, 1)
	go func() { got <- r.get("/").StatusCode }()
	eventually(t, "the request is held", func() bool { return first.Active() == 1 })
	second, err := forward.NewFault(forward.Rule{Reply: &forward.Reply{Status: 503}})
	if err != nil {
		t.Fatal(err)
	}
	r.board.Put(second)
	r.board.Remove(first)
	if status := <-got; status != 503 {
		t.Errorf("status is %d", status)
	}
	select {
	case <-asked:
		t.Error("the upstream was asked")
	default:
	}
}

func TestAFaultThatComesTooLateForARequestDoesNotCountIt(t *testing.T) {
	for _, dial := range []string{"http1", "http2"} {
		t.Run(dial, func(t *testing.T) {
			asked, answer := make(chan struct{}), make(chan struct{})
			r, client := rigFor(t, dial, func(http.ResponseWriter, *http.Request) { close(asked); <-answer })
			got := make(chan int, 1)
			go func() {
				res, err := client.Get("http://" + r.addr)
				if err != nil {
					got <- 0
					return
				}
				defer res.Body.Close()
				got <- res.StatusCode
			}()
			<-asked
			r.put(forward.Rule{Reply: &forward.Reply{Status: 503}})
			r.put(forward.Rule{Before: constant(time.Hour)})
			both := r.put(forward.Rule{Before: constant(time.Hour), After: constant(time.Millisecond)})
			close(answer)
			if status := <-got; status != 200 {
				t.Errorf("status is %d", status)
			}
			x := r.exchange()
			if len(x.Hits) != 1 || x.Hits[0].Fault != both || x.Hits[0].Before != 0 || x.Requested != time.Millisecond || x.Delivered < x.Requested {
				t.Errorf("observed %+v", x)
			}
		})
	}
}

func TestReplyIsGivenWithoutTheUpstream(t *testing.T) {
	for _, dial := range []string{"http1", "http2"} {
		t.Run(dial, func(t *testing.T) {
			r, client := rigFor(t, dial, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was asked") })
			r.put(forward.Rule{Reply: &forward.Reply{Status: 429, Header: []forward.Field{{Name: "Retry-After", Value: "7"}},
				Body: []byte("slow down")}})
			for range 3 {
				res, err := client.Post("http://"+r.addr, "text/plain", strings.NewReader(strings.Repeat("x", 100_000)))
				if err != nil {
					t.Fatal(err)
				}
				if body := text(t, res); res.StatusCode != 429 || res.Header.Get("Retry-After") != "7" || body != "slow down" {
					t.Errorf("answer is %v %q", res, body)
				}
				res.Body.Close()
			}
			if x := r.exchange(); x.Status != 429 || x.Received != 9 {
				t.Errorf("observed %+v", x)
			}
		})
	}
}

func TestAReplyKeepsTheConnectionAndThePipeline(t *testing.T) {
	r := start(t, nettest.Serve(t, say(okAnswer)))
	r.put(forward.Rule{Match: forward.Match{Path: forward.Exact("/bad")}, Reply: &forward.Reply{Status: 503, Body: []byte("no")}})
	answer := r.talk(head("POST /bad HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "2\r\nhi\r\n0\r\n\r\n" +
		head("GET /good HTTP/1.1", "Host: a"))
	want := head("HTTP/1.1 503 Service Unavailable", "Content-Length: 2") + "no" + okAnswer
	if answer != want {
		t.Errorf("answer is %q, want %q", answer, want)
	}
}

func TestAbortIsAResetAtTheClient(t *testing.T) {
	r := start(t, nettest.Serve(t, func(*net.TCPConn) { t.Error("the upstream was asked") }))
	r.put(forward.Rule{Abort: true, Before: constant(time.Millisecond)})
	c := r.dial()
	_, _ = io.WriteString(c, head("GET / HTTP/1.1", "Host: a"))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client saw %v", err)
	}
	if x := r.exchange(); x.Failure != forward.Aborted || x.Requested != time.Millisecond {
		t.Errorf("observed %+v", x)
	}
}

func TestTruncateBodyCutsAfterThatManyBytes(t *testing.T) {
	const size = 300_000
	for _, dial := range []string{"http1", "http2"} {
		for _, chunked := range []bool{false, true} {
			for _, n := range []int64{0, 1, 100_000, size} {
				t.Run(dial, func(t *testing.T) {
					r, client := rigFor(t, dial, func(w http.ResponseWriter, _ *http.Request) {
						if !chunked {
							w.Header().Set("Content-Length", "300000")
						}
						_, _ = io.Copy(w, io.LimitReader(pattern{}, size))
					})
					r.put(forward.Rule{TruncateBody: &n})
					res, err := client.Get("http://" + r.addr)
					if err != nil {
						if n == 0 { // the reset can overtake the head in the client
							return
						}
						t.Fatal(err)
					}
					defer res.Body.Close()
					got, err := io.Copy(io.Discard, res.Body)
					whole := n == size
					if got != n || (err == nil) != whole {
						t.Errorf("got %d of %d bytes, chunked %v, and %v", got, n, chunked, err)
					}
					if x := r.exchange(); (x.Failure == forward.Truncated) == whole || x.Received != n {
						t.Errorf("observed %+v", x)
					}
				})
			}
		}
	}
}

func TestRateIsNeverExceeded(t *testing.T) {
	for _, dial := range []string{"http1", "http2"} {
		t.Run(dial, func(t *testing.T) {
			r, client := rigFor(t, dial, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, strings.Repeat("x", 1000))
			})
			r.put(forward.Rule{Rate: 10_000})
			begin := time.Now()
			res, err := client.Get("http://" + r.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if body := text(t, res); len(body) != 1000 {
				t.Errorf("got %d bytes", len(body))
			}
			if took := time.Since(begin); took < 100*time.Millisecond {
				t.Errorf("1000 bytes at 10000 bytes per second took %v", took)
			}
		})
	}
}

func TestHeadersAndBodyAreChanged(t *testing.T) {
	for _, dial := range []string{"http1", "http2"} {
		t.Run(dial, func(t *testing.T) {
			r, client := rigFor(t, dial, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Saw", r.Header.Get("X-In")+r.Header.Get("X-Gone"))
				w.Header().Set("Etag", "x")
				w.Header().Set("Content-Encoding", "br")
				_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
			})
			r.put(forward.Rule{
				Request:     forward.Edit{Set: []forward.Field{{Name: "x-in", Value: "set"}}, Remove: []string{"X-Gone"}},
				Response:    forward.Edit{Set: []forward.Field{{Name: "X-Out", Value: "set"}}, Remove: []string{"etag"}},
				ReplaceBody: []byte("other"),
			})
			for range 2 {
				req, _ := http.NewRequest(http.MethodGet, "http://"+r.addr, nil)
				req.Header.Set("X-Gone", "here")
				req.Header.Set("X-In", "old")
				res, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				if body := text(t, res); body != "other" || res.ContentLength != 5 {
					t.Errorf("body is %q of %d", body, res.ContentLength)
				}
				res.Body.Close()
				h := res.Header
				if h.Get("Saw") != "set" || h.Get("X-Out") != "set" || h.Get("Etag") != "" || h.Get("Content-Encoding") != "" {
					t.Errorf("header is %v", h)
				}
			}
		})
	}
}

func TestMatchWantsAllThatIsGiven(t *testing.T) {
	pattern, err := forward.Regexp(`/v\d+/.*`)
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string, p forward.Pattern) []forward.Named { return []forward.Named{{Name: name, Value: p}} }
	for name, c := range map[string]struct {
		match forward.Match
		hit   bool
	}{
		"everything":      {forward.Match{}, true},
		"method":          {forward.Match{Method: "GET"}, true},
		"other method":    {forward.Match{Method: "POST"}, false},
		"path":            {forward.Match{Path: forward.Exact("/v1/cart")}, true},
		"other path":      {forward.Match{Path: forward.Exact("/v1")}, false},
		"prefix":          {forward.Match{Path: forward.Prefix("/v1/")}, true},
		"regexp":          {forward.Match{Path: pattern}, true},
		"header":          {forward.Match{Headers: named("x-user", forward.Exact("ann"))}, true},
		"other header":    {forward.Match{Headers: named("x-user", forward.Exact("bob"))}, false},
		"present":         {forward.Match{Headers: named("X-USER", forward.Present())}, true},
		"absent":          {forward.Match{Headers: named("x-other", forward.Present())}, false},
		"cookie":          {forward.Match{Cookies: named("session", forward.Prefix("ab"))}, true},
		"other cookie":    {forward.Match{Cookies: named("sess", forward.Present())}, false},
		"source":          {forward.Match{Source: netip.MustParsePrefix("127.0.0.0/8")}, true},
		"other source":    {forward.Match{Source: netip.MustParsePrefix("10.0.0.0/8")}, false},
		"host":            {forward.Match{Host: forward.Prefix("127.0.0.1:")}, true},
		"other host":      {forward.Match{Host: forward.Exact("a")}, false},
		"not gRPC":        {forward.Match{Service: "v1", GRPCMethod: "cart"}, false},
		"one of two fail": {forward.Match{Method: "GET", Path: forward.Exact("/x")}, false},
	} {
		for _, dial := range []string{"http1", "http2"} {
			t.Run(name+" "+dial, func(t *testing.T) {
				r, client := rigFor(t, dial, func(http.ResponseWriter, *http.Request) {})
				r.put(forward.Rule{Match: c.match, Reply: &forward.Reply{Status: 503}})
				req, _ := http.NewRequest(http.MethodGet, "http://"+r.addr+"/v1/cart?x=/v2", nil)
				req.Header.Set("X-User", "ann")
				req.Header.Set("Cookie", "a=b; session=abc")
				res, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if hit := res.StatusCode == 503; hit != c.hit {
					t.Errorf("hit %v, want %v", hit, c.hit)
				}
			})
		}
	}
}

// TestMaxActiveIsExact lets many requests in at once and counts those that are held.
func TestMaxActiveIsExact(t *testing.T) {
	const limit, requests = 5, 60
	r := start(t, nettest.Serve(t, say(okAnswer)))
	var active, most atomic.Int64
	f := r.put(forward.Rule{MaxActive: limit, Before: constant(time.Hour)})
	var all sync.WaitGroup
	var through atomic.Int64
	for range requests {
		all.Go(func() {
			r.get("/")
			through.Add(1)
		})
	}
	eventually(t, "all others went on unharmed", func() bool {
		active.Store(f.Active())
		most.Store(max(most.Load(), active.Load()))
		return through.Load() == requests-limit
	})
	if f.Active() != limit || most.Load() > limit || f.Overflow() != requests-limit {
		t.Errorf("%d active, at most %d, overflow %d", f.Active(), most.Load(), f.Overflow())
	}
	r.board.Remove(f)
	all.Wait()
	if f.Active() != 0 || f.Hits() != limit {
		t.Errorf("%d active, %d hits", f.Active(), f.Hits())
	}
}

func TestAClientThatLeavesFreesItsPlace(t *testing.T) {
	r := start(t, nettest.Serve(t, say(okAnswer)))
	f := r.put(forward.Rule{MaxActive: 1, Before: constant(time.Hour)})
	c := r.dial()
	_, _ = io.WriteString(c, head("GET / HTTP/1.1", "Host: a"))
	eventually(t, "the request is held", func() bool { return f.Active() == 1 })
	_ = c.SetLinger(0)
	c.Close()
	if x := r.exchange(); x.Failure != forward.ClientGone || x.Requested != forward.MaxDelay {
		t.Errorf("observed %+v", x)
	}
	eventually(t, "its place is free", func() bool { return f.Active() == 0 })
}

func TestImpossibleRulesAreRefused(t *testing.T) {
	minus := int64(-1)
	for name, rule := range map[string]forward.Rule{
		"path":          {Match: forward.Match{Path: forward.Exact("cart")}},
		"query":         {Match: forward.Match{Path: forward.Exact("/cart?x")}},
		"method":        {Match: forward.Match{Method: "G T"}},
		"host":          {Match: forward.Match{Host: forward.Exact("EXAMPLE")}},
		"header":        {Match: forward.Match{Headers: []forward.Named{{Name: "a b"}}}},
		"GET gRPC":      {Match: forward.Match{Method: "GET", Service: "x"}},
		"status":        {Reply: &forward.Reply{Status: 100}},
		"204 body":      {Reply: &forward.Reply{Status: 204, Body: []byte("x")}},
		"two ends":      {Abort: true, Reply: &forward.Reply{Status: 500}},
		"gRPC code":     {GRPC: &forward.GRPCStatus{Code: 17}},
		"cut":           {TruncateBody: &minus},
		"share":         {Share: forward.Share{Millionths: 1_000_001}},
		"framing":       {Response: forward.Edit{Remove: []string{"content-length"}}},
		"split":         {Response: forward.Edit{Set: []forward.Field{{Name: "X", Value: "a\r\nSet-Cookie: b"}}}},
		"reply framing": {Reply: &forward.Reply{Status: 200, Header: []forward.Field{{Name: "Transfer-Encoding", Value: "chunked"}}}},
		"rate":          {Rate: -1},
		"maxActive":     {MaxActive: -1},
	} {
		if _, err := forward.NewFault(rule); err == nil {
			t.Errorf("%s was not refused", name)
		}
	}
}

func TestWebSocketsPassWithTheirEnds(t *testing.T) {
	done := make(chan error, 1)
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		in := bufio.NewReader(c)
		req, err := http.ReadRequest(in)
		if err != nil || req.Header.Get("Upgrade") != "websocket" || req.Header.Get("Connection") != "Upgrade" {
			_, _ = io.WriteString(c, head("HTTP/1.1 400 Bad Request", "Content-Length: 0"))
			return
		}
		_, _ = io.WriteString(c, head("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")+"first")
		_, err = io.Copy(c, in) // echo, until the client's end
		done <- err
	}))
	c := r.dial()
	_, _ = io.WriteString(c, head("GET /chat HTTP/1.1", "Host: a", "Connection: keep-alive, Upgrade", "Upgrade: websocket")+"early")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("answer is %v, %v", res, err)
	}
	const large = 3 << 20
	go func() {
		_, _ = io.Copy(c, io.LimitReader(pattern{}, large))
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(in)
	if err != nil || len(got) != len("firstearly")+large || string(got[:10]) != "firstearly" {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	if err := <-done; err != nil {
		t.Errorf("the upstream saw %v", err)
	}
}

func TestAResetOfATunnelIsPassedOn(t *testing.T) {
	for _, side := range []string{"client", "upstream"} {
		t.Run(side, func(t *testing.T) {
			saw := make(chan error, 1)
			r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				_, _ = io.WriteString(c, head("HTTP/1.1 101 Switching Protocols", "Upgrade: x", "Connection: Upgrade"))
				if side == "upstream" {
					_, _ = c.Read(make([]byte, 1))
					_ = c.SetLinger(0)
					return
				}
				_, err := c.Read(make([]byte, 1))
				saw <- err
			}))
			c := r.dial()
			_, _ = io.WriteString(c, head("GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: x"))
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || res.StatusCode != 101 {
				t.Fatalf("answer is %v, %v", res, err)
			}
			if side == "client" {
				_ = c.SetLinger(0)
				c.Close()
			} else {
				_, _ = io.WriteString(c, "x")
				_, err := c.Read(make([]byte, 1))
				saw <- err
			}
			if err := <-saw; !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the other side saw %v", err)
			}
		})
	}
}
