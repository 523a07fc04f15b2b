package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	otlp "go.opentelemetry.io/proto/otlp/metrics/v1"

	"mishap/internal/analysis"
)

// level reads a gauge.
func (m series) level(d *otlp.NumberDataPoint) (analysis.Arm, error) {
	v, err := exactLevel(json.Number(strconv.FormatInt(d.GetAsInt(), 10)))
	if double, ok := d.GetValue().(*otlp.NumberDataPoint_AsDouble); ok {
		v, err = double.AsDouble, nil
	}
	switch {
	case err != nil:
		return analysis.Arm{}, err
	case m.ask.role != levelRole:
		return analysis.Arm{}, fmt.Errorf("%w: a gauge is not a count", analysis.ErrBucket)
	case math.IsNaN(v) || math.IsInf(v, 0):
		return analysis.Arm{}, fmt.Errorf("%w: a level of %g", analysis.ErrBucket, v)
	}
	return analysis.Arm{Gauge: &v}, nil
}

// unitSeconds is how many seconds the unit of a latency has.
func (m series) unitSeconds() (float64, error) {
	switch m.metric.GetUnit() {
	case "s":
		return 1, nil
	case "ms":
		return 1e-3, nil
	case "us", "µs":
		return 1e-6, nil
	case "ns":
		return 1e-9, nil
	}
	return 0, fmt.Errorf("%w: the unit of a latency is s, ms, us or ns, not %q", analysis.ErrBucket, m.metric.GetUnit())
}

// histogram reads explicit bounds. What is not above 0 joins the next bin.
func (m series) histogram(d *otlp.HistogramDataPoint) (analysis.Arm, error) {
	if m.ask.role != latencies {
		return m.events(d.GetCount())
	}
	unit, err := m.unitSeconds()
	if err != nil {
		return analysis.Arm{}, err
	}
	bounds, counts := d.GetExplicitBounds(), d.GetBucketCounts()
	if len(bounds) == 0 || len(counts) != len(bounds)+1 {
		return analysis.Arm{}, fmt.Errorf("%w: a histogram with %d bounds and %d counts", analysis.ErrBucket, len(bounds), len(counts))
	}
	var h analysis.Histogram
	joined := int64(0)
	for i, n := range counts {
		exact, err := counted(n)
		if err != nil {
			return analysis.Arm{}, err
		}
		if i < len(bounds) && bounds[i] <= 0 {
			joined += exact
			continue
		}
		if i < len(bounds) {
			h.Bounds = append(h.Bounds, bounds[i]*unit)
		}
		h.Counts = append(h.Counts, exact+joined)
		joined = 0
	}
	return analysis.Arm{Latency: h}, checkHistogram(h)
}

// events is the count of a histogram, as one of requests or events.
func (m series) events(n uint64) (analysis.Arm, error) {
	exact, err := counted(n)
	if err != nil {
		return analysis.Arm{}, err
	}
	return m.count(exact)
}

// exponential reads an exponential histogram into the bounds of the first one.
func (s *otlpSource) exponential(m series, d *otlp.ExponentialHistogramDataPoint) (analysis.Arm, error) {
	if m.ask.role != latencies {
		return m.events(d.GetCount())
	}
	unit, err := m.unitSeconds()
	if err != nil {
		return analysis.Arm{}, err
	}
	for _, n := range d.GetNegative().GetBucketCounts() {
		if n > 0 {
			return analysis.Arm{}, fmt.Errorf("%w: a latency below 0", analysis.ErrBucket)
		}
	}
	scale := int(d.GetScale())
	g := s.grids[unit]
	if g == nil {
		if g, err = newGrid(scale, unit); err != nil {
			return analysis.Arm{}, err
		}
		s.grids[unit] = g
	}
	h := g.empty()
	if h.Counts[0], err = counted(d.GetZeroCount()); err != nil {
		return analysis.Arm{}, err
	}
	for i, n := range d.GetPositive().GetBucketCounts() {
		upper := int(d.GetPositive().GetOffset()) + i + 1
		exact, err := counted(n)
		if err == nil {
			err = g.add(&h, upper, scale, exact)
		}
		if err != nil {
			return analysis.Arm{}, err
		}
	}
	return analysis.Arm{Latency: h}, nil
}
