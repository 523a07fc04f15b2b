package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"mishap/internal/certs"
	"mishap/internal/proxy/fault"
	"mishap/internal/socket"
)

// Config is the configuration of one proxy.
type Config struct {
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

// Validate names every problem of a listener at once.
func (c Config) Validate() error {
	var errs []error
	if !fault.ValidName(c.Name) {
		errs = append(errs, fmt.Errorf("proxy name %q must be 1 to %d letters, digits, or any of . _ : -", c.Name, fault.MaxName))
	}
	if c.Protocol != "" && c.Protocol != fault.TCP && c.Protocol != fault.UDP && c.Protocol != fault.HTTP {
		errs = append(errs, fmt.Errorf("proxy %q has the protocol %q: write tcp, udp or http", c.Name, c.Protocol))
	}
	if c.Protocol != fault.HTTP && (c.TLS != nil || c.UpstreamTLS != nil) {
		errs = append(errs, fmt.Errorf("proxy %q has TLS, which is for protocol http: TLS passes tcp as it is", c.Name))
	}
	if c.Protocol != fault.HTTP && (c.Edge || c.Egress) {
		errs = append(errs, fmt.Errorf("proxy %q has edge or egress, which is for protocol http: others know no baggage", c.Name))
	}
	if t := c.TLS; t != nil && (t.Cert == "" || t.Key == "") {
		errs = append(errs, fmt.Errorf("proxy %q needs both cert and key in tls", c.Name))
	}
	if t := c.UpstreamTLS; t != nil && (t.Cert == "") != (t.Key == "") {
		errs = append(errs, fmt.Errorf("proxy %q needs both cert and key in upstreamTLS, or none", c.Name))
	}
	if err := socket.CheckAddress(c.Listen, 0); err != nil {
		errs = append(errs, fmt.Errorf("proxy %q cannot listen on %q: %w", c.Name, c.Listen, err))
	}
	if c.Upstream != Original {
		errs = append(errs, c.validateUpstream())
	}
	errs = append(errs, c.validateRoutes())
	return errors.Join(errs...)
}

func (c Config) validateUpstream() error {
	var errs []error
	if host, _, err := net.SplitHostPort(c.Upstream); err == nil && host == "" {
		errs = append(errs, fmt.Errorf("proxy %q has an upstream without a host, %q: write host:port", c.Name, c.Upstream))
	}
	if err := socket.CheckAddress(c.Upstream, 1); err != nil {
		errs = append(errs, fmt.Errorf("proxy %q cannot forward to %q: %w", c.Name, c.Upstream, err))
	} else if c.Upstream == c.Listen {
		errs = append(errs, fmt.Errorf("proxy %q would forward to itself: give it an upstream other than %s", c.Name, c.Listen))
	}
	return errors.Join(errs...)
}

// Leads is where all traffic of a proxy goes; empty if that differs. Ways to write one address are one; names that lead to
// it are not, but for localhost.
func (c Config) Leads() string {
	switch {
	case c.Upstream == "" || c.Upstream == Original:
		return ""
	case c.Protocol == fault.UDP:
		return "udp " + oneAddress(c.Upstream)
	}
	return oneAddress(c.Upstream)
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

// resolveTimeout is how long finding an upstream may take.
const resolveTimeout = 5 * time.Second

// Resolve checks that the upstream's host has an address.
func (c Config) Resolve(ctx context.Context) error {
	if c.Upstream == Original {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	host, _, err := net.SplitHostPort(c.Upstream)
	if err == nil {
		_, err = net.DefaultResolver.LookupHost(ctx, host)
	}
	if err != nil {
		return fmt.Errorf("proxy %q cannot find its upstream %q: correct the host name, or wait until it resolves: %w",
			c.Name, c.Upstream, err)
	}
	return nil
}
