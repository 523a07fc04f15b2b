package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
)

const (
	controlToken    = "0123456789abcdef0"
	experimentToken = "0123456789abcdef1"
)

const (
	ms    = time.Millisecond
	width = fault.ArmsWidth
)

// counting are arms that count failures, a p50 and events.
func counting(change ...func(*fault.Counts)) fault.Arms {
	c := &fault.Counts{Rows: []fault.CountRow{{Name: "ok", Of: fault.OfFailures}, {Name: "p50", Of: fault.OfSlow}, {Name: "paid", Of: fault.OfEvents}}}
	for _, f := range change {
		f(c)
	}
	return fault.Arms{Counts: c}
}

// arms are those of run r on the proxy of a rig, by the cookie session.
func arms(id string, share float64) fault.Fault {
	f := with(id, fault.Arms{Key: "cookie:session", Tokens: fault.ArmTokens{Control: controlToken, Experiment: experimentToken}})
	f.Run, f.Share, f.Seed = "r", share, 7
	return f
}

func confined(id string, e fault.Effect) fault.Fault {
	f := with(id, e)
	f.Run = "r"
	return f
}

func inExperiment() fault.Requests { return fault.Requests{Arm: experimentToken} }

// armsOf asks until all requests of the arms are in closed buckets.
func (r *rig) armsOf(id string, requests uint32) (report registry.ArmsReport, control, experiment registry.ArmBucket) {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%d requests are in closed buckets", requests), func() bool {
		var err error
		if report, err = r.Arms(r.t.Context(), id, 0, 0); err != nil {
			r.t.Fatal(err)
		}
		control, experiment = registry.ArmBucket{}, registry.ArmBucket{}
		for _, b := range report.Buckets {
			for sum, one := range map[*registry.ArmBucket]registry.ArmBucket{&control: b.Control, &experiment: b.Experiment} {
				sum.Requests, sum.Successes, sum.Units = sum.Requests+one.Requests, sum.Successes+one.Successes, sum.Units+one.Units
			}
		}
		return control.Requests+experiment.Requests == requests
	})
	return report, control, experiment
}

// get asks the control API as curl does.
func get(t testing.TB, socket, path string) string {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	res, err := c.Get("http://proxy" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v %s", path, res.StatusCode, err, body)
	}
	return string(body)
}

// session is a cookie that is of the arm which the service behind the proxy is told; the first user is 0.
func (r *rig) session(c *http.Client, arm string) string {
	r.t.Helper()
	for i := range 1000 {
		cookie := fmt.Sprintf("session=u%d", i)
		if _, text, err := r.ask(c, "GET", "/", "Cookie", cookie); err != nil || strings.Contains(text, "mishap.arm="+arm) {
			return cookie
		}
	}
	r.t.Fatalf("nobody is in arm %q", arm)
	return ""
}

// tellBaggage is a service that says what baggage it was sent.
func tellBaggage(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Header.Get("Baggage"))
}

