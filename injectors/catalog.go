// Package injectors is the catalog of faults. The packages below it have one
// file for each, and a list of what they have.
//
// Every injector obeys the contract of [mishap.Injector], and the conformance
// suite in internal/injectortest holds each entry of the catalog to it.
package injectors

import (
	"cmp"
	"slices"

	"mishap"
	"mishap/injectors/aws"
	"mishap/injectors/host"
	"mishap/injectors/proxy"
)

// Deps is what injectors need from the rest of the program.
type Deps struct {
	AWS   aws.Deps
	Host  host.Deps
	Proxy proxy.Deps
}

// Catalog lists all injectors, sorted by name.
func Catalog(d Deps) []mishap.InjectorKind {
	return sorted(aws.Catalog(d.AWS), host.Catalog(d.Host), proxy.Catalog(d.Proxy))
}

// Recorded lists what a recorded injection may name: the catalog, and what is in
// none because experiments do not ask for it as a fault.
func Recorded(d Deps) []mishap.InjectorKind {
	return append(Catalog(d), proxy.ArmsKind(d.Proxy))
}

func sorted(lists ...[]mishap.InjectorKind) []mishap.InjectorKind {
	return slices.SortedFunc(slices.Values(slices.Concat(lists...)), func(a, b mishap.InjectorKind) int { return cmp.Compare(a.Name, b.Name) })
}
