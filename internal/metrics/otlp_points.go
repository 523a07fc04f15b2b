package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/metrics/v1"

	"mishap/internal/analysis"
)

// point is a data point that a source reads.
type point struct {
	sample
	role  role
	delta bool
	err   error // why it cannot be read
}

// series is a metric of one target, while its points are read.
type series struct {
	ask      ask
	metric   *otlp.Metric
	target   string
	resource map[string]string
	scope    string
}

// points picks what the source reads out of an export. Any point of a target is
// a sign that it is there, and that what it leaves out has not changed.
func (s *otlpSource) points(export *collector.ExportMetricsServiceRequest) (all []point) {
	for _, r := range export.GetResourceMetrics() {
		resource := texts(r.GetResource().GetAttributes())
		target, begin := attributeText(resource), len(all)
		for _, scope := range r.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				for _, a := range s.asks {
					if a.pick.name == m.GetName() {
						all = append(all, s.read(series{a, m, target, resource, scope.GetScope().GetName()})...)
					}
				}
			}
		}
		s.targets[target] = s.targets[target] || len(all) > begin
		if at := newest(r); s.targets[target] && !at.IsZero() {
			all = append(all, point{role: noRole, sample: sample{target: target, series: "target " + target, arm: neither, at: at}})
		}
	}
	return all
}

// newest is the time of the last point of a target.
func newest(r *otlp.ResourceMetrics) time.Time {
	last := uint64(0)
	for _, scope := range r.GetScopeMetrics() {
		for _, m := range scope.GetMetrics() {
			for _, d := range m.GetGauge().GetDataPoints() {
				last = max(last, d.GetTimeUnixNano())
			}
			for _, d := range m.GetSum().GetDataPoints() {
				last = max(last, d.GetTimeUnixNano())
			}
			for _, d := range m.GetHistogram().GetDataPoints() {
				last = max(last, d.GetTimeUnixNano())
			}
			for _, d := range m.GetExponentialHistogram().GetDataPoints() {
				last = max(last, d.GetTimeUnixNano())
			}
		}
	}
	return nanos(last)
}

// read reads the points of a metric that are of the run and of an arm.
func (s *otlpSource) read(m series) (all []point) {
	take := func(attributes []*common.KeyValue, flags uint32, start, end uint64, temporality otlp.AggregationTemporality, total func() (analysis.Arm, error)) {
		labels := maps.Clone(m.resource)
		maps.Copy(labels, texts(attributes))
		arm, ok := s.arm(labels)
		if !ok || !m.ask.pick.match(labels) || flags&uint32(otlp.DataPointFlags_DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK) != 0 {
			return
		}
		p := point{role: m.ask.role, delta: temporality == otlp.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA,
			sample: sample{target: m.target, arm: arm, unit: m.ask.unitOf(labels), series: m.ask.path + " " + m.scope + " " + m.metric.GetName() + attributeText(labels), at: nanos(end), since: nanos(start)}}
		switch {
		case end == 0:
			p.err = fmt.Errorf("%w: a point without a time", analysis.ErrBucket)
		case p.delta && (start == 0 || start >= end):
			p.err = fmt.Errorf("%w: a delta from %s to %s", analysis.ErrBucket, p.since.Format(time.RFC3339Nano), p.at.Format(time.RFC3339Nano))
		case temporality == otlp.AggregationTemporality_AGGREGATION_TEMPORALITY_UNSPECIFIED:
			p.err = fmt.Errorf("%w: it is neither delta nor cumulative", analysis.ErrBucket)
		default:
			p.total, p.err = total()
		}
		if p.err != nil {
			p.err = fmt.Errorf("%s: %w", p.series, p.err)
		}
		all = append(all, p)
	}
	const level = otlp.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE // of what is a level, it means nothing
	switch data := m.metric.GetData().(type) {
	case *otlp.Metric_Gauge:
		for _, d := range data.Gauge.GetDataPoints() {
			take(d.GetAttributes(), d.GetFlags(), 0, d.GetTimeUnixNano(), level, func() (analysis.Arm, error) { return m.level(d) })
		}
	case *otlp.Metric_Sum:
		for _, d := range data.Sum.GetDataPoints() {
			if m.ask.role == levelRole && !data.Sum.GetIsMonotonic() {
				take(d.GetAttributes(), d.GetFlags(), 0, d.GetTimeUnixNano(), data.Sum.GetAggregationTemporality(), func() (analysis.Arm, error) { return m.level(d) })
				continue
			}
			take(d.GetAttributes(), d.GetFlags(), d.GetStartTimeUnixNano(), d.GetTimeUnixNano(), data.Sum.GetAggregationTemporality(),
				func() (analysis.Arm, error) { return m.sum(d, data.Sum.GetIsMonotonic()) })
		}
	case *otlp.Metric_Histogram:
		for _, d := range data.Histogram.GetDataPoints() {
			take(d.GetAttributes(), d.GetFlags(), d.GetStartTimeUnixNano(), d.GetTimeUnixNano(), data.Histogram.GetAggregationTemporality(),
				func() (analysis.Arm, error) { return m.histogram(d) })
		}
	case *otlp.Metric_ExponentialHistogram:
		for _, d := range data.ExponentialHistogram.GetDataPoints() {
			take(d.GetAttributes(), d.GetFlags(), d.GetStartTimeUnixNano(), d.GetTimeUnixNano(), data.ExponentialHistogram.GetAggregationTemporality(),
				func() (analysis.Arm, error) { return s.exponential(m, d) })
		}
	}
	return all
}

