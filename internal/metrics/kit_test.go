package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

// noon is when the tests begin.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// at is so many seconds after noon.
func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// script is a source that gives what it is told to, one step after another.
type script struct {
	steps  []step
	asked  int
	closed bool
}

type step struct {
	buckets []analysis.Bucket
	err     error
}

func (s *script) Closed(context.Context) ([]analysis.Bucket, error) {
	s.asked++
	if len(s.steps) == 0 {
		return nil, nil
	}
	now := s.steps[0]
	s.steps = s.steps[1:]
	return now.buckets, now.err
}

func (s *script) Delay() time.Duration { return 3 * time.Second }
func (s *script) Width() time.Duration { return time.Second }
func (s *script) Close() error         { s.closed = true; return nil }

// bucket is one of a second with so many requests in control.
func bucket(start float64, requests int64) analysis.Bucket {
	return analysis.Bucket{Start: at(start), Width: time.Second, Control: analysis.Arm{Requests: requests}}
}

// starts are when buckets begin, in seconds after noon.
func starts(buckets []analysis.Bucket) (all []float64) {
	for _, b := range buckets {
		all = append(all, b.Start.Sub(noon).Seconds())
	}
	return all
}

// closed asks a source, which must not complain.
func closed(t *testing.T, s metrics.Source) []analysis.Bucket {
	t.Helper()
	buckets, err := s.Closed(t.Context())
	if err != nil {
		t.Errorf("closed: %v", err)
	}
	return buckets
}

// complains fails unless the error is of the kind and has the words.
func complains(t *testing.T, err, kind error, words string) {
	t.Helper()
	if err == nil || kind != nil && !errors.Is(err, kind) || !strings.Contains(err.Error(), words) {
		t.Errorf("error is %v; want %v with %q", err, kind, words)
	}
}

// object is a JSON mapping.
type object map[string]any

// build makes a source of the catalog.
func build(d metrics.Deps, source string, kind mishap.MetricKind, with any) (metrics.Source, error) {
	m := mishap.CompareMetric{Name: "m", Metric: kind, Source: source}
	if with != nil {
		m.With, _ = json.Marshal(with)
	}
	return metricOf(d, m)
}

// metricOf makes the source of a metric.
func metricOf(d metrics.Deps, m mishap.CompareMetric) (metrics.Source, error) {
	for _, k := range metrics.Catalog(d) {
		if k.Name == m.Source {
			return k.New(m)
		}
	}
	return nil, errors.New("no such source")
}

// problems are the paths of the field errors in an error.
func problems(err error) (paths []string) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			paths = append(paths, problems(one)...)
		}
		return paths
	}
	var field *mishap.FieldError
	if errors.As(err, &field) {
		return []string{field.Path}
	}
	return []string{"not a field error"}
}

// encode writes parameters as JSON.
func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
