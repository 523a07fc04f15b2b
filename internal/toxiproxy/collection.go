package toxiproxy

import (
	"context"
	"errors"
	"net"
	"sync"

	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// collection is all proxies. Its lock is never held across a call that waits for a peer, a name server or a client.
type collection struct {
	host *proxy.Host

	mu      sync.Mutex
	proxies map[string]*entry
	put     int // faults so far; numbers them
}

// entry is one proxy.
type entry struct {
	name     string
	listen   string // as it was asked for; while it is enabled, the real address
	upstream string
	enabled  bool
	guest    *proxy.Guest // nil if it is one of the settings
	chain    []*toxic     // in the order they came; see list
}

// definition is a proxy as clients and the config file write it.
type definition struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
	Enabled  *bool  `json:"enabled"` // nil is true
}

func (d definition) enabled() bool { return d.Enabled == nil || *d.Enabled }

// begin makes the proxies of the settings known.
func (c *collection) begin(host *proxy.Host) {
	host.Via = "Toxiproxy's API"
	c.host, c.proxies = host, make(map[string]*entry)
	for _, p := range host.Proxies() {
		if p.Protocol == fault.TCP {
			c.proxies[p.Name] = &entry{name: p.Name, listen: p.Listen, upstream: p.Upstream, enabled: true}
		}
	}
}

// get finds a proxy. The caller has the lock.
func (c *collection) get(name string) (*entry, error) {
	e := c.proxies[name]
	if e == nil {
		return nil, proxyNotFound()
	}
	return e, nil
}

// add makes a proxy that does not exist, and starts it if it is to be enabled.
func (c *collection) add(ctx context.Context, d definition) (view, error) {
	resolved, unresolved := "", error(nil)
	if d.enabled() {
		resolved, unresolved = resolve(ctx, d.Listen)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proxies[d.Name] != nil {
		return view{}, proxyExists()
	}
	if unresolved != nil {
		return view{}, cannotListen(unresolved)
	}
	guest, err := c.host.Add(d.Name)
	switch {
	case errors.Is(err, registry.ErrTaken): // by one of the settings that is of UDP
		return view{}, proxyExists()
	case err != nil:
		return view{}, err
	}
	e := &entry{name: d.Name, listen: d.Listen, upstream: d.Upstream, guest: guest}
	if d.enabled() {
		if err := e.start(resolved); err != nil {
			c.host.Remove(guest)
			return view{}, err
		}
	}
	c.proxies[d.Name] = e
	return c.view(e), nil
}

// addOrReplace makes a proxy, or makes it anew, without toxics, if it listens or forwards elsewhere.
func (c *collection) addOrReplace(ctx context.Context, d definition) (view, error) {
	resolved, unresolved := resolve(ctx, d.Listen)
	c.mu.Lock()
	e := c.proxies[d.Name]
	if e == nil {
		c.mu.Unlock()
		return c.add(ctx, d)
	}
	defer c.mu.Unlock()
	switch {
	case unresolved != nil:
		return view{}, unresolved
	case e.listen == resolved && e.upstream == d.Upstream:
		return c.view(e), nil
	case e.guest == nil:
		return view{}, ofSettings(e.name)
	}
	e.stop()
	next := &entry{name: d.Name, listen: d.Listen, upstream: d.Upstream, guest: e.guest}
	if d.enabled() {
		// The guest is the same, and so are its faults until they are taken: a connection that comes between would obey them.
		if err := next.start(resolved); err != nil {
			return view{}, err
		}
	}
	c.clear(e)
	c.proxies[d.Name] = next
	return c.view(next), nil
}

// change is what a client wants of a proxy; nil leaves things as they are.
type change struct {
	Listen   *string `json:"listen"`
	Upstream *string `json:"upstream"`
	Enabled  *bool   `json:"enabled"`
}

// apply changes a proxy. One that listens or forwards elsewhere than before loses its connections.
func (c *collection) apply(ctx context.Context, name string, want change) (view, error) {
	for {
		listen, err := c.listenOf(name, want)
		if err != nil {
			return view{}, err
		}
		resolved, err := resolve(ctx, listen)
		if err != nil {
			return view{}, err
		}
		c.mu.Lock()
		e, err := c.get(name)
		if err == nil && want.Listen == nil && e.listen != listen {
			c.mu.Unlock() // somebody else has changed it since
			continue
		}
		defer c.mu.Unlock()
		if err != nil {
			return view{}, err
		}
		err = e.become(want, listen, resolved)
		return c.view(e), err
	}
}

// listenOf is where a proxy is to listen.
func (c *collection) listenOf(name string, want change) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := c.get(name)
	if err != nil || want.Listen == nil {
		return e.where(), err
	}
	return *want.Listen, nil
}

func (e *entry) where() string {
	if e == nil {
		return ""
	}
	return e.listen
}

// become makes a proxy what is wanted of it.
func (e *entry) become(want change, listen, resolved string) error {
	upstream, enabled := e.upstream, e.enabled
	if want.Upstream != nil {
		upstream = *want.Upstream
	}
	if want.Enabled != nil {
		enabled = *want.Enabled
	}
	differs := e.listen != resolved || e.upstream != upstream
	if e.guest == nil && (differs || !enabled) {
		return ofSettings(e.name)
	}
	if differs {
		e.stop()
		e.listen, e.upstream = listen, upstream
	}
	switch {
	case enabled && !e.enabled:
		return e.start(resolved)
	case !enabled:
		e.stop()
	}
	return nil
}

// start listens on an address whose host is an IP address.
func (e *entry) start(resolved string) error {
	address, err := e.guest.Open(resolved, e.upstream)
	if err != nil {
		return err
	}
	e.listen, e.enabled = address, true
	return nil
}

// stop ends all connections. The toxics stay.
func (e *entry) stop() {
	if e.enabled && e.guest != nil {
		e.guest.Close()
		e.enabled = false
	}
}

// cannotListen words an address that cannot be used as the system words a port that cannot.
func cannotListen(err error) error { return &net.OpError{Op: "listen", Net: "tcp", Err: err} }
