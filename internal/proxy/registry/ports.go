package registry

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"mishap/internal/proxy/fault"
)

// Port is one proxy, as the registry sees it. None of its methods waits for a peer.
type Port interface {
	Set(faults []*Active)       // makes all traffic obey these faults, and no others
	Takes(e fault.Effect) error // why it cannot have a fault with that effect; nil if it can
	Coverage(*Active) Coverage  // on how much of the traffic of the moment the fault is in force
	Leads() string              // where all of its traffic goes; empty if that differs
}

// ErrTaken says that another proxy has the name; use errors.Is.
var ErrTaken = errors.New("the name is taken")

// unlimited is the lease of a fault that stays until it is removed.
const unlimited time.Duration = math.MaxInt64

// due is when a lease that begins now is over.
func (r *Registry) due(expires time.Duration) time.Duration {
	if expires == 0 {
		return unlimited
	}
	return r.clock() + expires
}

// Open makes a proxy known.
func (r *Registry) Open(name string, p Port) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proxies[name] != nil {
		return fmt.Errorf("add proxy %q: %w", name, ErrTaken)
	}
	r.proxies[name] = p
	return nil
}

// Shut ends the faults of a proxy, and forgets it.
func (r *Registry) Shut(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range slices.Clone(r.force[name]) {
		r.finish(a, Ended)
	}
	delete(r.force, name)
	delete(r.owners, name)
	delete(r.proxies, name)
}

// Any says whether a fault is in force.
func (r *Registry) Any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, faults := range r.force {
		if len(faults) > 0 {
			return true
		}
	}
	return false
}

// End ends all faults.
func (r *Registry) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.known {
		if a.state == InForce {
			r.finish(a, Ended)
		}
	}
}

// Holds says whether a fault is in force.
func (r *Registry) Holds(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.find(id)
	return a != nil && a.state == InForce
}
