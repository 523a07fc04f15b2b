// Package host is the faults in processes and commands of this machine: one file
// each.
package host

import (
	"mishap"
	"mishap/internal/outside"
)

// Deps is what these injectors need from the rest of the program.
type Deps struct {
	Secret func(mishap.Secret) (string, error) // looks a secret up
	Files  *outside.Files                      // that may be read; nil: all
}

// Catalog lists the faults.
func Catalog(d Deps) []mishap.InjectorKind {
	return []mishap.InjectorKind{
		execKind(d),
		processKillKind(d),
		processStopKind(d),
	}
}
