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

// callAll makes 44 requests of five attempts each, with their numbers in a header.
func callAll(url, header string, policy func() backoff.BackOff) {
	transport := &http.Transport{MaxIdleConnsPerHost: 44}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var all sync.WaitGroup
	for i := range 44 {
		time.Sleep(5 * time.Millisecond)
		all.Go(func() {
			_ = backoff.Retry(func() error {
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
			}, backoff.WithMaxRetries(policy(), 4))
		})
	}
	all.Wait()
}

// The larger set, with clients in other languages, is make check-callers.
func TestRealCallersAreToldByTheirPolicy(t *testing.T) {
	exponential := func(jitter float64) func() backoff.BackOff {
		return func() backoff.BackOff {
			return backoff.NewExponentialBackOff(backoff.WithInitialInterval(60*time.Millisecond), backoff.WithMultiplier(2), backoff.WithRandomizationFactor(jitter))
		}
	}
	for _, p := range []struct {
		policy func() backoff.BackOff
		expect string
	}{
		{func() backoff.BackOff { return &backoff.ZeroBackOff{} }, `{"backoff": "immediate", "jitter": "absent"}`},
		{func() backoff.BackOff { return backoff.NewConstantBackOff(100 * time.Millisecond) }, `{"backoff": "constant", "jitter": "absent"}`},
		{exponential(0), `{"backoff": "exponential", "jitter": "absent"}`},
		{exponential(.5), `{"backoff": "exponential", "jitter": "present"}`},
	} {
		t.Run(p.expect, func(t *testing.T) {
			a, url := watched(t)
			var o mishap.Observation
			for try := range 3 { // a machine that stalls all callers hides what they do
				header := fmt.Sprint("X-Try-", try) // each with a watch of its own
				probe := callersProbe(t, a, header, p.expect)
				if o := probe.Observe(t.Context()); o.Result != mishap.Unmeasured {
					t.Errorf("before any call: %+v", o)
				}
				callAll(url, header, p.policy)
				if o = probe.Observe(t.Context()); o.Result == mishap.Met {
					return
				}
				t.Logf("%+v", o)
			}
			t.Errorf("%+v", o)
		})
	}
}

// A third of the requests is tried again at once, behind the same address as those that back off as they should.
func TestRealCallersOfTwoPoliciesAreAMixture(t *testing.T) {
	a, url := watched(t)
	var o mishap.Observation
	for try := range 3 { // a machine that stalls all callers hides what they do
		header := fmt.Sprint("X-Try-", try)
		probe := callersProbe(t, a, header, `{"backoff": "exponential", "jitter": "present"}`)
		probe.Observe(t.Context())
		var n atomic.Int32
		callAll(url, header, func() backoff.BackOff {
			if n.Add(1)%3 == 0 {
				return &backoff.ZeroBackOff{}
			}
			return backoff.NewExponentialBackOff(backoff.WithInitialInterval(60*time.Millisecond), backoff.WithMultiplier(2), backoff.WithRandomizationFactor(0.5))
		})
		if o = probe.Observe(t.Context()); o.Result == mishap.Unmet && strings.Contains(o.Detail, "a mixture of policies") {
			t.Log(o.Detail)
			return
		}
	}
	t.Errorf("%+v", o)
}

func callersProbe(t *testing.T, a *app.App, header, expect string) mishap.Probe {
	t.Helper()
	for _, k := range a.Probes() {
		if k.Name != "callers" {
			continue
		}
		p, err := k.New(mishap.ProbeSpec{With: []byte(`{"proxy": "payments", "id": "header:` + header + `"}`), Expect: []byte(expect), Timeout: mishap.Duration(5 * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatal("no probe callers")
	return nil
}

func TestObservingSaysWhatCallersDoWithoutAFault(t *testing.T) {
	a, url := watched(t)
	go func() {
		time.Sleep(100 * time.Millisecond)
		callAll(url, "Idempotency-Key", func() backoff.BackOff { return backoff.NewConstantBackOff(100 * time.Millisecond) })
	}()
	o, err := a.Observe(t.Context(), "payments", "", 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if o.Callers.All.Requests.Max != 5 || o.Callers.All.Failed != o.Callers.All.Attempts || o.Faults != 0 {
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
