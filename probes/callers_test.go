package probes_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/probes"
)

// observeCallers lets the probe look at what was seen.
func observeCallers(t *testing.T, seen probes.CallersSeen, expect object) mishap.Observation {
	t.Helper()
	deps := probes.Deps{Callers: func(_ context.Context, q probes.CallersQuery) (probes.CallersSeen, error) {
		if q.Proxy == "gone" {
			return seen, errors.New("the proxy is not running")
		}
		if q != (probes.CallersQuery{Proxy: "payments", ID: "header:X-Id", Arm: "experiment", Window: time.Minute}) {
			t.Errorf("asked for %+v", q)
		}
		return seen, nil
	}}
	spec := mishap.ProbeSpec{Timeout: mishap.Duration(patience)}
	spec.With, _ = json.Marshal(object{"proxy": "payments", "id": "header:X-Id", "arm": "experiment"})
	spec.Expect, _ = json.Marshal(expect)
	for _, k := range probes.Catalog(deps) {
		if k.Name == "callers" {
			p, err := k.New(spec)
			if err != nil {
				t.Fatal(err)
			}
			return p.Observe(t.Context())
		}
	}
	t.Fatal("no such probe")
	return mishap.Observation{}
}

// amplifying is a caller that tries too often.
func amplifying() probes.CallerSeen {
	return probes.CallerSeen{
		Summary: "7.9 attempts per request, gaps constant (100ms), no jitter", Calls: 400, HasIDs: true, Requests: 50, MaxAttempts: 8, Mean: 7.9,
		Backoff: "constant", BackoffWords: "gaps constant (100ms)", Jitter: "absent", JitterWords: "no jitter",
		Circuit: "never", CircuitWords: "callers never stopped calling: 12s of failures", Failing: 12 * time.Second,
		Timeout: 3 * time.Second, LongestWait: 4 * time.Second, TimeoutWords: "callers give up waiting after 3s (10 times)",
	}
}

// polite is one that does everything right.
func polite() probes.CallerSeen {
	return probes.CallerSeen{
		Summary: "2 attempts per request, gaps exponential (100ms ×2), full jitter", Calls: 100, HasIDs: true, Requests: 50, MaxAttempts: 3, Mean: 2,
		Backoff: "exponential", Jitter: "present", Circuit: "opens", Opened: 4 * time.Second, Open: 20 * time.Second, Trials: 4, TrialRate: .2,
		Timeout: 2020 * time.Millisecond, LongestWait: 2100 * time.Millisecond,
	}
}

