package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"mishap/internal/certs"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/socket"
)

// Listener is the configuration of one proxy.
type Listener struct {
	Name     string `json:"name"`     // what faults refer to
	Listen   string `json:"listen"`   // host:port to accept on; port 0 takes a free one
	Upstream string `json:"upstream"` // host:port to forward to; or "original": where the client wanted to go before a redirect
	Protocol string `json:"protocol"` // "tcp" (default), "udp" or "http"
	// Control is the path of the unix socket of the control API, or tcp://host:port, which is only for loopback unless
	// ControlTLS is given. There is one for all listeners; "" takes that of another.
	Control    string       `json:"control"`
	ControlTLS certs.Mutual `json:"controlTLS,omitzero"`

	// Of http. Edge says that the clients are outside: what they say of arms in their baggage is taken out. Egress says that
	// the upstream is outside: it is told nothing of arms.
	Edge   bool `json:"edge,omitempty"`
	Egress bool `json:"egress,omitempty"`

	SNI map[string]string `json:"sni,omitempty"` // of tcp: by the name in a TLS hello, upstreams other than the usual one

	TLS         *ServerTLS `json:"tls,omitempty"`         // of http: answer clients with TLS; nil: without
	UpstreamTLS *ClientTLS `json:"upstreamTLS,omitempty"` // of http: speak TLS with the upstream; nil: without
}

// validate names every problem of a list of listeners at once.
func validate(listeners []Listener) error {
	if len(listeners) == 0 {
		return errors.New("there is no proxy to run: list at least one under proxies, with name, listen and upstream")
	}
	var errs []error
	if !slices.ContainsFunc(listeners, func(l Listener) bool { return l.Control != "" }) {
		errs = append(errs, errors.New("no proxy names a control socket, which faults are put in through: set control"))
	}
	for i, l := range listeners {
		errs = append(errs, l.validate())
		if l.Control != "" && !slices.ContainsFunc(listeners[:i], func(m Listener) bool { return m.Control == l.Control }) {
			errs = append(errs, control.Validate(l.Control, l.ControlTLS))
		}
		for _, earlier := range listeners[:i] {
			errs = append(errs, conflict(earlier, l))
		}
	}
	return errors.Join(errs...)
}

func (l Listener) validate() error {
	var errs []error
	if !fault.ValidName(l.Name) {
		errs = append(errs, fmt.Errorf("proxy name %q must be 1 to %d letters, digits, or any of . _ : -", l.Name, fault.MaxName))
	}
	if l.Protocol != "" && l.Protocol != fault.TCP && l.Protocol != fault.UDP && l.Protocol != fault.HTTP {
		errs = append(errs, fmt.Errorf("proxy %q has the protocol %q: write tcp, udp or http", l.Name, l.Protocol))
	}
	if l.Protocol != fault.HTTP && (l.TLS != nil || l.UpstreamTLS != nil) {
		errs = append(errs, fmt.Errorf("proxy %q has TLS, which is for protocol http: TLS passes tcp as it is", l.Name))
	}
	if l.Protocol != fault.HTTP && (l.Edge || l.Egress) {
		errs = append(errs, fmt.Errorf("proxy %q has edge or egress, which is for protocol http: others know no baggage", l.Name))
	}
	if t := l.TLS; t != nil && (t.Cert == "" || t.Key == "") {
		errs = append(errs, fmt.Errorf("proxy %q needs both cert and key in tls", l.Name))
	}
	if t := l.UpstreamTLS; t != nil && (t.Cert == "") != (t.Key == "") {
		errs = append(errs, fmt.Errorf("proxy %q needs both cert and key in upstreamTLS, or none", l.Name))
	}
	if err := socket.CheckAddress(l.Listen, 0); err != nil {
		errs = append(errs, fmt.Errorf("proxy %q cannot listen on %q: %w", l.Name, l.Listen, err))
	}
	if l.Upstream != Original {
		errs = append(errs, l.validateUpstream())
	}
	errs = append(errs, l.validateRoutes())
	return errors.Join(errs...)
}

func (l Listener) validateUpstream() error {
	var errs []error
	if host, _, err := net.SplitHostPort(l.Upstream); err == nil && host == "" {
		errs = append(errs, fmt.Errorf("proxy %q has an upstream without a host, %q: write host:port", l.Name, l.Upstream))
	}
	if err := socket.CheckAddress(l.Upstream, 1); err != nil {
		errs = append(errs, fmt.Errorf("proxy %q cannot forward to %q: %w", l.Name, l.Upstream, err))
	} else if l.Upstream == l.Listen {
		errs = append(errs, fmt.Errorf("proxy %q would forward to itself: give it an upstream other than %s", l.Name, l.Listen))
	}
	return errors.Join(errs...)
}

// conflict says why two listeners cannot be in one server; nil if they can.
func conflict(a, b Listener) error {
	var errs []error
	if a.Name == b.Name {
		errs = append(errs, fmt.Errorf("two proxies are named %q: rename one", a.Name))
	}
	if (a.Protocol == fault.UDP) == (b.Protocol == fault.UDP) && sameAddress(a.Listen, b.Listen) {
		errs = append(errs, fmt.Errorf("proxies %q and %q both listen on port %s: change listen of one", a.Name, b.Name,
			b.Listen))
	}
	if a.Control != "" && b.Control != "" && a.Control != b.Control {
		errs = append(errs, fmt.Errorf("proxies %q and %q name different control sockets, %s and %s: give both the same, "+
			"or run two proxies", a.Name, b.Name, a.Control, b.Control))
	}
	return errors.Join(errs...)
}

// sameAddress says whether two addresses cannot both be listened on.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return hostA == hostB || anyHost(hostA) || anyHost(hostB)
}

func anyHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// leadsTo is where all traffic of a proxy goes; empty if that differs. Ways to write one address are one; names that lead to
// it are not, but for localhost.
func leadsTo(l Listener) string {
	switch {
	case l.Upstream == "" || l.Upstream == Original:
		return ""
	case l.Protocol == fault.UDP:
		return "udp " + oneAddress(l.Upstream)
	}
	return oneAddress(l.Upstream)
}

// oneAddress writes HOST:PORT as all others of the same address are written.
func oneAddress(upstream string) string {
	host, port, err := net.SplitHostPort(upstream)
	if err != nil {
		return strings.ToLower(upstream)
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	ip, err := netip.ParseAddr(host)
	ip = ip.Unmap()
	switch {
	case host == "localhost", host == "", err == nil && (ip == netip.IPv6Loopback() || ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip.IsUnspecified()):
		host = "localhost"
	case err == nil:
		host = ip.String()
	}
	return net.JoinHostPort(host, port)
}
