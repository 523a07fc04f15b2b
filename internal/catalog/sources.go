package catalog

import (
	"fmt"
	"io"

	"mishap"
	sources "mishap/internal/metrics"
)

// MetricSources makes the sources of all metrics, in their order, which connect and read
// as this process may.
func (c *Catalog) MetricSources(spec mishap.Compare, deps sources.Deps) ([]sources.Source, error) {
	deps.Dial, deps.ReadFile = c.Dial, c.files.ReadFile
	return makeSources(spec, deps)
}

func makeSources(spec mishap.Compare, deps sources.Deps) ([]sources.Source, error) {
	kinds := map[string]sources.Kind{}
	for _, k := range sources.Catalog(deps) {
		kinds[k.Name] = k
	}
	var all []sources.Source
	for _, m := range spec.Metrics {
		kind, ok := kinds[m.Source]
		if !ok {
			return nil, fmt.Errorf("metric %s: there is no source %q", m.Name, m.Source)
		}
		source, err := kind.New(m)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", m.Name, err)
		}
		all = append(all, source)
	}
	return all, nil
}

// sourceKinds are the sources as experiments are checked against them.
func sourceKinds() (all []mishap.SourceKind) {
	for _, k := range sources.Catalog(sources.Deps{}) {
		all = append(all, mishap.SourceKind{Kind: k.Kind, Uses: k.Uses, Check: func(m mishap.CompareMetric) error {
			s, err := k.New(m)
			if c, ok := s.(io.Closer); ok && err == nil {
				err = c.Close()
			}
			return err
		}})
	}
	return all
}