func TestArmsCountWhatBecomesOfBoth(t *testing.T) {
	r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol, o.Listeners[0].Edge = fault.HTTP, true })
	c := &http.Client{Timeout: patience}
	r.put(arms("a", .5))
	r.put(confined("f", fault.HTTPError{Requests: inExperiment(), Status: 503}))
	for user := range 100 {
		for range 2 {
			if _, _, err := r.ask(c, "GET", "/", "Cookie", fmt.Sprintf("session=u%d", user)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 {
		_, _, _ = r.ask(c, "GET", "/")
	}
	report, control, experiment := r.armsOf("a", 200)
	if control.Requests < 60 || control.Successes != control.Requests || experiment.Successes != 0 || control.Units*2 != control.Requests || experiment.Units*2 != experiment.Requests {
		t.Errorf("control %+v, experiment %+v", control, experiment)
	}
	if a := report.Allocation; a.WithoutKey != 3 || a.Outside != 0 || a.Control.Units != uint64(control.Units) || a.Experiment.Requests != uint64(experiment.Requests) {
		t.Errorf("allocation %+v", a)
	}
	if report.Run != "r" || report.Share != .5 || report.Key != "cookie:session" || report.State != registry.InForce || len(report.Bounds) != 82 {
		t.Errorf("report %+v", report)
	}
	f := r.get("f").Stats
	if f.Requests != uint64(experiment.Requests) || f.Arms.Experiment.Treated != f.Requests || f.Arms.Control.Treated != 0 || f.Arms.Control.Passed != uint64(control.Requests) {
		t.Errorf("the fault %+v, by arm %+v", f, f.Arms)
	}
	if s := r.get("a").Stats; s.Requests != 200 || s.Felt() != 200 || !strings.Contains(s.Did(), "3 without the key") {
		t.Errorf("stats %+v: %s", s, s.Did())
	}
	page := get(t, r.socket, "/metrics")
	for _, want := range []string{
		fmt.Sprintf(`mishap_proxy_arm_requests_total{proxy="web",fault="a",kind="arms",run="r",arm="experiment"} %d`, experiment.Requests),
		fmt.Sprintf(`mishap_proxy_arm_successes_total{proxy="web",fault="a",kind="arms",run="r",arm="control"} %d`, control.Successes),
		`mishap_proxy_arms_skipped_total{proxy="web",fault="a",kind="arms",run="r",why="without key"} 3`,
		`mishap_proxy_fault_arm_treated_total{proxy="web",fault="f",kind="http-error",run="r",arm="control"} 0`,
		fmt.Sprintf(`mishap_proxy_fault_arm_passed_total{proxy="web",fault="f",kind="http-error",run="r",arm="control"} %d`, control.Requests),
		fmt.Sprintf(`mishap_proxy_arm_latency_seconds_count{proxy="web",fault="a",kind="arms",run="r",arm="control"} %d`, control.Requests),
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if all := get(t, r.socket, "/v1/faults") + page; strings.Contains(all, experimentToken) || strings.Contains(all, controlToken) {
		t.Error("the proxy tells tokens")
	}
	r.remove("a")
	if after, _, _ := r.armsOf("a", 200); after.State != registry.Ended {
		t.Errorf("ended, the arms are %q", after.State)
	}
}

func TestDelaysAreCountedByArm(t *testing.T) {
	r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	c := &http.Client{Timeout: patience}
	r.put(arms("a", .5))
	experiment, control := r.session(c, "experiment"), r.session(c, "control")
	r.put(confined("f", fault.HTTPLatency{Requests: inExperiment(), Spread: fault.Spread{Delay: fault.Duration(20 * ms)}}))
	for range 3 {
		_, _, _ = r.ask(c, "GET", "/", "Cookie", experiment)
		_, _, _ = r.ask(c, "GET", "/", "Cookie", control)
	}
	var by *registry.ByArm
	eventually(t, "both arms are counted", func() bool {
		by = r.get("f").Stats.Arms
		return by != nil && by.Experiment.Treated == 3 && by.Control.Passed == 3
	})
	if e := by.Experiment; e.Requested.Min != 20*ms || e.Delivered.Min < 20*ms || e.Delivered.Count != 3 {
		t.Errorf("experiment %+v", e)
	}
	if c := by.Control; c.Requested.Max != 0 || c.Delivered.Max != 0 || c.Treated != 0 {
		t.Errorf("control %+v", c)
	}
}

func TestALargerShareOnlyAddsUnits(t *testing.T) {
	r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	c := &http.Client{Timeout: patience}
	before := map[int]string{}
	for _, share := range []float64{.1, .3, .5} {
		r.put(arms("a", share))
		for user := range 200 {
			_, text, err := r.ask(c, "GET", "/", "Cookie", fmt.Sprintf("session=u%d", user))
			if err != nil {
				t.Fatal(err)
			}
			if before[user] != "" && before[user] != text {
				t.Fatalf("user %d went from %q to %q", user, before[user], text)
			}
			before[user] = text
		}
	}
	a := r.get("a").Stats.Allocation
	if a.Control.Units+a.Experiment.Units != 200 || a.Requests() >= 600 {
		t.Errorf("over all shares: %+v", a)
	}
	smaller, seeded := arms("a", .2), arms("a", .5)
	seeded.Seed = 8
	for says, f := range map[string]fault.Fault{"cannot be lowered from 0.5 to 0.2": smaller, "only the share can be changed": seeded} {
		if _, err := r.Put(t.Context(), f); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}

func TestWhatIsSaidFromOutsideIsNotHeard(t *testing.T) {
	for _, edge := range []bool{true, false} {
		r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol, o.Listeners[0].Edge = fault.HTTP, edge })
		c := &http.Client{Timeout: patience}
		r.put(confined("f", fault.HTTPError{Requests: inExperiment(), Status: 503}))
		status, text, err := r.ask(c, "GET", "/", "Baggage", "mishap.run=r,mishap.arm=experiment,mishap.token="+experimentToken+",a=1")
		if err != nil || edge && (status != 200 || text != "a=1") || !edge && status != 503 {
			t.Errorf("edge %v: %d %q %v", edge, status, text, err)
		}
		// What only claims to be in an arm hits nothing, inside too.
		if status, _, _ := r.ask(c, "GET", "/", "Baggage", "mishap.run=r,mishap.arm=experiment,mishap.token=guess"); status != 200 {
			t.Errorf("edge %v: a guess got %d", edge, status)
		}
	}
}

func TestArmsEndByThemselves(t *testing.T) {
	r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	c := &http.Client{Timeout: patience}
	f := arms("a", .5)
	f.Expires = 300 * ms
	r.put(f)
	eventually(t, "nobody is in an arm any more", func() bool {
		_, text, err := r.ask(c, "GET", "/", "Cookie", "session=u1")
		return err == nil && text == ""
	})
	if s := r.get("a"); s.State != registry.Expired {
		t.Errorf("the arms are %q", s.State)
	}
}

func TestArmsThatCannotBeAreRefusedWithASentence(t *testing.T) {
	web := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	tcp := start(t, nettest.Serve(t, nettest.Echo))
	web.put(arms("a", .1))
	second := arms("b", .1)
	second.Run = "r2"
	change := func(edit func(f *fault.Fault, a *fault.Arms)) fault.Fault {
		f := arms("x", .1)
		a := f.Effect.(fault.Arms)
		edit(&f, &a)
		f.Effect = a
		return f
	}
	nobody := with("n", fault.HTTPAbort{Requests: inExperiment()})
	for _, c := range []struct {
		r    *rig
		f    fault.Fault
		says string
	}{
		{tcp, arms("x", .1), `arms is for the requests of proxies with protocol http, and proxy "web" is tcp: use a proxy with protocol http`},
		{web, second, `proxy "web" assigns the arms of run "r" already`},
		{web, arms("x", .51), "share 0.51 is that of each arm, and at most 0.5"},
		{web, arms("x", 0), "share 1 is that of each arm, and at most 0.5"},
		{web, change(func(f *fault.Fault, _ *fault.Arms) { f.Run = "" }), "it names the arms"},
		{web, change(func(_ *fault.Fault, a *fault.Arms) { a.Key = "" }), "key is missing"},
		{web, change(func(_ *fault.Fault, a *fault.Arms) { a.Key = "session" }), `key "session" must be`},
		{web, change(func(_ *fault.Fault, a *fault.Arms) { a.Tokens.Control = "short" }), "at least 16 characters"},
		{web, change(func(_ *fault.Fault, a *fault.Arms) { a.Tokens.Control = a.Tokens.Experiment }), "the same token"},
		{web, change(func(_ *fault.Fault, a *fault.Arms) { a.Patience = fault.Duration(time.Hour) }), "patience 1h0m0s must be from"},
		{web, nobody, "the arm is one of the run's"},
		{web, confined("n", fault.HTTPAbort{Requests: fault.Requests{Arm: "a b"}}), "can never match"},
	} {
		if _, err := c.r.Put(t.Context(), c.f); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.f.ID, err, c.says)
		}
	}
	for id, says := range map[string]string{"nothing": "there is no fault", "f": "assigns no arms"} {
		web.put(confined("f", fault.HTTPAbort{Requests: inExperiment()}))
		if _, err := web.Arms(t.Context(), id, 0, 0); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("arms of %s: %v", id, err)
		}
	}
	l := listener.Config{Name: "x", Listen: "127.0.0.1:0", Upstream: "127.0.0.1:1", Edge: true, Control: t.TempDir() + "/c"}
	if err := proxy.Serve(t.Context(), proxy.Options{Listeners: []listener.Config{l}}); err == nil || !strings.Contains(err.Error(), "others know no baggage") {
		t.Errorf("edge of tcp: %v", err)
	}
}

