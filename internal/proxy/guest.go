package proxy

import (
	"context"
	"slices"
	"sync"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
	"mishap/internal/proxy/stream"
)

// Guest is a proxy of TCP that came while its server ran. It has a listener while it is open, and keeps its faults while
// it is not.
type Guest struct {
	server *server
	via    string          // the API that it came through
	ctx    context.Context // of its connections
	config listener.Config // the name never changes; mu guards the rest

	mu     sync.Mutex // never held across a call that waits for a peer
	faults []*registry.Active
	now    *listener.TCP // nil while it is closed
	cancel context.CancelFunc
	past   stream.Traffic // of listeners that are closed
	gone   bool           // it cannot be opened any more
}

// Open listens on an IP address and port, and passes connections on to the upstream. It gives the real address. A guest that
// is open already is not touched.
func (g *Guest) Open(listen, upstream string) (address string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.gone:
		return "", ErrStopped
	case g.now != nil:
		return g.now.Status().Listen, nil
	}
	g.config.Listen, g.config.Upstream = listen, upstream
	l := listener.NewTCP(g.config, g.server.log, g.server.shared)
	if err := l.Listen(g.ctx, nil); err != nil {
		return "", err
	}
	l.Closes = true
	l.Set(g.faults)
	address = l.Status().Listen
	ctx, cancel := context.WithCancel(g.ctx)
	g.now, g.cancel = l, cancel
	g.server.guests.tasks.Go(func() {
		defer l.Wait()
		l.Serve(ctx)
	})
	g.server.log.Info("proxy listens", "proxy", g.config.Name, "listen", address, "upstream", upstream)
	return address, nil
}

// Close stops listening and resets every connection. The port is free when it returns; what ends its goroutines does not
// hold it up.
func (g *Guest) Close() {
	g.mu.Lock()
	closed := g.close()
	g.mu.Unlock() // the registry asks guests under its own lock
	if closed {
		g.server.faults.Upset(g.config.Name, g.via, "was closed")
	}
}

// close gives false if the guest was closed already.
func (g *Guest) close() bool {
	if g.now == nil {
		return false
	}
	g.cancel()
	g.now.Shut()
	g.past = g.past.Plus(g.now.Traffic())
	g.now, g.cancel = nil, nil
	g.server.log.Info("proxy is closed", "proxy", g.config.Name)
	return true
}

// end closes the guest for good.
func (g *Guest) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = true
	g.close()
}

// guestPort is a guest as the registry sees it.
type guestPort struct{ guest *Guest }

// Set implements registry.Port.
func (p guestPort) Set(faults []*registry.Active) {
	g := p.guest
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = faults
	if g.now != nil {
		g.now.Set(faults)
	}
}

// Takes implements registry.Port.
func (p guestPort) Takes(e fault.Effect) error { return fault.Suits(e, p.guest.config.Name, fault.TCP) }

// Leads implements registry.Port.
func (p guestPort) Leads() string {
	g := p.guest
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.config.Leads()
}

// Coverage implements registry.Port.
func (p guestPort) Coverage(a *registry.Active) registry.Coverage {
	g := p.guest
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now == nil {
		return registry.Coverage{}
	}
	return g.now.Coverage(a)
}

func (g *Guest) status() registry.ProxyStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now == nil {
		c := g.config
		return registry.ProxyStatus{Name: c.Name, Listen: c.Listen, Upstream: c.Upstream, Protocol: fault.TCP, Faults: len(g.faults)}
	}
	return g.now.Status()
}

func (g *Guest) traffic() stream.Traffic {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now == nil {
		return g.past
	}
	return g.past.Plus(g.now.Traffic())
}

// guests are the proxies that came while a server ran.
type guests struct {
	tasks sync.WaitGroup // of their listeners

	mu     sync.Mutex
	list   []*Guest
	closed bool
}

func (s *guests) add(g *Guest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrStopped
	}
	s.list = append(s.list, g)
	return nil
}

func (s *guests) remove(g *Guest) {
	g.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(other *Guest) bool { return g == other })
}

func (s *guests) all() []*Guest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

func (s *guests) status() []registry.ProxyStatus {
	var list []registry.ProxyStatus
	for _, g := range s.all() {
		list = append(list, g.status())
	}
	return list
}

// close ends all guests for good, and waits until their goroutines have ended.
func (s *guests) close() {
	s.mu.Lock()
	s.closed = true
	list := slices.Clone(s.list)
	s.mu.Unlock()
	for _, g := range list {
		g.end()
	}
	s.tasks.Wait()
}
