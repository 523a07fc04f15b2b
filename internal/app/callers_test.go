package app_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
	"mishap/internal/app"
	"mishap/internal/proxy"
	"mishap/internal/proxy/registry"
	"mishap/internal/report"
	"mishap/internal/toxiproxy"
)

// watched is an app with a running proxy "payments" in front of a dependency that always fails.
func watched(t *testing.T) (a *app.App, url string) {
	t.Helper()
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(failing.Close)
	dir := t.TempDir()
	settings := filepath.Join(dir, "mishap.yaml")
	text := fmt.Sprintf("state: %q\nproxies:\n  - {name: payments, listen: \"127.0.0.1:0\", upstream: %q, protocol: http}\n", dir, failing.Listener.Addr())
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(app.Options{Config: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- a.ServeProxies(ctx, proxy.Options{}, toxiproxy.Options{}, func(list []registry.ProxyStatus, _ net.Addr) { ready <- list[0].Listen })
	}()
	select {
	case listen := <-ready:
		t.Cleanup(func() { stop(); <-ended })
		return a, "http://" + listen
	case err := <-ended:
		stop()
		t.Fatal(err)
		return nil, ""
	}
}

// requests is how many callAll makes, and attempts how often it tries each.
const requests, attempts = 44, 5

// callAll makes 44 requests of five attempts each, one after another at a pace, with their numbers in a header. It says how much
// later than their policy has it callers tried again, by their own clock, three times of four: a machine that is busy lets
// everybody wait.
func callAll(url, header string, pace time.Duration, policy func() backoff.BackOff) (late time.Duration) {
	transport := &http.Transport{MaxIdleConnsPerHost: requests}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var all sync.WaitGroup
	var mu sync.Mutex
	var lates []time.Duration
	for i := range requests {
		time.Sleep(pace)
		all.Go(func() {
			var next time.Time
			_ = backoff.RetryNotify(func() error {
				if !next.IsZero() {
					mu.Lock()
					lates = append(lates, time.Since(next))
					mu.Unlock()
				}
				r, err := http.NewRequest(http.MethodGet, url+"/pay", nil)
				if err != nil {
					return err
				}
				r.Header.Set(header, fmt.Sprint(i))
				answer, err := client.Do(r)
				if err != nil {
					return err
				}
				answer.Body.Close()
				return fmt.Errorf("status %d", answer.StatusCode)
			}, backoff.WithMaxRetries(policy(), attempts-1), func(_ error, wait time.Duration) { next = time.Now().Add(wait) })
		})
	}
	all.Wait()
	slices.Sort(lates)
	return lates[len(lates)*3/4]
}

// pace is how fast requests follow each other on a machine that is not busy.
const pace = 5 * time.Millisecond

func times(n int, d time.Duration) time.Duration { return time.Duration(n) * d }

func exponential(first time.Duration, jitter float64) backoff.BackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(first), backoff.WithMultiplier(2), backoff.WithRandomizationFactor(jitter))
}

// told lets callers keep to a policy until the probe says what is wanted. A machine that is busy keeps callers from their
// policy: such a try says nothing, and the next is slower and has longer pauses, if it has any, so that the machine's part of
// them is less. Of others, three in which a stall hid what they did are one too many.
func told(t *testing.T, expect string, pauses bool, policy func(first time.Duration) backoff.BackOff, wanted func(mishap.Observation) bool) {
	t.Helper()
	a, url := watched(t)
	begin, judged := time.Now(), 0
	for try, slow := 0, 1; time.Since(begin) < 5*time.Minute; try++ {
		header := fmt.Sprint("X-Try-", try) // each with a watch of its own
		probe := callersProbe(t, a, header, expect)
		if o := probe.Observe(t.Context()); o.Result != mishap.Unmeasured {
			t.Errorf("before any call: %+v", o)
		}
		first := 12 * pace
		if pauses {
			first = 12 * times(slow, pace)
		}
		late := callAll(url, header, times(slow, pace), func() backoff.BackOff { return policy(first) })
		o := probe.Observe(t.Context())
		if wanted(o) {
			return
		}
		t.Logf("at %d times the time, tried again up to %s late: %+v", slow, late, o)
		if late > first/20 {
			slow = min(2*slow, 32)
		} else if judged++; judged == 3 {
			t.Fatalf("callers kept to their policy three times and were told otherwise, at last %+v", o)
		}
	}
	t.Skip("NOT TESTED: this machine is too busy for callers to keep to any policy")
}

