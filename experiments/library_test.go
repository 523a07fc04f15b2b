package experiments_test

import (
	"bytes"
	"context"
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
