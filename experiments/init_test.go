package experiments_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"mishap"
	"mishap/experiments"
)

// began are the experiments of what init wrote, read as a run would.
func began(t *testing.T, first experiments.First) []mishap.Experiment {
	t.Helper()
	folder := t.TempDir()
	for path, data := range first.Files {
		write(t, folder, path, string(data))
		if err := resolved(t, shipped()).Validate(document(t, data)); err != nil {
			t.Errorf("%s and the schema: %v", path, err)
		}
	}
	var names []string
	for _, p := range first.Behind {
		names = append(names, p.Name)
	}
	warn := func(p experiments.Problem) { t.Errorf("warned: %v", p) }
	all, err := experiments.Load(t.Context(), []string{folder}, experiments.Options{Catalogs: shipped(), Proxies: names, CheckProxies: true, Warn: warn})
	if err != nil {
		t.Fatalf("%v\n%s", err, first.Files)
	}
	return all
}

func namesOf(all []mishap.Experiment) (names []string) {
	for _, e := range all {
		names = append(names, e.Name)
	}
	return names
}

// asks is the URL of the first probe.
func asks(t *testing.T, e mishap.Experiment) string {
	t.Helper()
	var with struct{ URL string }
	if err := json.Unmarshal(e.SteadyState[0].With, &with); err != nil {
		t.Fatal(err)
	}
	return with.URL
}

func TestInitWritesTwoExperimentsOnAServiceBehindAProxy(t *testing.T) {
	long := strings.Repeat("long", 20)
	for raw, name := range map[string]string{
		"http://localhost:8080/health":                    "service",
		"https://shop.example":                            "shop",
		"http://[::1]:18080/a?b=${c}&d=%20<\"'#frag":      "service",
		"http://A_B.example./" + strings.Repeat("x", 300): "a-b",
		"http://" + long + ".com":                         long[:40],
	} {
		first, err := experiments.Init(experiments.Asked{URL: raw})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		all := began(t, first)
		if got := namesOf(all); !slices.Equal(got, []string{"cut-" + name, "slow-" + name}) || len(first.Added) != 1 {
			t.Errorf("%s: experiments %v, proxies %v", raw, got, first.Added)
			continue
		}
		p := first.Added[0]
		if !strings.HasPrefix(asks(t, all[0]), "http://"+p.Listen+"/") || p.Listen == p.Upstream || p.HTTPS != strings.HasPrefix(raw, "https") {
			t.Errorf("%s: probe asks %s, proxy is %+v", raw, asks(t, all[0]), p)
		}
		if !strings.Contains(string(first.Files["experiments/slow-"+name+".yaml"]), "headers: {Host: ") {
			t.Errorf("%s: the service does not see its own name", raw)
		}
	}
}

func TestInitPutsEachDependencyBehindAProxyAndAsksTheServiceItself(t *testing.T) {
	for dependency, name := range map[string]string{
		"db.internal:5432": "postgres", "localhost:6379": "redis", "payments.internal:8080": "payments",
		"sessions=localhost:6379": "sessions", "10.0.0.1:8081": "dependency-8081", "[::1]:3306": "mysql",
	} {
		for _, url := range []string{"http://localhost:8080/health", "https://shop.example/cart?a=${b}"} {
			first, err := experiments.Init(experiments.Asked{URL: url, Dependencies: []string{dependency}, Load: "k6 run \u2028\x1b[31m a.js"})
			if err != nil {
				t.Fatalf("%s: %v", dependency, err)
			}
			all := began(t, first)
			if got := namesOf(all); !slices.Equal(got, []string{"slow-" + name, "without-" + name}) {
				t.Errorf("%s: experiments %v", dependency, got)
			}
			_, upstream, named := strings.Cut(dependency, "=")
			if !named {
				upstream = dependency
			}
			if p := first.Added[0]; p.Name != name || p.Upstream != upstream || p.HTTPS || p.Listen != "127.0.0.1:18080" || asks(t, all[0]) != url {
				t.Errorf("%s: probe asks %s, proxy is %+v", dependency, asks(t, all[0]), p)
			}
		}
	}
}

func TestInitProposesAPortThatNobodyListensOn(t *testing.T) {
	taken := map[int]bool{18080: true, 18082: true}
	first, err := experiments.Init(experiments.Asked{URL: "http://localhost:8080/", Dependencies: []string{"cache:6379", "db:5432"}, Taken: func(port int) bool { return taken[port] }})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := first.Added[0].Listen, first.Added[1].Listen; a != "127.0.0.1:18081" || b != "127.0.0.1:18083" {
		t.Errorf("proxies listen on %s and %s", a, b)
	}
}

// A second init finds what the first has written.
func TestInitAddsOnlyProxiesThatTheSettingsLack(t *testing.T) {
	known := []experiments.Proxy{
		{Name: "redis", Listen: "127.0.0.1:18080", Upstream: "cache:6379"},
		{Name: "postgres", Listen: "0.0.0.0:18081", Upstream: "other:5432"},
	}
	first, err := experiments.Init(experiments.Asked{URL: "http://localhost:18082/", Dependencies: []string{"cache:6379", "db:5432", "db2:5432"}, Known: known})
	if err != nil {
		t.Fatal(err)
	}
	want := []experiments.Proxy{
		{Name: "postgres-2", Listen: "127.0.0.1:18082", Upstream: "db:5432"},
		{Name: "postgres-3", Listen: "127.0.0.1:18083", Upstream: "db2:5432"},
	}
	if !slices.Equal(first.Added, want) || !slices.Equal(first.Behind, append(known[:1:1], want...)) {
		t.Errorf("added %+v; behind %+v", first.Added, first.Behind)
	}
	if got := namesOf(began(t, first)); len(got) != 6 || !slices.Contains(got, "slow-redis") || !slices.Contains(got, "without-postgres-3") {
		t.Errorf("experiments %v", got)
	}
	if _, is := first.Files[first.Start]; !is || first.Start != "experiments/slow-redis.yaml" {
		t.Errorf("begins with %q of %v", first.Start, slices.Sorted(maps.Keys(first.Files)))
	}
}

func TestInitRefusesWhatItCannotReach(t *testing.T) {
	for _, tt := range []struct{ url, dependency, want string }{
		{"shop.example", "", "http://"},
		{"ftp://shop.example", "", "http://"},
		{"http://", "", "http://"},
		{"http://a:b@c", "", "password"},
		{"http://a\nb", "", "not a URL"},
		{"http://{{.}}/", "", "not a"},
		{"", "", "http://"},
		{"http://a", "db", "host and port"},
		{"http://a", "db:", "not a port"},
		{"http://a", "db:70000", "not a port"},
		{"http://a", ":5432", "host and port"},
		{"http://a", "x y=db:5432", "not a name"},
		{"http://a", "=db:5432", "not a name"},
		{"http://a", "d b:5432", "host and port"},
	} {
		var dependencies []string
		if tt.dependency != "" {
			dependencies = []string{tt.dependency}
		}
		_, err := experiments.Init(experiments.Asked{URL: tt.url, Dependencies: dependencies})
		var hinted *mishap.Hinted
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &hinted) {
			t.Errorf("init %q %q: %v, want %q and a hint", tt.url, tt.dependency, err, tt.want)
		}
	}
}