// The larger set, with clients in other languages, is make check-callers.
func TestRealCallersAreToldByTheirPolicy(t *testing.T) {
	for _, p := range []struct {
		policy func(first time.Duration) backoff.BackOff
		pauses bool
		expect string
	}{
		{func(time.Duration) backoff.BackOff { return &backoff.ZeroBackOff{} }, false, `{"backoff": "immediate", "jitter": "absent"}`},
		{func(first time.Duration) backoff.BackOff { return backoff.NewConstantBackOff(first) }, true, `{"backoff": "constant", "jitter": "absent"}`},
		{func(first time.Duration) backoff.BackOff { return exponential(first, 0) }, true, `{"backoff": "exponential", "jitter": "absent"}`},
		{func(first time.Duration) backoff.BackOff { return exponential(first, .5) }, true, `{"backoff": "exponential", "jitter": "present"}`},
	} {
		t.Run(p.expect, func(t *testing.T) {
			told(t, p.expect, p.pauses, p.policy, func(o mishap.Observation) bool { return o.Result == mishap.Met })
		})
	}
}

// A third of the requests is tried again at once, behind the same address as those that back off as they should.
func TestRealCallersOfTwoPoliciesAreAMixture(t *testing.T) {
	var n atomic.Int32
	told(t, `{"backoff": "exponential", "jitter": "present"}`, true, func(first time.Duration) backoff.BackOff {
		if n.Add(1)%3 == 0 {
			return &backoff.ZeroBackOff{}
		}
		return exponential(first, .5)
	}, func(o mishap.Observation) bool {
		return o.Result == mishap.Unmet && strings.Contains(o.Detail, "a mixture of policies")
	})
}

func callersProbe(t *testing.T, a *app.App, header, expect string) mishap.Probe {
	t.Helper()
	for _, k := range a.Probes() {
		if k.Name != "callers" {
			continue
		}
		p, err := k.New(mishap.ProbeSpec{With: []byte(`{"proxy": "payments", "window": "10m", "id": "header:` + header + `"}`), Expect: []byte(expect), Timeout: mishap.Duration(2 * time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatal("no probe callers")
	return nil
}

// observeCalls observes until all calls have been made and none may follow. They begin when it may be looking.
func observeCalls(t *testing.T, a *app.App, url, header string) report.Observed {
	t.Helper()
	ctx, made := context.WithCancel(t.Context())
	go func() {
		defer made()
		time.Sleep(100 * time.Millisecond)
		callAll(url, header, pace, func() backoff.BackOff { return backoff.NewConstantBackOff(100 * time.Millisecond) })
		time.Sleep(time.Second)
	}()
	o, err := a.Observe(ctx, "payments", "header:"+header, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestObservingSaysWhatCallersDoWithoutAFault(t *testing.T) {
	a, url := watched(t)
	o := observeCalls(t, a, url, "X-Try")
	for try := 1; o.Callers.All.Requests.N < requests || o.Callers.All.Attempts < requests*attempts; try++ { // it looked too late for the first, or not long enough after the last
		t.Logf("%d calls were seen, and the end of %d requests", o.Callers.All.Attempts, o.Callers.All.Requests.N)
		o = observeCalls(t, a, url, fmt.Sprint("X-Try-", try))
	}
	if o.Callers.All.Requests.Max != attempts || o.Callers.All.Failed != o.Callers.All.Attempts || o.Faults != 0 {
		t.Errorf("%+v", o)
	}
	var text strings.Builder
	if err := report.ObserveSheet(o).Text(&text); err != nil || !strings.Contains(text.String(), "callers give up after 5 attempts") {
		t.Errorf("%v:\n%s", err, &text)
	}
}

func TestWatchingSaysWhyItCannot(t *testing.T) {
	a, _ := watched(t)
	if _, err := a.Observe(t.Context(), "payment", "", time.Second); !errors.Is(err, mishap.ErrInvalid) || !strings.Contains(err.Error(), "no proxy") {
		t.Errorf("%v", err)
	}
	spec := mishap.ProbeSpec{With: []byte(`{"proxy": "elsewhere"}`), Expect: []byte(`{"attempts": "<= 3"}`)}
	for _, k := range a.Probes() {
		if k.Name == "callers" {
			p, err := k.New(spec)
			if err != nil {
				t.Fatal(err)
			}
			if o := p.Observe(t.Context()); o.Result != mishap.Unmeasured || !strings.Contains(o.Detail, "no proxy") {
				t.Errorf("%+v", o)
			}
		}
	}
}
