package aws_test

import (
	"testing"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/injectortest"
)

var (
	raw   = injectortest.Raw
	fault = injectortest.Fault
	paths = injectortest.Paths
)

// kind is one entry of the catalog.
func kind(d aws.Deps, name string) mishap.InjectorKind {
	return injectortest.Find(aws.Catalog(d), name)
}

// world knows the injector.
func world(d aws.Deps, name string) injectortest.World {
	return injectortest.World{Kind: kind(d, name)}
}

// prepared makes an injector and its injections, and reverts them at the end.
func prepared(t *testing.T, d aws.Deps, f mishap.Fault) (mishap.Injector, []mishap.Injection, error) {
	t.Helper()
	return injectortest.Prepared(t, kind(d, f.Injector), f)
}

func TestEveryInjectorOfTheCatalogConforms(t *testing.T) {
	injectortest.Catalog(t, aws.Catalog(aws.Deps{}), worlds())
}

func worlds() map[string]injectortest.World {
	all := map[string]injectortest.World{"ec2-stop": memoryEC2World()}
	for name := range trials() {
		if _, has := all[name]; !has {
			all[name] = fakeWorld(name)
		}
	}
	return all
}

func TestEC2StopConformsToAServerOfItsAPI(t *testing.T) {
	w, ok := ec2World(t)
	if !ok {
		t.Skip("moto_server is not installed")
	}
	injectortest.Conform(t, w)
}
