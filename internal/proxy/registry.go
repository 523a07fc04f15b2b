package proxy

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

const (
	keptStats  = 1000           // ended faults whose stats are kept
	keptIDs    = 20 * keptStats // ended faults whose id is remembered, so that it is not taken again
	clockCheck = time.Second    // how often the clock is looked at while faults are in: timers stand still in a suspend
)

// State says where a fault is in its life.
type State string

// The states of a fault. Ended means removed by a caller; expired, that nobody renewed it in time.
const (
	InForce State = "in force"
	Ended   State = "ended"
	Expired State = "expired"
)

// Status is a fault and what it did.
type Status struct {
	Fault   fault.Fault `json:"fault"`
	State   State       `json:"state"`
	Started time.Time   `json:"started,omitzero"`
	Until   time.Time   `json:"until,omitzero"` // the end of its lease, or when it ended
	Stats   Stats       `json:"stats"`
	Spoils  string      `json:"spoils,omitempty"` // the run whose proxy it is, and which will show nothing for it
}

// active is a fault that was put in, and stays after its end for its stats.
type active struct {
	fault.Fault           // never changes
	counters    *counters // shared with what it becomes when its run changes it

	// The registry's lock guards what follows.
	state          State
	started, ended time.Time
	lease          time.Duration // when it expires, on the registry's clock
}

// port is one proxy, as the registry sees it. None of its methods waits for a peer.
type port interface {
	set(faults []*active)       // makes all traffic obey these faults, and no others
	takes(e fault.Effect) error // why it cannot have a fault with that effect; nil if it can
	coverage(*active) Coverage  // on how much of the traffic of the moment the fault is in force
	leads() string              // where all of its traffic goes; empty if that differs
}

// registry holds the faults of a server.
type registry struct {
	log   *slog.Logger
	wake  chan struct{} // a lease has changed
	clock func() time.Duration

	mu      sync.Mutex
	proxies map[string]port
	known   map[string]*active   // in force, or ended and kept
	force   map[string][]*active // by proxy, those in force, oldest first; a list is never changed
	ended   []string             // the ids that have ended, oldest first
	owners  map[string]*owner    // by proxy
}

func newRegistry(proxies map[string]port, log *slog.Logger) *registry {
	return &registry{proxies: proxies, log: log, wake: make(chan struct{}, 1), clock: bootTime,
		known: make(map[string]*active), force: make(map[string][]*active), owners: make(map[string]*owner)}
}

// put adds a fault, renews it if it is in force with the same content, or changes it for its own run. created says
// whether it is new.
func (r *registry) put(f fault.Fault) (status Status, created bool, err error) {
	f = f.WithDefaults()
	if err := f.Check(); err != nil {
		return Status{}, false, fault.Refused(http.StatusBadRequest, "", "%w", err)
	}
	return r.place(f)
}

