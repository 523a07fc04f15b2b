package proxy_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy"
	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
	"mishap/internal/slots"
)

// chain is users, the proxy of the arms, a service, and the proxy of what it depends on.
type chain struct {
	*control.Client
	t     testing.TB
	edge  string
	calls *http.Client
}

// caller lets a service call its dependency with a request's baggage, and gives what became of it.
type caller func(path, baggage string) int

// newChain begins with arms that are told which requests met the fault. The service answers with the status that serve gives.
func newChain(t testing.TB, version string, serve func(r *http.Request, call caller) int) *chain {
	t.Helper()
	c := &chain{t: t, calls: &http.Client{Timeout: patience, Transport: &http.Transport{Protocols: speaks(version)}}}
	listen := func(h http.HandlerFunc) string {
		s := httptest.NewUnstartedServer(h)
		s.Config.Protocols = speaks("both")
		s.Start()
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	dependency := ""
	call := func(path, baggage string) int {
		req, err := http.NewRequest(http.MethodPost, "http://"+dependency+path, nil)
		if err != nil {
			t.Error(err)
			return 0
		}
		if baggage != "" {
			req.Header.Set("Baggage", baggage)
		}
		if version == "grpc" {
			req.Header.Set("Content-Type", "application/grpc")
		}
		return c.do(req)
	}
	shop := listen(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(serve(r, call)) })
	pays := listen(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "paid") })
	socket := filepath.Join(t.TempDir(), "c.sock")
	list, _ := serveWith(t, proxy.Options{Listeners: []listener.Config{
		{Name: "web", Listen: "127.0.0.1:0", Upstream: shop, Control: socket, Protocol: fault.HTTP, Edge: true},
		{Name: "pays", Listen: "127.0.0.1:0", Upstream: pays, Control: socket, Protocol: fault.HTTP},
	}})
	dependency = list[1].Listen
	c.edge, c.Client = list[0].Listen, control.NewClient(socket)
	f := arms("a", .5)
	f.Effect = told(f.Effect.(fault.Arms))
	c.put(f)
	return c
}

// told are arms that are told which requests met the fault. They wait as long as tests do: what a busy machine tells late is
// not late.
func told(a fault.Arms) fault.Arms {
	a.Counts = &fault.Counts{Rows: []fault.CountRow{{Name: "ok", Of: fault.OfFailures}}, Exposed: true}
	a.Patience = fault.Duration(patience)
	return a
}

// speaks are the versions of HTTP of a client or server.
func speaks(version string) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(version != "http2" && version != "grpc")
	p.SetUnencryptedHTTP2(version != "http1")
	return p
}

func (c *chain) put(f fault.Fault) {
	c.t.Helper()
	if _, err := c.Put(c.t.Context(), f); err != nil {
		c.t.Fatal(err)
	}
}

