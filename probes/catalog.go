package probes

import (
	"os"

	"mishap"
)

// Deps is what probes need of the world to look up secrets, which they do at
// every observation. A field that is nil means the function of package os.
type Deps struct {
	LookupEnv func(name string) (string, bool)
	ReadFile  func(path string) ([]byte, error)
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
		execKind(d),
		httpKind(d),
		prometheusKind(d),
		tcpKind(d),
	}
}
