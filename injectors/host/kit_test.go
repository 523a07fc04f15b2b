package host_test

import (
	"maps"
	"testing"

	"mishap"
	"mishap/injectors/host"
	"mishap/internal/injectortest"
)

var (
	raw   = injectortest.Raw
	fault = injectortest.Fault
	paths = injectortest.Paths
)

// kind is one entry of the catalog.
func kind(d host.Deps, name string) mishap.InjectorKind {
	return injectortest.Find(host.Catalog(d), name)
}

// world knows the injector.
func world(d host.Deps, name string) injectortest.World {
	return injectortest.World{Kind: kind(d, name)}
}

// prepared makes an injector and its injections, and reverts them at the end.
func prepared(t *testing.T, d host.Deps, f mishap.Fault) (mishap.Injector, []mishap.Injection, error) {
	t.Helper()
	return injectortest.Prepared(t, kind(d, f.Injector), f)
}

func TestEveryInjectorOfTheCatalogConforms(t *testing.T) {
	injectortest.Catalog(t, host.Catalog(host.Deps{}), worlds())
}

func worlds() map[string]injectortest.World {
	all := map[string]injectortest.World{"exec": execWorld()}
	maps.Copy(all, platformWorlds())
	return all
}
