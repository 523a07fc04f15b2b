package proxy

import (
	"cmp"
	"context"
	"errors"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
	"mishap/internal/proxy/stream"
)

// Errors of a Host that callers branch on; use errors.Is.
var (
	ErrStopped = errors.New("the proxies are being stopped")
)

// API is another way to control a server, in its process.
type API interface {
	// Start is called once, when every listener listens and before the server is ready. If it fails the server ends.
	Start(*Host) error
	// Serve answers until Close is called; if it gives an error before, the server ends with it.
	Serve() error
	// Close makes Serve return. It is called once after Start has succeeded.
	Close()
}

// Host is a running server, as another API sees it. None of its methods waits for a peer.
type Host struct {
	Via    string // the API, as people call it; set it before anything else
	server *server
	ctx    context.Context // of the proxies that it opens
}

// beside lets an API, which may be nil, serve until end.
func (s *server) beside(ctx context.Context, api API, failed chan<- error) (end func(), err error) {
	if api == nil {
		return func() {}, nil
	}
	if err := api.Start(&Host{server: s, ctx: ctx}); err != nil {
		return nil, err
	}
	s.tasks.Go(func() { failed <- api.Serve() })
	return api.Close, nil
}

// Proxies gives the state of every proxy.
func (h *Host) Proxies() []registry.ProxyStatus { return h.server.proxies() }

// Add makes a proxy of TCP known. It listens when it is opened. The name may be any that no other proxy has.
func (h *Host) Add(name string) (*Guest, error) {
	g := &Guest{server: h.server, ctx: h.ctx, via: h.Via, config: listener.Config{Name: name, Protocol: fault.TCP}}
	if err := h.server.faults.Open(name, guestPort{g}); err != nil {
		return nil, err
	}
	if err := h.server.guests.add(g); err != nil {
		h.server.faults.Shut(name)
		return nil, err
	}
	return g, nil
}

// Remove closes a proxy that was added, and ends its faults.
func (h *Host) Remove(g *Guest) {
	h.server.faults.Upset(g.config.Name, g.via, "was removed")
	h.server.guests.remove(g)
	h.server.faults.Shut(g.config.Name)
}

// Put adds a fault, renews it, or changes it if it is in force. If it does not expire it stays until it is removed.
func (h *Host) Put(f fault.Fault) (registry.Status, error) {
	f = f.WithDefaults()
	f.Via = h.Via
	leased := f
	leased.Expires = cmp.Or(f.Expires, fault.MaxExpires)
	if err := leased.Check(); err != nil {
		return registry.Status{}, err
	}
	status, _, err := h.server.faults.Place(f)
	return status, err
}

// Take ends a fault.
func (h *Host) Take(id string) error {
	_, err := h.server.faults.Remove(id, "")
	return err
}

// InForce says whether a fault is in force.
func (h *Host) InForce(id string) bool {
	return h.server.faults.Holds(id)
}

// Traffic is what went through a proxy of TCP.
func (h *Host) Traffic(name string) stream.Traffic {
	for _, l := range h.server.listeners {
		if tcp, ok := l.(*listener.TCP); ok && tcp.Name == name {
			return tcp.Traffic()
		}
	}
	for _, g := range h.server.guests.all() {
		if g.config.Name == name {
			return g.traffic()
		}
	}
	return stream.Traffic{}
}