// arm is the arm of a point, if it is of one and of the run.
func (s *otlpSource) arm(labels map[string]string) (side, bool) {
	value, ok := labels[s.params.Arms.Label]
	arm := control
	switch {
	case !ok:
		return arm, false
	case value == s.params.Arms.Experiment:
		arm = experiment
	case value != s.params.Arms.Control:
		return arm, false
	}
	run, named := labels[s.params.Run]
	if named && run != s.run || !named && !s.params.AnyRun {
		s.others = true
		return arm, false
	}
	return arm, true
}

// count puts a number where its role belongs.
func (m series) count(n int64) (a analysis.Arm, err error) {
	switch m.ask.role {
	case requests:
		a.Requests = n
	case failures:
		a.Successes = n
	case events:
		a.Events = n
	case latencies:
		return a, fmt.Errorf("%w: a latency needs a histogram", analysis.ErrBucket)
	default:
		return a, fmt.Errorf("%w: a gauge needs a gauge, or a sum that may fall", analysis.ErrBucket)
	}
	return a, nil
}

func (m series) sum(d *otlp.NumberDataPoint, monotonic bool) (analysis.Arm, error) {
	if !monotonic {
		return analysis.Arm{}, fmt.Errorf("%w: a sum that may fall is not a count", analysis.ErrBucket)
	}
	n, err := counted(d.GetAsInt())
	if v, ok := d.GetValue().(*otlp.NumberDataPoint_AsDouble); ok {
		n, err = counted(v.AsDouble)
	}
	if err != nil {
		return analysis.Arm{}, err
	}
	return m.count(n)
}

// texts are attributes as text.
func texts(attributes []*common.KeyValue) map[string]string {
	all := make(map[string]string, len(attributes))
	for _, a := range attributes {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			all[a.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		case *common.AnyValue_BoolValue:
			all[a.GetKey()] = strconv.FormatBool(v.BoolValue)
		case *common.AnyValue_DoubleValue:
			all[a.GetKey()] = strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
		default:
			all[a.GetKey()] = a.GetValue().String()
		}
	}
	return all
}

// attributeText names a set of attributes.
func attributeText(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name+"="+strconv.Quote(labels[name]))
	}
	return "{" + strings.Join(all, ",") + "}"
}

// nanos is a time since 1970; 0 is none.
func nanos(n uint64) time.Time {
	const most = 1 << 62
	if n == 0 || n > most {
		return time.Time{}
	}
	return time.Unix(0, int64(n)).UTC()
}
