package registry

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"mishap/internal/proxy/fault"
)

// Owner is the run that a proxy belongs to while it is judged: from before its first fault until it is over. Proxies with the
// same upstream are judged together, and so belong to one run.
type Owner struct {
	Run     string
	Expires time.Duration // the lease: without a call the proxy is nobody's so long after the last one
	Renew   bool          // refuse if the proxy is not the run's already
}

// Disturbance is what somebody else changed in a proxy while it belonged to a run. Another run is refused; a person who puts
// a fault in, or a client of Toxiproxy's API, is not: they may have to, and the run says that it is worth nothing.
type Disturbance struct {
	Proxy string         `json:"proxy"`
	By    string         `json:"by"`   // "by hand", or "through Toxiproxy's API"
	What  string         `json:"what"` // "fault slow (latency) was injected"
	Ago   fault.Duration `json:"ago"`
}

// Owned answers an owner.
type Owned struct {
	Disturbed []Disturbance `json:"disturbed,omitempty"` // since the proxy belongs to the run, oldest first
}

// mostDisturbances are kept of one owner: one is enough to know that its run says nothing.
const mostDisturbances = 20

// owner is a run that a proxy belongs to. The registry's lock guards it.
type owner struct {
	run   string
	lease time.Duration // when it expires, on the registry's clock
	seen  []disturbed
}

type disturbed struct {
	Disturbance
	at time.Time
}

// Own makes a proxy belong to a run, or lets its lease begin anew, and says what others changed. It is refused while the
// proxy, or one with the same upstream, belongs to another run or has a fault that is not the run's.
func (r *Registry) Own(proxy string, o Owner) (Owned, error) {
	if err := o.check(); err != nil {
		return Owned{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proxies[proxy] == nil && !o.Renew {
		return Owned{}, fault.Refused(http.StatusUnprocessableEntity, "the proxies here are: "+r.names(), "there is no proxy named %q", proxy)
	}
	now := r.ownerOf(proxy)
	switch {
	case now != nil && now.run == o.Run:
	case o.Renew:
		return Owned{}, fault.Refused(http.StatusGone, "it was started anew meanwhile, or not asked for too long", "proxy %q does not belong to run %q any more", proxy, o.Run)
	default:
		if err := r.ownable(proxy, o.Run); err != nil {
			return Owned{}, err
		}
		now = &owner{run: o.Run}
		r.owners[proxy] = now
		r.log.Info("proxy belongs to a run", "proxy", proxy, "run", o.Run)
	}
	now.lease = r.clock() + o.Expires
	return now.told(), nil
}

func (o Owner) check() error {
	if err := fault.CheckExpires(o.Expires); err != nil {
		return fault.Refused(http.StatusBadRequest, "", "%w", err)
	}
	if o.Run == "" || len(o.Run) > fault.MaxName {
		return fault.Refused(http.StatusBadRequest, "", "run must be 1 to %d bytes long", fault.MaxName)
	}
	return nil
}

// ownable says who is in the way of a run.
func (r *Registry) ownable(proxy, run string) error {
	for _, name := range r.together(proxy) {
		if other := r.ownerOf(name); other != nil && other.run != run {
			return fault.Refused(http.StatusConflict, "wait until that run is over", "%s belongs to run %s", sentence(name, proxy), other.run)
		}
		for _, a := range slices.Clone(r.force[name]) {
			if r.find(a.ID).state != InForce || a.Run == run {
				continue
			}
			hint := "remove it with `mishap proxy remove " + a.ID + "`, or wait until it has ended"
			if a.Run != "" {
				hint = "wait until that run is over"
			}
			return fault.Refused(http.StatusConflict, hint, "%s has a fault already: %s (%s) was injected %s", sentence(name, proxy), a.ID, a.Effect.Kind(), a.Origin())
		}
	}
	return nil
}

// sentence names a proxy, and why it matters if it is not the one that was asked about.
func sentence(name, asked string) string {
	if name == asked {
		return "proxy " + name
	}
	return "proxy " + name + ", which has the same upstream as " + asked + ","
}

// Disown gives a proxy back, and says for the last time what others changed.
func (r *Registry) Disown(proxy, run string) Owned {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.ownerOf(proxy)
	if now == nil || now.run != run {
		return Owned{}
	}
	delete(r.owners, proxy)
	r.log.Info("proxy is free", "proxy", proxy, "run", run)
	return now.told()
}

// ownerOf is the run that a proxy belongs to; nil if it is nobody's.
func (r *Registry) ownerOf(proxy string) *owner {
	o := r.owners[proxy]
	if o != nil && o.lease <= r.clock() {
		delete(r.owners, proxy)
		return nil
	}
	return o
}

// FillOwners says of each proxy which run it belongs to.
func (r *Registry) FillOwners(list []ProxyStatus) []ProxyStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range list {
		if o := r.ownerOf(list[i].Name); o != nil {
			list[i].Run = o.run
		}
	}
	return list
}

// together are the names of the proxies that are judged as one with this one, which is the first.
func (r *Registry) together(proxy string) []string {
	list, upstream := []string{proxy}, ""
	if p := r.proxies[proxy]; p != nil {
		upstream = p.Leads()
	}
	for name, p := range r.proxies {
		if name != proxy && upstream != "" && p.Leads() == upstream {
			list = append(list, name)
		}
	}
	slices.Sort(list[1:])
	return list
}

// admits says why a fault cannot be injected: its proxy belongs to another run.
func (r *Registry) admits(f fault.Fault) error {
	if f.Run == "" {
		return nil
	}
	for _, name := range r.together(f.Proxy) {
		if o := r.ownerOf(name); o != nil && o.run != f.Run {
			return fault.Refused(http.StatusConflict, "wait until that run is over", "%s belongs to run %s", sentence(name, f.Proxy), o.run)
		}
	}
	return nil
}

// disturb tells the runs that a proxy belongs to, but that of the fault, what was done with it; it gives one of them.
func (r *Registry) disturb(f fault.Fault, by, what string) (run string) {
	return r.tell(by, Disturbance{Proxy: f.Proxy, By: f.Hand(), What: "fault " + f.ID + " (" + f.Effect.Kind() + ") was " + what})
}

// Upset is disturb for what is done with the proxy itself.
func (r *Registry) Upset(proxy, via, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell("", Disturbance{Proxy: proxy, By: fault.Fault{Via: via}.Hand(), What: "proxy " + proxy + " " + what})
}

func (r *Registry) tell(by string, d Disturbance) (run string) {
	for _, name := range r.together(d.Proxy) {
		o := r.ownerOf(name)
		if o == nil || o.run == by {
			continue
		}
		run = o.run
		if len(o.seen) < mostDisturbances {
			o.seen = append(o.seen, disturbed{d, time.Now()})
		}
		r.log.Warn("a run is disturbed", "run", o.run, "proxy", d.Proxy, "by", d.By, "what", d.What)
	}
	return run
}

func (o *owner) told() Owned {
	var all Owned
	for _, d := range o.seen {
		d.Ago = fault.Duration(time.Since(d.at))
		all.Disturbed = append(all.Disturbed, d.Disturbance)
	}
	return all
}

// names lists the proxies for a person.
func (r *Registry) names() string {
	names := make([]string, 0, len(r.proxies))
	for name := range r.proxies {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
