package experiments_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap"
	"mishap/experiments"
	"mishap/injectors"
	"mishap/internal/metrics"
	"mishap/probes"
	"mishap/safeguards"
)

// shipped are the catalogs of the program: what is shipped and what init
// writes must be valid there, not only with the stand-ins.
func shipped() experiments.Catalogs {
	p := probes.Catalog(probes.Deps{})
	var sources []mishap.SourceKind
	for _, k := range metrics.Catalog(metrics.Deps{}) {
		sources = append(sources, mishap.SourceKind{Kind: k.Kind, Uses: k.Uses, Check: func(m mishap.CompareMetric) error { _, err := k.New(m); return err }})
	}
	return experiments.Catalogs{
		Injectors: injectors.Catalog(injectors.Deps{}),
		Probes:    p,
		Sources:   sources,
		Safeguards: safeguards.Catalog(safeguards.Deps{Probe: func(s mishap.ProbeSpec) (mishap.Probe, error) {
			for _, kind := range p {
				if kind.Name == s.Probe {
					return kind.New(s)
				}
			}
			return nil, errors.New("unknown probe")
		}}),
	}
}

func TestShippedExperimentsAreValid(t *testing.T) {
	schema := resolved(t, shipped())
	folder := t.TempDir()
	entries, err := fs.ReadDir(experiments.Library(), ".")
	if err != nil || len(entries) < 8 {
		t.Fatalf("%d experiments are shipped, want at least 8 (%v)", len(entries), err)
	}
	for _, entry := range entries {
		data, err := fs.ReadFile(experiments.Library(), entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		write(t, folder, entry.Name(), string(data))
		if !bytes.HasPrefix(data, []byte("# ")) {
			t.Errorf("%s does not begin with a comment", entry.Name())
		}
		if err := schema.Validate(document(t, data)); err != nil {
			t.Errorf("%s and the schema: %v", entry.Name(), err)
		}
	}
	warn := func(p experiments.Problem) { t.Errorf("warned of what is shipped: %v", p) }
	all, err := experiments.Load(context.Background(), []string{folder}, experiments.Options{Catalogs: shipped(), Warn: warn})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range all {
		if want := strings.TrimSuffix(entries[i].Name(), ".yaml"); e.Name != want {
			t.Errorf("%s holds the experiment %s", entries[i].Name(), e.Name)
		}
	}
}

// TestWhatAShippedExperimentOffersInAComment is valid as well, once it is no comment any more.
func TestWhatAShippedExperimentOffersInAComment(t *testing.T) {
	data, err := fs.ReadFile(experiments.Library(), "slow-payments-for-a-few.yaml")
	if err != nil {
		t.Fatal(err)
	}
	offered := strings.NewReplacer("\n    # - ", "\n    - ", "\n    #   ", "\n      ").Replace(string(data))
	folder := t.TempDir()
	write(t, folder, "offered.yaml", offered)
	warn := func(p experiments.Problem) { t.Errorf("warned: %v", p) }
	all, err := experiments.Load(context.Background(), []string{folder}, experiments.Options{Catalogs: shipped(), Warn: warn})
	if err != nil || len(all[0].Compare.Metrics) != 3 || all[0].Compare.Metrics[2].Unit != "slot" {
		t.Errorf("%v\n%s", err, offered)
	}
}

func TestInitWritesAnExperimentThatIsValid(t *testing.T) {
	for raw, name := range map[string]string{
		"http://localhost:8080/health":                    "slow-localhost",
		"http://shop.example":                             "slow-shop-example",
		"http://[::1]:18080/a?b=${c}&d=%20<\"'#frag":      "slow-1",
		"http://A_B.example./" + strings.Repeat("x", 300): "slow-a-b-example",
		"http://" + strings.Repeat("long.", 40) + "com":   "slow-" + strings.Repeat("long-", 10)[:49],
	} {
		files, err := experiments.Init(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		content, ok := files["experiments/"+name+".yaml"]
		if !ok || len(files) != 2 {
			t.Errorf("%s: files are %v, want %s", raw, files, name)
			continue
		}
		folder := t.TempDir()
		for path, data := range files {
			write(t, folder, path, string(data))
		}
		all, err := experiments.Load(context.Background(), []string{folder}, experiments.Options{Catalogs: shipped(), Proxies: []string{"service"}, CheckProxies: true})
		if err != nil {
			t.Errorf("%s: %v\n%s", raw, err, content)
			continue
		}
		if err := resolved(t, shipped()).Validate(document(t, content)); err != nil {
			t.Errorf("%s and the schema: %v", raw, err)
		}
		var with struct{ URL string }
		if err := json.Unmarshal(all[0].SteadyState[0].With, &with); err != nil {
			t.Fatal(err)
		}
		settings, _ := document(t, files["mishap.yaml"]).(map[string]any)
		proxy := settings["proxies"].([]any)[0].(map[string]any)
		if listen := proxy["listen"].(string); !strings.HasPrefix(with.URL, "http://"+listen+"/") || listen == proxy["upstream"] {
			t.Errorf("%s: probe asks %s, proxy is %v", raw, with.URL, proxy)
		}
	}
}

func TestInitRefusesWhatItCannotReach(t *testing.T) {
	for raw, want := range map[string]string{
		"https://shop.example": "certificate",
		"shop.example":         "http://",
		"ftp://shop.example":   "http://",
		"http://":              "http://",
		"http://a:b@c":         "password",
		"http://a\nb":          "not a URL",
		"http://{{.}}/":        "not a",
		"":                     "http://",
	} {
		_, err := experiments.Init(raw)
		var hinted *mishap.Hinted
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &hinted) {
			t.Errorf("init %q: %v, want %q and a hint", raw, err, want)
		}
	}
}

func TestExamplesOfTheCatalogsFitTheSchemaAndTheReader(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "valid.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	indent := func(s string) string { return "  - " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ") + "\n" }
	text := string(data)
	for _, k := range shipped().Injectors {
		text = strings.Replace(text, "blastRadius", indent("name: "+k.Name+"\n"+k.Example)+"blastRadius", 1)
	}
	for _, k := range shipped().Probes {
		text = strings.Replace(text, "faults", indent("name: "+k.Name+"\n"+k.Example)+"faults", 1)
	}
	text += "safeguards:\n"
	for _, k := range shipped().Safeguards {
		if k.Example != "" {
			text += indent(k.Example)
		}
	}
	path := write(t, t.TempDir(), "examples.yaml", text)
	load(t, experiments.Options{Catalogs: shipped()}, path)
	if err := resolved(t, shipped()).Validate(document(t, []byte(text))); err != nil {
		t.Error(err)
	}
}
