package probes

import (
	"context"
	"errors"
	"net"
	"os"

	"mishap"
	"mishap/internal/outside"
)

// Deps is what probes need of the world, at every observation: to look up
// secrets (nil means [os.LookupEnv] and [outside.ReadFile]), and to ask a proxy.
type Deps struct {
	LookupEnv func(name string) (string, bool)
	ReadFile  func(path string) ([]byte, error)
	// Dial connects; nil: a [net.Dialer] does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Callers tells what the callers of a proxy did in the last while. Nil: no
	// proxy can be asked, and the probe says so.
	Callers func(context.Context, CallersQuery) (CallersSeen, error)
}

// decode reads what a probe is given, and what it expects; the one reader of
// both, for New as for Uses.
func decode(spec mishap.ProbeSpec, params, expect any) misread {
	return misread{mishap.Decode("with", spec.With, params), mishap.Decode("expect", spec.Expect, expect)}
}

// misread is what could not be read.
type misread struct{ with, expect error }

func (m misread) err() error { return errors.Join(m.with, m.expect) }

// Catalog lists all probes, sorted by name.
func Catalog(d Deps) []mishap.ProbeKind {
	if d.LookupEnv == nil {
		d.LookupEnv = os.LookupEnv
	}
	if d.Dial == nil {
		d.Dial = new(net.Dialer).DialContext
	}
	if d.ReadFile == nil {
		d.ReadFile = outside.ReadFile
	}
	return []mishap.ProbeKind{
		callersKind(d),
		execKind(d),
		httpKind(d),
		prometheusKind(d),
		tcpKind(d),
	}
}