// place is put of a fault that is valid.
func (r *registry) place(f fault.Fault) (status Status, created bool, err error) {
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
		status.Spoils = r.disturb(f, f.Run, "put in")
		r.log.Info("fault put in", "fault", f.ID, "run", f.Run, "proxy", f.Proxy, "kind", f.Effect.Kind(), "expires", f.Expires)
		return status, true, nil
	case a.state != InForce:
		return Status{}, false, over(a)
	case !a.Same(f) && a.Run == f.Run && a.Proxy == f.Proxy:
		if err := checkChange(a.Fault, f); err != nil {
			return Status{}, false, err
		}
		// The run changes its own fault: in one step, so that nothing passes between.
		next := r.enter(f, a.counters, a.started)
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

// check says why a valid fault cannot be put in.
func (r *registry) check(f fault.Fault) error {
	proxy := r.proxies[f.Proxy]
	if proxy == nil {
		return fault.Refused(http.StatusUnprocessableEntity, "the proxies here are: "+r.names(),
			"there is no proxy named %q", f.Proxy)
	}
	if err := proxy.takes(f.Effect); err != nil {
		return fault.Refused(http.StatusUnprocessableEntity, "", "%w", err)
	}
	if err := r.admits(f); err != nil {
		return err
	}
	return r.checkArms(f)
}

// enter makes a fault known.
func (r *registry) enter(f fault.Fault, c *counters, started time.Time) *active {
	a := &active{Fault: f, counters: c, state: InForce, started: started, lease: r.due(f.Expires)}
	r.known[f.ID] = a
	signal(r.wake)
	return a
}

// follow makes a proxy obey these faults.
func (r *registry) follow(proxy string, faults []*active) {
	r.force[proxy] = faults
	r.proxies[proxy].set(faults)
}

// replaced is a list with one fault in the place of another.
func replaced(list []*active, old, next *active) []*active {
	list = slices.Clone(list)
	list[slices.Index(list, old)] = next
	return list
}

// renew lets the lease of a fault in force begin anew.
func (r *registry) renew(id string, expires time.Duration) (Status, error) {
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

func (r *registry) extend(a *active, expires time.Duration) {
	a.lease = r.due(expires)
	signal(r.wake)
}

// remove ends a fault and gives its stats, also if it has ended before. An id that was never put in counts as ended
// from then on, so that a put which comes too late has no effect. By is the run that removes it; empty: somebody else.
func (r *registry) remove(id, by string) (Status, error) {
	if !fault.ValidName(id) {
		return Status{}, fault.Refused(http.StatusBadRequest, "", "%w", fault.BadID(id))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.find(id)
	if a == nil {
		a = &active{counters: &counters{}, Fault: fault.Fault{ID: id}}
		r.known[id] = a
		r.finish(a, Ended)
	}
	if a.state != InForce {
		return r.status(a), nil
	}
	r.finish(a, Ended)
	status := r.status(a)
	if a.Run != "" && by != a.Run {
		status.Spoils = r.disturb(a.Fault, by, "taken out")
	}
	return status, nil
}

func unknown(id string) error {
	return fault.Refused(http.StatusNotFound, "it was never put in since the proxy started, or ended long ago",
		"there is no fault %q", id)
}

func over(a *active) error {
	return fault.Refused(http.StatusGone, "put a new fault in under another id", "fault %q has %s",
		a.ID, map[State]string{Ended: "ended", Expired: "expired"}[a.state])
}

// finish takes a fault out, keeps its stats for a while, and its id for longer.
func (r *registry) finish(a *active, state State) {
	a.state, a.ended = state, time.Now()
	if b := a.counters.book; b != nil {
		b.finish(a.ended)
	}
	if a.Proxy != "" {
		r.follow(a.Proxy, slices.DeleteFunc(slices.Clone(r.force[a.Proxy]), func(b *active) bool { return a == b }))
		r.log.Info("fault ended", "fault", a.ID, "run", a.Run, "proxy", a.Proxy, "state", state)
	}
	r.ended = append(r.ended, a.ID)
	if n := len(r.ended) - keptStats; n > 0 {
		old := r.known[r.ended[n-1]]
		r.known[old.ID] = &active{counters: &counters{}, Fault: fault.Fault{ID: old.ID}, state: old.state, ended: old.ended}
	}
	if len(r.ended) > keptIDs {
		delete(r.known, r.ended[0])
		r.ended = r.ended[1:]
	}
}

// find gives a fault that is known, or nil. A lease that has run out is over even if expire has not got to it yet.
func (r *registry) find(id string) *active {
	a := r.known[id]
	if a != nil && a.state == InForce && a.lease <= r.clock() {
		r.finish(a, Expired)
	}
	return a
}

func (r *registry) get(id string) (Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.find(id); a != nil {
		return r.status(a), nil
	}
	return Status{}, unknown(id)
}

// list gives the faults in force and the latest that have ended, oldest first.
func (r *registry) list() []Status {
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

// inForce gives the faults in force, oldest first, with all that was counted.
func (r *registry) inForce() []measured {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []measured
	for _, name := range slices.Sorted(maps.Keys(r.force)) {
		for _, a := range r.force[name] {
			m := measured{Status: r.status(a)}
			m.requested, m.delivered = a.counters.histograms()
			if b := a.counters.book; b != nil {
				_, m.arms = b.measure(time.Now())
			}
			all = append(all, m)
		}
	}
	return all
}

func (r *registry) status(a *active) Status {
	s := Status{Fault: a.WithoutTokens(), State: a.state, Started: a.started, Until: a.ended, Stats: a.counters.snapshot()}
	s.Stats.allocated(a.counters.book, time.Now())
	if a.state == InForce {
		if a.lease != unlimited {
			s.Until = time.Now().Add(a.lease - r.clock())
		}
		s.Stats.InForceOn = r.proxies[a.Proxy].coverage(a)
	}
	return s
}

// expire ends the faults whose lease has run out, until ctx is done.
func (r *registry) expire(ctx context.Context) {
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
func (r *registry) expireOnce(now time.Duration) (wait time.Duration, left bool) {
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
