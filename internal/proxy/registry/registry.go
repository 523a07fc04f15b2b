package registry

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"mishap/internal/proxy/fault"
)

// KeptStats is how many ended faults' stats are kept.
const KeptStats = 1000

const (
	keptIDs    = 20 * KeptStats // ended faults whose id is remembered, so that it is not taken again
	clockCheck = time.Second    // how often the clock is looked at while faults are in force: timers stand still in a suspend
)

// Active is a fault that was injected, and stays after its end for its stats.
type Active struct {
	fault.Fault           // never changes
	Counters    *Counters // shared with what it becomes when its run changes it

	// The registry's lock guards what follows.
	state          State
	started, ended time.Time
	lease          time.Duration // when it expires, on the registry's clock
}

// Registry holds the faults of a server.
type Registry struct {
	log   *slog.Logger
	wake  chan struct{} // a lease has changed
	clock func() time.Duration

	mu      sync.Mutex
	proxies map[string]Port
	known   map[string]*Active   // in force, or ended and kept
	force   map[string][]*Active // by proxy, those in force, oldest first; a list is never changed
	ended   []string             // the ids that have ended, oldest first
	owners  map[string]*owner    // by proxy
}

// New makes the registry of some proxies, by name. Without a clock, leases go by the time since the machine started.
func New(proxies map[string]Port, log *slog.Logger, clock func() time.Duration) *Registry {
	if clock == nil {
		clock = bootTime
	}
	return &Registry{proxies: proxies, log: log, wake: make(chan struct{}, 1), clock: clock,
		known: make(map[string]*Active), force: make(map[string][]*Active), owners: make(map[string]*owner)}
}

// Put adds a fault, renews it if it is in force with the same content, or changes it for its own run. created says
// whether it is new.
func (r *Registry) Put(f fault.Fault) (status Status, created bool, err error) {
	f = f.WithDefaults()
	if err := f.Check(); err != nil {
		return Status{}, false, fault.Refused(http.StatusBadRequest, "", "%w", err)
	}
	return r.Place(f)
}

// Place is put of a fault that is valid.
func (r *Registry) Place(f fault.Fault) (status Status, created bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.check(f); err != nil {
		return Status{}, false, err
	}
	a := r.find(f.ID)
	switch {
	case a == nil:
		a = r.enter(f, r.countersOf(f), time.Now())
		r.follow(f.Proxy, append(slices.Clone(r.force[f.Proxy]), a))
		status := r.status(a)
		status.Spoils = r.disturb(f, f.Run, "injected")
		r.log.Info("fault injected", "fault", f.ID, "run", f.Run, "proxy", f.Proxy, "kind", f.Effect.Kind(), "expires", f.Expires)
		return status, true, nil
	case a.state != InForce:
		return Status{}, false, over(a)
	case !a.Same(f) && a.Run == f.Run && a.Proxy == f.Proxy:
		if err := checkChange(a.Fault, f); err != nil {
			return Status{}, false, err
		}
		// The run changes its own fault: in one step, so that nothing passes between.
		next := r.enter(f, a.Counters, a.started)
		r.follow(f.Proxy, replaced(r.force[f.Proxy], a, next))
		r.log.Info("fault changed", "fault", f.ID, "run", f.Run, "proxy", f.Proxy, "kind", f.Effect.Kind())
		status := r.status(next)
		status.Spoils = r.disturb(f, f.Run, "changed")
		return status, false, nil
	case !a.Same(f):
		return Status{}, false, fault.Refused(http.StatusConflict, "remove it first, or use another id",
			"fault %q is in force with other content", f.ID)
	}
	r.extend(a, f.Expires)
	return r.status(a), false, nil
}

// check says why a valid fault cannot be injected.
func (r *Registry) check(f fault.Fault) error {
	proxy := r.proxies[f.Proxy]
	if proxy == nil {
		return fault.Refused(http.StatusUnprocessableEntity, "the proxies here are: "+r.names(),
			"there is no proxy named %q", f.Proxy)
	}
	if err := proxy.Takes(f.Effect); err != nil {
		return fault.Refused(http.StatusUnprocessableEntity, "", "%w", err)
	}
	if err := r.admits(f); err != nil {
		return err
	}
	return r.checkArms(f)
}

// enter makes a fault known.
func (r *Registry) enter(f fault.Fault, c *Counters, started time.Time) *Active {
	a := &Active{Fault: f, Counters: c, state: InForce, started: started, lease: r.due(f.Expires)}
	r.known[f.ID] = a
	r.look()
	return a
}

// follow makes a proxy obey these faults.
func (r *Registry) follow(proxy string, faults []*Active) {
	r.force[proxy] = faults
	r.proxies[proxy].Set(faults)
}

// replaced is a list with one fault in the place of another.
func replaced(list []*Active, old, next *Active) []*Active {
	list = slices.Clone(list)
	list[slices.Index(list, old)] = next
	return list
}

