package probes

import (
	"context"
	"os"

	"mishap"
)

// Deps is what probes need of the world, at every observation: to look up
// secrets (nil means the functions of package os), and to ask a proxy.
type Deps struct {
	LookupEnv func(name string) (string, bool)
	ReadFile  func(path string) ([]byte, error)
	// Callers tells what the callers of a proxy did in the last while. Nil: no
	// proxy can be asked, and the probe says so.
	Callers func(context.Context, CallersQuery) (CallersSeen, error)
}

// Catalog lists all probes, sorted by name.
func Catalog(d Deps) []mishap.ProbeKind {
	if d.LookupEnv == nil {
		d.LookupEnv = os.LookupEnv
	}
	if d.ReadFile == nil {
		d.ReadFile = os.ReadFile
	}
	return []mishap.ProbeKind{
		callersKind(d),
		execKind(d),
		httpKind(d),
		prometheusKind(d),
		tcpKind(d),
	}
}
