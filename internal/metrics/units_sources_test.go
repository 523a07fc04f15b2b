package metrics_test

import (
	"fmt"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

// slotted sets a counter of both arms, of one slot of users.
func (f *fakePrometheus) slotted(name, slot string, samples ...any) {
	f.both(name, `,"slot":"`+slot+`"`, samples...)
}

// bySlot is the success rate of the fake's requests, by slots.
func (f *fakePrometheus) bySlot(t *testing.T) metrics.Source {
	t.Helper()
	s, err := metricOf(deps(), mishap.CompareMetric{Name: "m", Metric: mishap.SuccessRate, Source: "prometheus", Unit: "slot",
		With: encode(object{"url": f.url, "requests": "hits_total", "failures": "errors_total"})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closing(t, s) })
	return s
}

// TestSeriesOfPrometheusThatTellNoUnitAreMissing: nothing of such a bucket is counted, and why is said.
func TestSeriesOfPrometheusThatTellNoUnitAreMissing(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fakePrometheus)
		kind   error
		words  string
	}{
		"a label nobody has": {func(f *fakePrometheus) {
			f.series = map[string][]string{}
			f.both("hits_total", "", 30, 1, 20, 2, 10, 3)
			f.both("errors_total", "", 30, 0, 20, 0, 10, 0)
		}, metrics.ErrMissing, `has no label "slot", and so is of no unit`},
		"a label some have": {func(f *fakePrometheus) { f.both("hits_total", "", 30, 1, 20, 2, 10, 3) }, metrics.ErrMissing, `has no label "slot"`},
		"another label":     {func(f *fakePrometheus) { f.slotted("hits_total", "a", 30, 1, 20, 2, 10, 3) }, metrics.ErrMissing, `slot is "a"`},
		"a counter fell":    {func(f *fakePrometheus) { f.slotted("hits_total", "7", 30, 9, 20, 10, 10, 3) }, analysis.ErrReset, `slot="7"`},
		"not a number":      {func(f *fakePrometheus) { f.slotted("hits_total", "7", 30, 1, 20, 1, 10, "NaN") }, analysis.ErrBucket, "NaN is not a count"},
		"too many failures": {func(f *fakePrometheus) { f.slotted("errors_total", "7", 30, 0, 20, 0, 10, 1) }, analysis.ErrBucket, "slot 7"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.slotted("hits_total", "3", 30, 1, 20, 2, 10, 3)
			f.slotted("errors_total", "3", 30, 0, 20, 0, 10, 0)
			c.change(f)
			s := f.bySlot(t)
			buckets, err := s.Closed(t.Context())
			complains(t, err, c.kind, c.words)
			if counted, err := s.(metrics.Counted).Counted(); len(buckets) > 0 || err == nil {
				t.Errorf("buckets %+v, counts %+v", buckets, counted)
			}
		})
	}
}

// TestOpenTelemetryKnowsUsersByTheirSlots, also where a process exports only what has changed.
func TestOpenTelemetryKnowsUsersByTheirSlots(t *testing.T) {
	for _, delta := range []bool{false, true} {
		t.Run(fmt.Sprintf("delta %v", delta), func(t *testing.T) {
			onFakeTime(t, func(t *testing.T, r *metrics.Receiver) { unitsOfTheSDK(t, r, delta) })
		})
	}
}

func unitsOfTheSDK(t *testing.T, r *metrics.Receiver, delta bool) {
	d := deps()
	d.Receiver = r
	a := newApp(t, d.Receiver, delta)
	hits, _ := a.meter.Int64Counter("hits")
	s, err := metricOf(d, mishap.CompareMetric{Name: "m", Metric: mishap.SuccessRate, Source: "otlp", Unit: "mishap.slot",
		With: encode(object{"requests": "hits", "failures": `hits{code="503"}`, "interval": quick.String(), "wait": "1s"})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closing(t, s) })
	if err := s.(metrics.Preparer).Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all []analysis.Bucket
	rounds := 0
	every(t, quick, func() bool {
		for _, arm := range []string{"control", "experiment"} {
			hits.Add(t.Context(), 10, of(arm, attribute.Int("mishap.slot", 5), attribute.Int("code", 200)))
			hits.Add(t.Context(), 1, of(arm, attribute.Int("mishap.slot", 5), attribute.Int("code", 503)))
			if rounds == 1 { // and never again
				hits.Add(t.Context(), 3, of(arm, attribute.String("mishap.slot", "6"), attribute.Int("code", 200)))
			}
		}
		rounds++
		a.export(t)
		more, err := s.Closed(t.Context())
		if all = append(all, more...); err != nil && len(all) > 0 {
			t.Error(err)
		}
		return len(all) >= 5
	})
	counted, err := s.(metrics.Counted).Counted()
	row, _ := counted.Sums.Row("m")
	n := float64(len(all))
	sixth := row.Control.Before.N - 11*n // what slot 6 did, unless the first round had it
	if b := row.Experiment.Before; err != nil || b.Y != n || b.YY != n*n || !slices.Contains([]float64{0, 3}, sixth) || b.N != 11*n+sixth || sixth == 3 && b.Units != 2 {
		t.Errorf("%d buckets: %+v, %v", len(all), row, err)
	}
}

func TestUnitsHaveNoStepsAndLabelsAreNames(t *testing.T) {
	for source, with := range map[string]object{
		"prometheus": {"url": "http://h", "events": "x", "step": "1m"},
		"otlp":       {"events": "x", "step": "1m"},
	} {
		_, err := metricOf(deps(), mishap.CompareMetric{Name: "m", Metric: mishap.EventRate, Source: source, Unit: "a b", With: encode(with)})
		if got := problems(err); !slices.Equal(got, []string{"unit", "with.step"}) {
			t.Errorf("%s: %v", source, err)
		}
	}
	_, err := metricOf(deps(), mishap.CompareMetric{Name: "m", Metric: mishap.EventRate, Source: "prometheus", Unit: "mishap.slot", With: encode(object{"url": "http://h", "events": "x"})})
	complains(t, err, nil, `"mishap.slot" is not the name of a label`)
}