// Renew lets the lease of a fault in force begin anew.
func (r *Registry) Renew(id string, expires time.Duration) (Status, error) {
	if err := fault.CheckExpires(expires); err != nil {
		return Status{}, fault.Refused(http.StatusBadRequest, "", "%w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.find(id)
	switch {
	case a == nil:
		return Status{}, unknown(id)
	case a.state != InForce:
		return Status{}, over(a)
	}
	r.extend(a, expires)
	return r.status(a), nil
}

func (r *Registry) extend(a *Active, expires time.Duration) {
	a.lease = r.due(expires)
	r.look()
}

// Remove ends a fault and gives its stats, also if it has ended before. An id that was never injected counts as ended
// from then on, so that a put which comes too late has no effect. By is the run that removes it; empty: somebody else.
func (r *Registry) Remove(id, by string) (Status, error) {
	if !fault.ValidName(id) {
		return Status{}, fault.Refused(http.StatusBadRequest, "", "%w", fault.BadID(id))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.find(id)
	if a == nil {
		a = &Active{Counters: &Counters{}, Fault: fault.Fault{ID: id}}
		r.known[id] = a
		r.finish(a, Ended)
	}
	if a.state != InForce {
		return r.status(a), nil
	}
	r.finish(a, Ended)
	status := r.status(a)
	if a.Run != "" && by != a.Run {
		status.Spoils = r.disturb(a.Fault, by, "removed")
	}
	return status, nil
}

func unknown(id string) error {
	return fault.Refused(http.StatusNotFound, "it was never injected since the proxy started, or ended long ago",
		"there is no fault %q", id)
}

func over(a *Active) error {
	return fault.Refused(http.StatusGone, "inject a new fault under another id", "fault %q has %s",
		a.ID, map[State]string{Ended: "ended", Expired: "expired"}[a.state])
}

// finish removes a fault, keeps its stats for a while, and its id for longer.
func (r *Registry) finish(a *Active, state State) {
	a.state, a.ended = state, time.Now()
	if b := a.Counters.book; b != nil {
		b.finish(a.ended)
	}
	if a.Proxy != "" {
		r.follow(a.Proxy, slices.DeleteFunc(slices.Clone(r.force[a.Proxy]), func(b *Active) bool { return a == b }))
		r.log.Info("fault ended", "fault", a.ID, "run", a.Run, "proxy", a.Proxy, "state", state)
	}
	r.ended = append(r.ended, a.ID)
	if n := len(r.ended) - KeptStats; n > 0 {
		old := r.known[r.ended[n-1]]
		r.known[old.ID] = &Active{Counters: &Counters{}, Fault: fault.Fault{ID: old.ID}, state: old.state, ended: old.ended}
	}
	if len(r.ended) > keptIDs {
		delete(r.known, r.ended[0])
		r.ended = r.ended[1:]
	}
}

// find gives a fault that is known, or nil. A lease that has run out is over even if expire has not got to it yet.
func (r *Registry) find(id string) *Active {
	a := r.known[id]
	if a != nil && a.state == InForce && a.lease <= r.clock() {
		r.finish(a, Expired)
	}
	return a
}

// Get gives a fault that is known.
func (r *Registry) Get(id string) (Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.find(id); a != nil {
		return r.status(a), nil
	}
	return Status{}, unknown(id)
}

// List gives the faults in force and the latest that have ended, oldest first.
func (r *Registry) List() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := []Status{}
	for _, a := range r.known {
		if a.Proxy != "" { // else there is no more to say than that the id is over
			all = append(all, r.status(a))
		}
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.Fault.ID, b.Fault.ID))
	})
	return all
}

// Measured is a fault in force with all that was counted.
type Measured struct {
	Status
	Requested, Delivered Histogram
	Arms                 [2]ArmTotal // of arms
}

// Measured gives the faults in force, oldest first, with all that was counted.
func (r *Registry) Measured() []Measured {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Measured
	for _, name := range slices.Sorted(maps.Keys(r.force)) {
		for _, a := range r.force[name] {
			m := Measured{Status: r.status(a)}
			m.Requested, m.Delivered = a.Counters.histograms()
			if b := a.Counters.book; b != nil {
				_, m.Arms = b.measure(time.Now())
			}
			all = append(all, m)
		}
	}
	return all
}

func (r *Registry) status(a *Active) Status {
	s := Status{Fault: a.WithoutTokens(), State: a.state, Started: a.started, Until: a.ended, Stats: a.Counters.snapshot()}
	s.Stats.allocated(a.Counters.book, time.Now())
	if a.state == InForce {
		if a.lease != unlimited {
			s.Until = time.Now().Add(a.lease - r.clock())
		}
		s.Stats.InForceOn = r.proxies[a.Proxy].Coverage(a)
	}
	return s
}

// look lets expire look again: a lease has changed.
func (r *Registry) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Expire ends the faults whose lease has run out, until ctx is done.
func (r *Registry) Expire(ctx context.Context) {
	timer := time.NewTimer(clockCheck)
	defer timer.Stop()
	for {
		if wait, left := r.expireOnce(r.clock()); left {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-timer.C:
		case <-r.wake:
		case <-ctx.Done():
			return
		}
	}
}

// expireOnce ends what has expired by now. left says whether faults are left, wait when to look again.
func (r *Registry) expireOnce(now time.Duration) (wait time.Duration, left bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait = clockCheck
	for _, a := range r.known {
		if a.state != InForce {
			continue
		}
		rest := a.lease - now
		if rest <= 0 {
			r.finish(a, Expired)
			continue
		}
		left, wait = true, min(wait, rest)
	}
	return wait, left
}