// do sends a request, and gives its status; of a call of gRPC that ended with another status than OK it is 503.
func (c *chain) do(req *http.Request) int {
	res, err := c.calls.Do(req)
	if err != nil {
		c.t.Error(err)
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	if status := cmp.Or(res.Header.Get("Grpc-Status"), res.Trailer.Get("Grpc-Status"), "0"); status != "0" {
		return http.StatusServiceUnavailable
	}
	return res.StatusCode
}

// visit asks for a page as users from one on.
func (c *chain) visit(path string, from, users int) {
	for user := from; user < from+users; user++ {
		req, err := http.NewRequest(http.MethodGet, "http://"+c.edge+path, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		req.Header.Set("Cookie", fmt.Sprintf("session=u%d", user))
		c.do(req)
	}
}

// join lets the edge know what a watch has seen, until it has joined all that came.
func (c *chain) join(watch attempts.MetWatch) (joined registry.Joined, met attempts.Met) {
	c.t.Helper()
	return c.joinOf("a", watch)
}

// joinOf is join of other arms.
func (c *chain) joinOf(arms string, watch attempts.MetWatch) (joined registry.Joined, met attempts.Met) {
	c.t.Helper()
	report, err := c.Arms(c.t.Context(), arms, 0, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	came := report.Allocation.Requests()
	eventually(c.t, "all requests are joined", func() bool {
		if met, err = c.Met(c.t.Context(), "pays", watch); err != nil {
			c.t.Fatal(err)
		}
		if joined, err = c.Meet(c.t.Context(), arms, registry.Meeting{Run: watch.Run, Met: met.IDs, Through: joined.Over}); err != nil {
			c.t.Fatal(err)
		}
		watch.After = met.Seq
		of := joined.Before.Of
		return of.Control+of.Experiment+joined.Since.Of.Control+joined.Since.Of.Experiment == came
	})
	return joined, met
}

func (c *chain) sums(row string) (control, experiment [4]float64) {
	c.t.Helper()
	report, err := c.Arms(c.t.Context(), "a", 0, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	r, _ := report.Counted.Sums.Row(row)
	return beforeAndSince(r.Control), beforeAndSince(r.Experiment)
}

// watching are the faults of a run as its watch is given them.
func watching(effect fault.Effect, share float64) attempts.MetWatch {
	return attempts.MetWatch{Run: "r", Keep: fault.Duration(time.Minute), Faults: []fault.Fault{{ID: "f", Effect: effect, Share: share, Seed: 3}}}
}

// TestWhatIsToldToMeetTheFaultIsWhatItHits, of whichever protocol: before and after it is in, and of control those alike.
func TestWhatIsToldToMeetTheFaultIsWhatItHits(t *testing.T) {
	for version, effect := range map[string]func(arm string) fault.Effect{
		"http1": func(arm string) fault.Effect {
			return fault.HTTPError{Requests: fault.Requests{Method: "POST", Path: "/shop.Pay/*", Arm: arm}, Status: 503}
		},
		"http2": func(arm string) fault.Effect {
			return fault.HTTPError{Requests: fault.Requests{Method: "POST", Path: "/shop.Pay/*", Arm: arm}, Status: 503}
		},
		"grpc": func(arm string) fault.Effect {
			return fault.GRPCError{Requests: fault.Requests{Service: "shop.Pay", Arm: arm}, Code: 14}
		},
	} {
		t.Run(version, func(t *testing.T) {
			c := newChain(t, version, func(r *http.Request, call caller) int {
				switch r.URL.Path {
				case "/pay":
					return call("/shop.Pay/Charge", r.Header.Get("Baggage"))
				case "/other":
					return call("/shop.Cart/Add", r.Header.Get("Baggage"))
				}
				return http.StatusOK
			})
			watch := watching(effect(""), .5)
			if _, err := c.Met(t.Context(), "pays", watch); err != nil {
				t.Fatal(err)
			}
			c.visit("/pay", 0, 60)
			c.join(watch) // what is under way at the injection is of neither time
			if _, err := c.SetInjecting(t.Context(), "a", registry.Injecting{Run: "r", At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			c.visit("/pay", 0, 50) // the fault is not in yet: nobody met it
			f := confined("f", effect(experimentToken))
			f.Proxy, f.Share, f.Seed = "pays", .5, 3
			c.put(f)
			c.visit("/pay", 0, 100)
			c.visit("/other", 0, 40)
			c.visit("/", 0, 40)
			joined, met := c.join(watch)
			hit := c.get("f").Stats
			if before := joined.Before; before.Met.Control == 0 || before.Met.Experiment == 0 || before.Met.Control == before.Of.Control {
				t.Errorf("in the baseline %+v", before)
			}
			if joined.Since.Met.Experiment != hit.Requests || hit.Requests == 0 || joined.Since.Met.Control == 0 || joined.Foreign+joined.Late != 0 || joined.Failed != "" {
				t.Errorf("joined %+v; the fault hit %d", joined, hit.Requests)
			}
			if of := joined.Since.Of; of.Control+of.Experiment != 230 || met.NoID+met.Lost+met.Other != 0 {
				t.Errorf("of %+v, met %+v", of, met)
			}
			control, experiment := c.sums("ok")
			if n := float64(hit.Requests); experiment[0] != n || experiment[1] != n || control[0] != float64(joined.Since.Met.Control) || control[1] != 0 {
				t.Errorf("rows: control %v, experiment %v", control, experiment)
			}
			if control, experiment = c.sums("ok all"); control[0]+experiment[0] != 230 || experiment[1] != float64(hit.Requests) {
				t.Errorf("rows of all: control %v, experiment %v", control, experiment)
			}
		})
	}
}

func (c *chain) get(id string) registry.Status {
	c.t.Helper()
	s, err := c.Get(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// TestHowAServiceCallsDoesNotMatter: several times, after its answer, with what others put into its baggage.
func TestHowAServiceCallsDoesNotMatter(t *testing.T) {
	const path = "/pay"
	later := make(chan func(), 1000)
	forge := func(with func(baggage string) string) func(*http.Request, caller) int {
		return func(r *http.Request, call caller) int { return call(path, with(r.Header.Get("Baggage"))) }
	}
	for name, x := range map[string]struct {
		serve                func(r *http.Request, call caller) int
		met                  bool
		noID, foreign, other bool
	}{
		"once": {serve: forge(func(b string) string { return b }), met: true},
		"three times": {serve: func(r *http.Request, call caller) int {
			for range 3 {
				call(path, r.Header.Get("Baggage"))
			}
			return http.StatusOK
		}, met: true},
		"after its answer": {serve: func(r *http.Request, call caller) int {
			baggage := r.Header.Get("Baggage")
			later <- func() { call(path, baggage) }
			return http.StatusOK
		}, met: true},
		"not at all":         {serve: func(*http.Request, caller) int { return http.StatusOK }},
		"without baggage":    {serve: forge(func(string) string { return "" }), other: true},
		"without its id":     {serve: forge(func(b string) string { return b[:strings.Index(b, ",mishap.req")] }), noID: true},
		"without its token":  {serve: forge(func(b string) string { return strings.Replace(b, "mishap.token=", "token=", 1) }), other: true},
		"with its id cut":    {serve: forge(func(b string) string { return b[:len(b)-2] }), foreign: true},
		"with its id twice":  {serve: forge(func(b string) string { return b + "," + b[strings.Index(b, "mishap.req"):] }), met: true},
		"with another id":    {serve: forge(func(b string) string { return b + ",mishap.req=0.abc" }), noID: true},
		"with a forged id":   {serve: forge(func(b string) string { return b[:strings.Index(b, "mishap.req")] + "mishap.req=0.abc" }), foreign: true},
		"with what is no id": {serve: forge(func(b string) string { return b[:strings.Index(b, "mishap.req")] + "mishap.req=%00%01" }), noID: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t, "http1", x.serve)
			watch := watching(fault.HTTPAbort{Requests: fault.Requests{Path: path}}, 1)
			if _, err := c.Met(t.Context(), "pays", watch); err != nil {
				t.Fatal(err)
			}
			c.visit("/", 0, 20)
			for len(later) > 0 {
				(<-later)()
			}
			joined, met := c.join(watch)
			want := registry.PerArm{}
			if x.met {
				want = joined.Before.Of
			}
			if joined.Before.Met != want || joined.Failed != "" || joined.Late > 0 {
				t.Errorf("joined %+v", joined)
			}
			if (met.NoID == 20) != x.noID || (joined.Foreign == 20) != x.foreign || (met.Other == 20) != x.other {
				t.Errorf("joined %+v, met %+v", joined, met)
			}
		})
	}
}

// TestNobodyOutsideGivesARequestAnID.
func TestNobodyOutsideGivesARequestAnID(t *testing.T) {
	var got string
	c := newChain(t, "http1", func(r *http.Request, _ caller) int {
		got = r.Header.Get("Baggage")
		return http.StatusOK
	})
	req, _ := http.NewRequest(http.MethodGet, "http://"+c.edge, nil)
	req.Header.Set("Cookie", "session=u1")
	req.Header.Set("Baggage", "mishap.req=0.abc,a=1,mishap%2ereq=0.abd")
	c.do(req)
	if strings.Count(got, "req=") != 1 || strings.Contains(got, "0.ab") || !strings.HasSuffix(got, ",a=1") {
		t.Errorf("upstream gets %q", got)
	}
	_, id, _ := strings.Cut(got, "mishap.req=")
	if id, _, _ = strings.Cut(id, ","); len(id) == 0 || len(id) > forward.MaxID {
		t.Errorf("its id is %q", id)
	}
}

func TestAWatchOfWhoMeetsAFaultThatCannotBeSaysWhy(t *testing.T) {
	c := newChain(t, "http1", func(*http.Request, caller) int { return http.StatusOK })
	good := func() attempts.MetWatch { return watching(fault.HTTPAbort{}, 1) }
	if _, err := c.Met(t.Context(), "pays", good()); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*attempts.MetWatch){
		"run \"\" must be":     func(w *attempts.MetWatch) { w.Run = "" },
		"keep must be above 0": func(w *attempts.MetWatch) { w.Keep = 0 },
		"from 1 to 32 faults":  func(w *attempts.MetWatch) { w.Faults = nil },
		"hits no requests":     func(w *attempts.MetWatch) { w.Faults[0].Effect = latency(ms, 0) },
		"depends on other requests": func(w *attempts.MetWatch) {
			w.Faults[0].Effect = fault.HTTPAbort{Requests: fault.Requests{MaxActive: 1}}
		},
		"can never match": func(w *attempts.MetWatch) {
			w.Faults[0].Effect = fault.HTTPAbort{Requests: fault.Requests{Path: "pay"}}
		},
		"share 2 must be":         func(w *attempts.MetWatch) { w.Faults[0].Share = 2 },
		"watches by other faults": func(w *attempts.MetWatch) { w.Faults[0].Share = .5 },
	} {
		w := good()
		change(&w)
		if _, err := c.Met(t.Context(), "pays", w); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	for i := range 15 {
		w := good()
		w.Run = fmt.Sprint("other-", i)
		if _, err := c.Met(t.Context(), "pays", w); err != nil {
			t.Error(err)
		}
	}
	w := good()
	w.Run = "one-too-many"
	if _, err := c.Met(t.Context(), "pays", w); err == nil || !strings.Contains(err.Error(), "watch already") {
		t.Error(err)
	}
	if _, err := c.Met(t.Context(), "nobody", good()); err == nil || !strings.Contains(err.Error(), `no proxy "nobody"`) {
		t.Error(err)
	}
}

func beforeAndSince(s slots.Side) [4]float64 {
	return [4]float64{s.Since.N, s.Since.Y, s.Before.N, s.Before.Y}
}