// TestTheArmsOfTheNextRunTakeTheRoomOfTheLast: one run after the other may have arms on a proxy.
func TestTheArmsOfTheNextRunTakeTheRoomOfTheLast(t *testing.T) {
	r := startWith(t, newService(t, tellBaggage), func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	r.put(arms("a", .1))
	r.remove("a")
	if _, err := r.Arms(t.Context(), "a", 0, 0); err != nil {
		t.Errorf("after their end: %v", err)
	}
	next := arms("b", .1)
	next.Run = "r2"
	r.put(next)
	if _, err := r.Arms(t.Context(), "a", 0, 0); err == nil || !strings.Contains(err.Error(), "are gone") {
		t.Errorf("after the next: %v", err)
	}
}

// TestAClientThatGivesUpWasNotServed: of HTTP/1 too, where the answer that comes later still goes out.
func TestAClientThatGivesUpWasNotServed(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	up := newService(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(400 * time.Millisecond) // that is how long it waits
		leave()
		<-r.Context().Done()
		w.WriteHeader(http.StatusOK)
	})
	r := startWith(t, up, func(o *proxy.Options) { o.Listeners[0].Protocol = fault.HTTP })
	f := arms("a", .5)
	f.Effect = told(f.Effect.(fault.Arms))
	r.put(f)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Cookie", "session=u1")
	if resp, err := http.DefaultClient.Do(request); err == nil {
		resp.Body.Close()
		t.Fatal("the client was answered")
	}
	report, control, experiment := r.armsOf("a", 1)
	if control.Successes+experiment.Successes != 0 {
		t.Errorf("counted as a success: %+v", report.Buckets)
	}
	for _, b := range report.Buckets {
		if b.Control.Requests+b.Experiment.Requests != b.Control.Gone+b.Experiment.Gone {
			t.Errorf("the client is not said to be gone: %+v", b)
		}
	}
}
