package listener

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mishap/internal/certs"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/stream"
	"mishap/internal/socket"
)

// Original is an upstream: where each client wanted to go before it was redirected here.
const Original = "original"

// helloWithin is how long a client of a proxy that routes by name may take to say its name.
const helloWithin = 10 * time.Second

// route is where a connection goes. What was read of it to find out is passed on first.
func (l *TCP) route(c *stream.Connection) (upstream string, err error) {
	upstream = l.Upstream
	if upstream == Original {
		at, err := originalDestination(c.Client)
		if err != nil {
			return "", err
		}
		upstream = at.String()
	}
	if len(l.SNI) == 0 {
		return upstream, nil
	}
	name, read, err := certs.Hello(c.Client, helloWithin)
	c.Hello = read
	if err != nil && len(read) == 0 {
		return "", err
	}
	return l.named(name, upstream), nil // also what is no TLS goes on as it came
}

// named is the upstream for a name: its own, or that of the longest *.domain above it, or the usual one.
func (l *TCP) named(name, usual string) string {
	for at := strings.ToLower(name); at != ""; {
		if to, ok := l.SNI[at]; ok {
			return to
		}
		_, parent, more := strings.Cut(strings.TrimPrefix(at, "*."), ".")
		if !more {
			break
		}
		at = "*." + parent
	}
	return usual
}

// validateRoutes names what is wrong with where a proxy forwards to, beside its upstream.
func (c Config) validateRoutes() error {
	var errs []error
	if len(c.SNI) > 0 && c.Protocol != "" && c.Protocol != fault.TCP {
		errs = append(errs, fmt.Errorf("proxy %q routes by the name in TLS, which is for protocol tcp: leave sni out", c.Name))
	}
	for name, to := range c.SNI {
		if name != strings.ToLower(name) || strings.Contains(strings.TrimPrefix(name, "*."), "*") || name == "" {
			errs = append(errs, fmt.Errorf("proxy %q has the name %q in sni: write it in lower case, such as pay.example or *.example", c.Name, name))
		}
		if err := socket.CheckAddress(to, 1); err != nil {
			errs = append(errs, fmt.Errorf("proxy %q cannot forward %s to %q: %w", c.Name, name, to, err))
		}
	}
	if c.Upstream == Original && c.Protocol != "" && c.Protocol != fault.TCP {
		errs = append(errs, fmt.Errorf("proxy %q has upstream original, which is for protocol tcp: write host:port", c.Name))
	}
	return errors.Join(errs...)
}
