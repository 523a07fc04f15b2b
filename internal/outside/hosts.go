package outside

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

// ErrForbidden is a host that may not be connected to.
var ErrForbidden = errors.New("allow.hosts of the settings does not list it")

// HostPort is what a URL of the web connects to, with the port of its scheme if
// it names none.
func HostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// SameHost reports whether two URLs mean the same host, port and scheme: what was
// given for one server is not for another.
func SameHost(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(HostPort(a), HostPort(b))
}

// Hosts says what may be connected to. The zero value is everything but what
// never is, see [never].
type Hosts struct {
	rules []rule
}

// rule is one entry: a name, or a range of addresses, and perhaps a port.
type rule struct {
	name string // "api.example", "*.example", or empty
	net  netip.Prefix
	port string // empty: any
}

// ParseHosts reads entries like api.example, *.example.com, api.example:443,
// 10.1.2.3, [2001:db8::1]:80 or 10.0.0.0/8. Without any, everything but link-local
// and metadata addresses may be connected to.
func ParseHosts(entries []string) (Hosts, error) {
	var h Hosts
	var problems []error
	for _, entry := range entries {
		r, err := parseRule(entry)
		h.rules, problems = append(h.rules, r), append(problems, err)
	}
	return h, errors.Join(problems...)
}

func parseRule(entry string) (r rule, err error) {
	if r.net, err = netip.ParsePrefix(entry); err == nil {
		return r, nil
	}
	host := strings.Trim(entry, "[]")
	if before, port, err := net.SplitHostPort(entry); err == nil {
		host, r.port = before, port
	}
	if address, err := netip.ParseAddr(host); err == nil {
		r.net = netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen())
		return r, nil
	}
	r.name = canonical(host)
	_, notPort := strconv.ParseUint(cmp.Or(r.port, "0"), 10, 16)
	if bare := strings.TrimPrefix(r.name, "*."); bare == "" || strings.ContainsAny(bare, "*/: ") || notPort != nil {
		return r, fmt.Errorf("%q is not a host: write api.example, *.example.com, api.example:443 or 10.0.0.0/8", entry)
	}
	return r, nil
}

// canonical is a name without what does not tell it from others.
func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

func (r rule) hasName(host, port string) bool {
	if r.name == "" || r.port != "" && r.port != port {
		return false
	}
	if parent, ok := strings.CutPrefix(r.name, "*"); ok {
		return strings.HasSuffix(host, parent) && host != parent
	}
	return host == r.name
}

func (r rule) hasAddress(address netip.Addr, port string) bool {
	return r.net.IsValid() && (r.port == "" || r.port == port) && r.net.Contains(address)
}

// Forbids says before anything is looked up that a host:port may not be connected
// to; nil if it may, or if only its address can tell.
func (h Hosts) Forbids(hostPort string) error {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return fmt.Errorf("read address: %w", err)
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return h.forbidsAddress(address, port, false)
	}
	if len(h.rules) == 0 || h.listsName(host, port) {
		return nil
	}
	for _, r := range h.rules {
		if r.net.IsValid() {
			return nil
		}
	}
	return fmt.Errorf("%w: %s", ErrForbidden, hostPort)
}

func (h Hosts) listsName(host, port string) bool {
	for _, r := range h.rules {
		if r.hasName(canonical(host), port) {
			return true
		}
	}
	return false
}

// forbidsAddress decides on the address that a connection is about to go to.
func (h Hosts) forbidsAddress(address netip.Addr, port string, named bool) error {
	address = address.Unmap().WithZone("")
	for _, r := range h.rules {
		if r.hasAddress(address, port) {
			return nil
		}
	}
	switch {
	case never(address):
		return fmt.Errorf("%w: %s is a link-local or metadata address", ErrForbidden, address)
	case len(h.rules) > 0 && !named:
		return fmt.Errorf("%w: %s", ErrForbidden, net.JoinHostPort(address.String(), port))
	}
	return nil
}

// Dial connects if that is allowed. The address is looked at when the connection
// is made, so that a name cannot be pointed elsewhere after it was looked at.
func (h Hosts) Dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	if err := h.Forbids(hostPort); err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(hostPort)
	named := h.listsName(host, port)
	dialer := net.Dialer{Control: func(_, to string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(to)
		if err != nil {
			return fmt.Errorf("%w: %s is not an address", ErrForbidden, to)
		}
		return h.forbidsAddress(at.Addr(), port, named)
	}}
	return dialer.DialContext(ctx, network, hostPort)
}
