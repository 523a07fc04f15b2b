package catalog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/callers"
	"mishap/internal/config"
	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/probes"
)

const (
	watchFor     = 2 * time.Minute // how long a proxy goes on recording when nobody asks any more
	mostAttempts = 200_000         // that one watch remembers here
	rememberFor  = 11 * time.Minute
)

// callerWatches are the watches of this process, which its probes share.
type callerWatches struct {
	mu  sync.Mutex
	all map[string]*CallerWatch
}

// CallerWatch collects the attempts that a proxy records.
type CallerWatch struct {
	client *control.Client
	name   string
	id     string

	mu    sync.Mutex // held across the call, so that nothing is taken twice
	since time.Time  // as the proxy says; another one and all begins anew
	seq   uint64
	seen  callers.Seen
}

// WatchCallers is the watch of a proxy by an id.
func (c *Catalog) WatchCallers(name, id string) (*CallerWatch, error) {
	settings, err := c.Proxy(name)
	if err != nil {
		return nil, err
	}
	c.calls.mu.Lock()
	defer c.calls.mu.Unlock()
	key := name + "\n" + id
	if w := c.calls.all[key]; w != nil {
		return w, nil
	}
	client, err := c.ProxyClient(settings.Control)
	if err != nil {
		return nil, err
	}
	if c.calls.all == nil {
		c.calls.all = map[string]*CallerWatch{}
	}
	w := &CallerWatch{client: client, name: name, id: id}
	c.calls.all[key] = w
	return w, nil
}

// Proxy are the settings of a proxy. One that they do not know is named with the nearest.
func (c *Catalog) Proxy(name string) (config.Proxy, error) {
	var names []string
	for _, p := range c.settings.Proxies {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	hint := mishap.Suggest(name, names)
	if names == nil {
		hint = "list it in mishap.yaml: proxies: [{name: " + name + ", listen: \"127.0.0.1:9001\", upstream: \"127.0.0.1:9000\", protocol: http}]"
	}
	return config.Proxy{}, mishap.Invalid(mishap.WithHint(fmt.Errorf("the settings have no proxy %q", name), hint))
}

// Look takes over what the proxy has recorded since the last time.
func (w *CallerWatch) Look(ctx context.Context) (attempts.Watched, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	got, err := w.client.Callers(ctx, w.name, attempts.Watch{ID: w.id, After: w.seq, Keep: fault.Duration(watchFor)})
	if err != nil {
		return got, err
	}
	if !got.Since.Equal(w.since) {
		w.since, w.seen = got.Since, callers.Seen{}
	}
	w.seq, w.seen.Until = got.Seq, time.Duration(got.Now)*time.Microsecond
	w.seen.Connections = got.Protocol == fault.TCP
	w.seen.Lost += int(got.Lost)
	for _, a := range got.Attempts {
		w.seen.Attempts = append(w.seen.Attempts, attempt(a))
	}
	w.forget()
	return got, nil
}

// forget drops what no window reaches any more.
func (w *CallerWatch) forget() {
	first := max(0, len(w.seen.Attempts)-mostAttempts)
	w.seen.Lost += first
	for first < len(w.seen.Attempts) && w.seen.Attempts[first].Start < w.seen.Until-rememberFor {
		first++
	}
	w.seen.Attempts = w.seen.Attempts[first:]
}

func attempt(a attempts.Attempt) callers.Attempt {
	const us = time.Microsecond
	outcome := callers.OK
	switch a.Outcome {
	case attempts.Failed:
		outcome = callers.Failed
	case attempts.GaveUp:
		outcome = callers.GaveUp
	}
	return callers.Attempt{ID: a.ID, Loose: a.Loose, Source: a.Source, Arm: a.Arm, Start: time.Duration(a.Start) * us,
		Head: time.Duration(a.Head) * us, Total: time.Duration(a.Total) * us, Outcome: outcome, Status: a.Status}
}

// Last is what was seen in the last while.
func (w *CallerWatch) Last(while time.Duration, arm string) callers.Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.Last(while, arm)
}

// callersSeen tells a probe what the callers of a proxy did.
func (c *Catalog) callersSeen(ctx context.Context, q probes.CallersQuery) (probes.CallersSeen, error) {
	w, err := c.WatchCallers(q.Proxy, q.ID)
	if err != nil {
		return probes.CallersSeen{}, err
	}
	if _, err := w.Look(ctx); err != nil {
		return probes.CallersSeen{}, err
	}
	r := callers.Analyse(w.Last(q.Window, q.Arm))
	seen := probes.CallersSeen{All: callerSeen(r.All)}
	for _, one := range r.Sources {
		seen.Sources = append(seen.Sources, callerSeen(one))
	}
	return seen, nil
}

// callerSeen says what some callers did in the words of the probe.
func callerSeen(b callers.Behaviour) probes.CallerSeen {
	s := probes.CallerSeen{
		Source: b.Source, Summary: b.Summary(), Calls: b.Attempts, HasIDs: b.WithID > 0,
		Requests: b.Requests.N, MaxAttempts: b.Requests.Max, Mean: b.Requests.Mean,
		Backoff: string(b.Backoff.Kind), BackoffWords: b.Backoff.Words(), BackoffWhy: b.Backoff.Why,
		EvenSteps: b.Backoff.Kind == callers.Exponential && b.Backoff.Why != "",
		Jitter:    string(b.Jitter.Kind), JitterWords: b.Jitter.Words(b.Backoff.Kind), JitterWhy: b.Jitter.Why,
		Circuit: string(b.Circuit.Kind), CircuitWords: b.Circuit.Words(), Failing: b.Circuit.Failing.Std(),
		Opened: b.Circuit.After.Std(), Open: b.Circuit.Open.Std(), Trials: b.Circuit.Bursts, TrialRate: b.Circuit.Rate,
		TimeoutWords: b.Timeout.Words(), LongestWait: b.Timeout.Longest.Std(),
	}
	if b.Load != nil {
		s.LoadRatio = b.Load.Ratio
	}
	for _, w := range b.Timeout.Waits {
		s.Timeout = max(s.Timeout, w.Median.Std())
	}
	return s
}
