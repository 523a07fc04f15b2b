package proxy

import (
	"errors"
	"fmt"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"net"
	"slices"
)

// validate names every problem of a list of listeners at once.
func validate(listeners []listener.Config) error {
	if len(listeners) == 0 {
		return errors.New("there is no proxy to run: list at least one under proxies, with name, listen and upstream")
	}
	var errs []error
	if !slices.ContainsFunc(listeners, func(l listener.Config) bool { return l.Control != "" }) {
		errs = append(errs, errors.New("no proxy names a control socket, through which faults are injected: set control"))
	}
	for i, l := range listeners {
		errs = append(errs, l.Validate())
		if l.Control != "" && !slices.ContainsFunc(listeners[:i], func(m listener.Config) bool { return m.Control == l.Control }) {
			errs = append(errs, control.Validate(l.Control, l.ControlTLS))
		}
		for _, earlier := range listeners[:i] {
			errs = append(errs, conflict(earlier, l))
		}
	}
	return errors.Join(errs...)
}

// conflict says why two listeners cannot be in one server; nil if they can.
func conflict(a, b listener.Config) error {
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
