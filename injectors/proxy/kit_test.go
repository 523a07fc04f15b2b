package proxy_test

import (
	"testing"

	"mishap"
	"mishap/injectors/proxy"
	"mishap/internal/injectortest"
)

var (
	raw   = injectortest.Raw
	fault = injectortest.Fault
	paths = injectortest.Paths
)

// kind is one entry of the catalog.
func kind(d proxy.Deps, name string) mishap.InjectorKind {
	return injectortest.Find(proxy.Catalog(d), name)
}

// world knows the injector.
func world(d proxy.Deps, name string) injectortest.World {
	return injectortest.World{Kind: kind(d, name)}
}

// prepared makes an injector and its injections, and reverts them at the end.
func prepared(t *testing.T, d proxy.Deps, f mishap.Fault) (mishap.Injector, []mishap.Injection, error) {
	t.Helper()
	return injectortest.Prepared(t, kind(d, f.Injector), f)
}

func TestEveryInjectorOfTheCatalogConforms(t *testing.T) {
	injectortest.Catalog(t, proxy.Catalog(proxy.Deps{}), worlds())
}