func TestCallersAreJudged(t *testing.T) {
	unknown := func(change func(*probes.CallerSeen)) probes.CallerSeen {
		s := polite()
		change(&s)
		return s
	}
	few := unknown(func(s *probes.CallerSeen) { s.Requests = 3 })
	bare := unknown(func(s *probes.CallerSeen) { s.HasIDs, s.LoadRatio = false, 3 })
	none := unknown(func(s *probes.CallerSeen) { s.HasIDs = false })
	for _, c := range []struct {
		expect object
		seen   probes.CallerSeen
		want   mishap.Result
		detail string
	}{
		{object{"attempts": "<= 3"}, polite(), mishap.Met, ""},
		{object{"attempts": "<= 3", "backoff": "exponential"}, probes.CallerSeen{}, mishap.Unmeasured, "no call came in the last 1m"},
		{object{"attempts": "<= 3"}, amplifying(), mishap.Unmet, "8 attempts, expected <= 3 (7.9 attempts per request, gaps constant (100ms), no jitter)"},
		{object{"attempts": "<= 3"}, few, mishap.Unmeasured, "3 requests seen to the end"},
		{object{"attempts": "<= 2"}, few, mishap.Unmet, "3 attempts"},
		{object{"attempts": ">= 4"}, few, mishap.Unmeasured, "3 requests"},
		{object{"attempts": "<= 3"}, bare, mishap.Unmeasured, "no id"},
		{object{"amplification": "<= 2"}, polite(), mishap.Met, ""},
		{object{"amplification": "<= 2"}, amplifying(), mishap.Unmet, "7.9 attempts per request, expected <= 2"},
		{object{"amplification": "<= 2"}, few, mishap.Unmeasured, "3 requests"},
		{object{"amplification": "<= 2"}, bare, mishap.Unmet, "3.0 times the calls"},
		{object{"amplification": "<= 4"}, bare, mishap.Met, ""},
		{object{"amplification": "<= 4"}, none, mishap.Unmeasured, "no id"},
		{object{"backoff": "exponential", "jitter": "present"}, polite(), mishap.Met, ""},
		{object{"backoff": "exponential"}, amplifying(), mishap.Unmet, "gaps constant (100ms), expected exponential"},
		{object{"jitter": "present"}, amplifying(), mishap.Unmet, "no jitter, expected jitter present"},
		{object{"backoff": "exponential"}, unknown(func(s *probes.CallerSeen) { s.Backoff, s.BackoffWhy = "unknown", "12 requests" }), mishap.Unmeasured, "12 requests"},
		{object{"backoff": "linear"}, unknown(func(s *probes.CallerSeen) { s.EvenSteps = true }), mishap.Unmeasured, "linear or exponential"},
		{object{"opens": "<= 10s", "halfOpen": "<= 1/s"}, polite(), mishap.Met, ""},
		{object{"opens": "<= 10s"}, amplifying(), mishap.Unmet, "did not stop in 12s"},
		{object{"opens": "<= 20s"}, amplifying(), mishap.Unmeasured, "not stopped yet"},
		{object{"opens": "<= 3s"}, polite(), mishap.Unmet, "stopped after 4s"},
		{object{"halfOpen": "<= 6/m"}, polite(), mishap.Unmet, "0.2 calls/s while open, expected <= 6/m"},
		{object{"halfOpen": "<= 1/s"}, amplifying(), mishap.Unmeasured, "no circuit"},
		{object{"halfOpen": "<= 1/s"}, unknown(func(s *probes.CallerSeen) { s.Trials, s.Open = 0, time.Second }), mishap.Unmeasured, "not tried again"},
		{object{"timeout": "<= 2s"}, polite(), mishap.Met, ""},
		{object{"timeout": "<= 2s"}, amplifying(), mishap.Unmet, "give up after 3s, expected <= 2s"},
		{object{"timeout": "<= 2s"}, unknown(func(s *probes.CallerSeen) { s.Timeout, s.LongestWait = 0, time.Second }), mishap.Unmeasured, "nobody gave up"},
		{object{"timeout": "<= 2s"}, unknown(func(s *probes.CallerSeen) { s.Timeout, s.LongestWait = 0, 5*time.Second }), mishap.Unmet, "a caller waited 5s"},
	} {
		o := observeCallers(t, probes.CallersSeen{All: c.seen}, c.expect)
		if o.Result != c.want || !strings.Contains(o.Detail, c.detail) || !strings.Contains(o.Value, c.seen.Summary) {
			t.Errorf("%v: %s, %q, %q; want %s with %q", c.expect, o.Result, o.Value, o.Detail, c.want, c.detail)
		}
	}
}

func TestCallersAtSeveralAddressesAreJudgedOneByOne(t *testing.T) {
	bad, unseen := amplifying(), polite()
	bad.Source = "10.0.0.9"
	unseen.Backoff = "unknown"
	seen := probes.CallersSeen{All: polite(), Sources: []probes.CallerSeen{polite(), bad, unseen}}
	want(t, observeCallers(t, seen, object{"backoff": "exponential"}), mishap.Unmet, "from 10.0.0.9: gaps constant")
	seen.Sources = []probes.CallerSeen{unseen}
	want(t, observeCallers(t, seen, object{"backoff": "exponential"}), mishap.Met, "")
}

func TestWhatCallersCannotBeAskedForIsNamed(t *testing.T) {
	fine := object{"attempts": "<= 3"}
	wantProblems(t, "callers", object{}, fine, "with.proxy")
	wantProblems(t, "callers", object{"proxy": "p"}, object{}, "expect")
	wantProblems(t, "callers", object{"proxy": "p", "id": "cookie:a", "window": "20m", "arm": "both"}, fine, "with.id", "with.window", "with.arm")
	wantProblems(t, "callers", object{"proxy": "p"}, object{"attempts": "3", "backoff": "slow", "jitter": "yes", "opens": "<= 3", "halfOpen": "<= 1", "timeout": "2s"},
		"expect.attempts", "expect.backoff", "expect.jitter", "expect.opens", "expect.halfOpen", "expect.timeout")
	p, err := build("callers", object{"proxy": "p"}, fine, patience)
	if err != nil {
		t.Fatal(err)
	}
	want(t, p.Observe(t.Context()), mishap.Unmeasured, "no proxy can be asked")
}

func TestExpectationsOnACircuitNeedArmsOfTheirOwn(t *testing.T) {
	for _, k := range probes.Catalog(world()) {
		if k.Name != "callers" {
			continue
		}
		got := k.OwnArms(mishap.ProbeSpec{Expect: []byte(`{"attempts": "<= 3", "opens": "<= 10s", "halfOpen": "<= 1/s"}`)})
		if strings.Join(got, " ") != "expect.opens expect.halfOpen" {
			t.Errorf("%v", got)
		}
		if got := k.OwnArms(mishap.ProbeSpec{Expect: []byte(`{"attempts": "<= 3"}`)}); got != nil {
			t.Errorf("%v", got)
		}
	}
}
