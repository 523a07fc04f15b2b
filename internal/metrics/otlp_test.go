package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

func receive(t *testing.T) *metrics.Receiver {
	t.Helper()
	r, err := metrics.Receive(t.Context(), metrics.ReceiverConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func otlpSource(t *testing.T, r *metrics.Receiver, kind mishap.MetricKind, with object) metrics.Source {
	t.Helper()
	d := deps()
	d.Receiver = r
	s, err := build(d, "otlp", kind, with)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closing(t, s) })
	if err := s.(metrics.Preparer).Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// app is a program with the OpenTelemetry SDK, whose exports the test makes.
type app struct {
	provider *sdk.MeterProvider
	meter    metric.Meter
}

func newApp(t *testing.T, r *metrics.Receiver, delta bool, about ...attribute.KeyValue) *app {
	t.Helper()
	return newAppBy(t, r, &http.Client{Transport: inMemory{r}}, delta, about...)
}

// inMemory takes requests to a receiver without a network, so that who sends them may be on fake time.
type inMemory struct{ *metrics.Receiver }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	return w.Result(), nil
}

func newAppBy(t *testing.T, r *metrics.Receiver, client *http.Client, delta bool, about ...attribute.KeyValue) *app {
	t.Helper()
	options := []otlpmetrichttp.Option{otlpmetrichttp.WithEndpoint(r.Addr()), otlpmetrichttp.WithInsecure(), otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression), otlpmetrichttp.WithHTTPClient(client)}
	if delta {
		options = append(options, otlpmetrichttp.WithTemporalitySelector(func(sdk.InstrumentKind) metricdata.Temporality { return metricdata.DeltaTemporality }))
	}
	exporter, err := otlpmetrichttp.New(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	view := sdk.NewView(sdk.Instrument{Name: "exponential"}, sdk.Stream{Aggregation: sdk.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}})
	p := sdk.NewMeterProvider(sdk.WithReader(sdk.NewPeriodicReader(exporter, sdk.WithInterval(time.Hour))), sdk.WithResource(resource.NewSchemaless(about...)), sdk.WithView(view))
	t.Cleanup(func() { _ = p.Shutdown(context.WithoutCancel(t.Context())) })
	return &app{p, p.Meter("shop")}
}

func (a *app) export(t *testing.T) {
	t.Helper()
	if err := a.provider.ForceFlush(t.Context()); err != nil {
		t.Errorf("export: %v", err)
	}
}

func of(arm string, more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(more, attribute.String("mishap.arm", arm), attribute.String("mishap.run", "run-1"))...)
}

// onFakeTime runs a test that a machine which is busy would make late. The receiver, which listens, is outside of it.
func onFakeTime(t *testing.T, test func(t *testing.T, r *metrics.Receiver)) {
	t.Helper()
	r := receive(t)
	synctest.Test(t, func(t *testing.T) { test(t, r) })
}

// quick is an export interval for tests.
const quick = 200 * time.Millisecond

// every runs a step at each interval, on fake time, until done says so.
func every(t *testing.T, interval time.Duration, step func() (done bool)) {
	t.Helper()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	<-tick.C // nothing is exported at the moment when it begins
	for deadline := time.Now().Add(patience); !step(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("not done in time")
		}
	}
}

func TestTheOpenTelemetrySDKIsReadInBothTemporalities(t *testing.T) {
	for _, delta := range []bool{false, true} {
		t.Run(fmt.Sprintf("delta %v", delta), func(t *testing.T) {
			onFakeTime(t, func(t *testing.T, r *metrics.Receiver) { readsTheSDK(t, r, delta) })
		})
	}
}

func readsTheSDK(t *testing.T, r *metrics.Receiver, delta bool) {
	a := newApp(t, r, delta, attribute.String("service.name", "shop"))
	hits, _ := a.meter.Int64Counter("hits")
	explicit, _ := a.meter.Float64Histogram("explicit", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(0, 0.1, 1))
	exponential, _ := a.meter.Float64Histogram("exponential", metric.WithUnit("ms"))
	depth, _ := a.meter.Float64Gauge("depth")
	with := func(with object) object { with["interval"], with["wait"] = quick.String(), "1s"; return with }
	sources := []metrics.Source{
		otlpSource(t, r, mishap.SuccessRate, with(object{"requests": "hits", "failures": `hits{code=~"5.."}`})),
		otlpSource(t, r, mishap.Latency, with(object{"histogram": "explicit"})),
		otlpSource(t, r, mishap.Latency, with(object{"histogram": "exponential"})),
		otlpSource(t, r, mishap.Gauge, with(object{"gauge": "depth"})),
		otlpSource(t, r, mishap.EventRate, with(object{"events": `explicit`})), // the count of a histogram
	}
	got := make([][]analysis.Bucket, len(sources))
	var errs []error
	every(t, quick, func() bool {
		for arm, n := range map[string]int64{"control": 10, "experiment": 20} {
			hits.Add(t.Context(), n, of(arm, attribute.Int("code", 200)))
			hits.Add(t.Context(), 5, of(arm, attribute.Int("code", 503)))
			explicit.Record(t.Context(), 0.05, of(arm))
			explicit.Record(t.Context(), 5, of(arm))
			exponential.Record(t.Context(), 50, of(arm))
			exponential.Record(t.Context(), 0, of(arm))
			depth.Record(t.Context(), float64(n), of(arm, attribute.Int("queue", 1)))
			depth.Record(t.Context(), float64(n+2), of(arm, attribute.Int("queue", 2)))
		}
		hits.Add(t.Context(), 99, metric.WithAttributes(attribute.String("mishap.arm", "control"), attribute.String("mishap.run", "another")))
		hits.Add(t.Context(), 99)
		a.export(t)
		least := 9
		for i, s := range sources {
			more, err := s.Closed(t.Context())
			if got[i] = append(got[i], more...); err != nil && len(got[i]) > 0 {
				errs = append(errs, err)
			}
			least = min(least, len(got[i]))
		}
		return least >= 3
	})
	if len(errs) > 0 {
		t.Error(errors.Join(errs...))
	}
	for _, b := range got[0] {
		if b.Control.Requests != 15 || b.Control.Successes != 10 || b.Experiment.Requests != 25 || b.Experiment.Successes != 20 {
			t.Errorf("rate: %+v", b)
		}
	}
	for _, b := range got[1] {
		if h := b.Control.Latency; !slices.Equal(h.Bounds, []float64{0.1, 1}) || !slices.Equal(h.Counts, []int64{1, 0, 1}) {
			t.Errorf("explicit: %+v", b)
		}
	}
	for _, b := range got[2] {
		h, sum, at := b.Experiment.Latency, int64(0), 0
		for i, n := range h.Counts {
			if sum += n; n > 0 {
				at = i
			}
		}
		if sum != 2 || h.Counts[0] != 1 || h.Bounds[at-1] >= 0.05 || h.Bounds[at] < 0.05 {
			t.Errorf("exponential: bin %d: %+v", at, b)
		}
	}
	for _, b := range got[3] {
		if *b.Control.Gauge != 11 || *b.Experiment.Gauge != 21 {
			t.Errorf("gauge: %v %v", *b.Control.Gauge, *b.Experiment.Gauge)
		}
	}
	for _, b := range got[4] {
		if b.Control.Events != 2 {
			t.Errorf("events: %+v", b)
		}
	}
	if s := sources[0]; s.Delay() != quick/2+time.Second+300*time.Millisecond || s.(metrics.Paced).Width() != quick {
		t.Errorf("delay %s", s.Delay())
	}
}

func TestTheSDKIsReadOverTheNetwork(t *testing.T) {
	r := receive(t)
	s := otlpSource(t, r, mishap.EventRate, object{"events": "orders"})
	a := newAppBy(t, r, http.DefaultClient, false)
	orders, _ := a.meter.Int64Counter("orders")
	orders.Add(t.Context(), 1, metric.WithAttributes(attribute.String("mishap.arm", "control"), attribute.String("mishap.run", "run-0")))
	a.export(t)
	_, err := s.Closed(t.Context())
	complains(t, err, metrics.ErrMissing, `none has mishap.run="run-1"`)
}

func TestArmsMayBeProcessesOfTheirOwn(t *testing.T) {
	onFakeTime(t, armsOfTheirOwn)
}

func armsOfTheirOwn(t *testing.T, r *metrics.Receiver) {
	s := otlpSource(t, r, mishap.EventRate, object{"events": "orders"}) // the interval is learnt
	var counters []metric.Int64Counter
	var apps []*app
	for _, arm := range []string{"control", "experiment"} {
		a := newApp(t, r, false, attribute.String("service.name", arm), attribute.String("mishap.arm", arm), attribute.String("mishap.run", "run-1"))
		counter, _ := a.meter.Int64Counter("orders")
		counters, apps = append(counters, counter), append(apps, a)
	}
	var got []analysis.Bucket
	every(t, quick, func() bool {
		for i, c := range counters {
			c.Add(t.Context(), int64(i+1))
			apps[i].export(t)
		}
		more, _ := s.Closed(t.Context())
		got = append(got, more...)
		return len(got) >= 3
	})
	for _, b := range got {
		if b.Control.Events == 0 || b.Experiment.Events != 2*b.Control.Events {
			t.Errorf("bucket %+v", b)
		}
	}
}

// post sends an export as JSON and returns the answer.
func post(t *testing.T, r *metrics.Receiver, body string, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.Addr()+"/v1/metrics", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := inMemory{r}.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

// deltas are points of both arms as JSON, from and until so long ago.
func deltas(metric string, n int, from, until time.Duration) string {
	now := time.Now()
	var points []string
	for _, arm := range []string{"control", "experiment"} {
		points = append(points, fmt.Sprintf(`{"attributes":[{"key":"mishap.arm","value":{"stringValue":%q}},{"key":"mishap.run","value":{"stringValue":"run-1"}}],
			"startTimeUnixNano":"%d","timeUnixNano":"%d","asInt":"%d"}`, arm, now.Add(-from).UnixNano(), now.Add(-until).UnixNano(), n))
	}
	return `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeMetrics":[{"metrics":[{"name":"` + metric +
		`","futureField":1,"sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[` + strings.Join(points, ",") + `]}}]}]}]}`
}

func TestPointsAreCountedOnceAndLateOnesRefused(t *testing.T) {
	onFakeTime(t, pointsAreCountedOnceAndLateOnesRefused)
}

func pointsAreCountedOnceAndLateOnesRefused(t *testing.T, r *metrics.Receiver) {
	s := otlpSource(t, r, mishap.EventRate, object{"events": "orders", "interval": "1s", "wait": "2s"})
	send := func(n int, from, until time.Duration) (string, string) {
		body := deltas("orders", n, from, until)
		status, answer := post(t, r, body)
		if status != 200 {
			t.Fatalf("status %d: %s", status, answer)
		}
		return body, answer
	}
	var got []analysis.Bucket
	send(5, 4*time.Second, 3*time.Second)
	body, _ := send(7, 3*time.Second, 2*time.Second)
	if _, again := post(t, r, body); strings.Contains(again, "rejected") { // a retry
		t.Errorf("a retry was refused: %s", again)
	}
	send(9, 2*time.Second, time.Second)
	got = closed(t, s)
	if len(got) != 1 || got[0].Control.Events != 9 {
		t.Fatalf("buckets %+v", got)
	}
	for _, c := range []struct {
		from, until time.Duration
		words       string
	}{
		{1900 * time.Millisecond, 1500 * time.Millisecond, "came after one until"},
		{1900 * time.Millisecond, 100 * time.Millisecond, "the one before ended at"},
	} {
		if _, answer := send(3, c.from, c.until); !strings.Contains(answer, c.words) {
			t.Errorf("%s to %s ago: %s", c.from, c.until, answer)
		}
	}
	_, err := s.Closed(t.Context())
	complains(t, err, analysis.ErrOrder, "came after one until")
	cumulative := strings.ReplaceAll(deltas("orders", 9, 3*time.Second, 2500*time.Millisecond), `"aggregationTemporality":1`, `"aggregationTemporality":2`)
	if _, answer := post(t, r, cumulative); !strings.Contains(answer, "a point came after its bucket was closed") {
		t.Errorf("late: %s", answer)
	}
}

func TestWhatExportersCannotMeanIsRefused(t *testing.T) {
	edit := func(old, new string) func(string) string {
		return func(body string) string { return strings.ReplaceAll(body, old, new) }
	}
	for name, c := range map[string]struct {
		change      func(string) string
		from, until time.Duration
		words       string
	}{
		"negative":      {edit(`"asInt":"5"`, `"asInt":"-5"`), time.Second, 0, "a count of -5"},
		"fractions":     {edit(`"asInt":"5"`, `"asDouble":1.5`), time.Second, 0, "1.5 is not a count"},
		"falls":         {edit(`"isMonotonic":true`, `"isMonotonic":false`), time.Second, 0, "a sum that may fall is not a count"},
		"neither":       {edit(`"aggregationTemporality":1`, `"aggregationTemporality":0`), time.Second, 0, "neither delta nor cumulative"},
		"backwards":     {edit("", ""), 0, time.Second, "a delta from"},
		"from tomorrow": {edit("", ""), time.Second, -24 * time.Hour, "from the future"},
		"yesterday's":   {edit("", ""), 25 * time.Hour, 24 * time.Hour, "after its time"},
		"a gauge":       {edit(`"sum":{"aggregationTemporality":1,"isMonotonic":true,`, `"gauge":{`), time.Second, 0, "a gauge is not a count"},
	} {
		t.Run(name, func(t *testing.T) {
			onFakeTime(t, func(t *testing.T, r *metrics.Receiver) {
				s := otlpSource(t, r, mishap.EventRate, object{"events": "orders", "interval": "1s"})
				status, answer := post(t, r, c.change(deltas("orders", 5, c.from, c.until)))
				if status != 200 || !strings.Contains(answer, c.words) || !strings.Contains(answer, `"2"`) {
					t.Errorf("status %d, answer %s", status, answer)
				}
				got, err := s.Closed(t.Context())
				if complains(t, err, nil, c.words); len(got) > 0 {
					t.Errorf("buckets %+v", got)
				}
			})
		})
	}
}

func TestALostExportIsMissingTime(t *testing.T) { onFakeTime(t, aLostExportIsMissingTime) }

func aLostExportIsMissingTime(t *testing.T, r *metrics.Receiver) {
	s := otlpSource(t, r, mishap.EventRate, object{"events": "orders", "interval": "1s", "wait": "10s"})
	const ms = time.Millisecond
	var counts []int64
	var errs []error
	for _, e := range []struct {
		n           int
		from, until time.Duration
	}{{1, 5500 * ms, 4500 * ms}, {2, 4500 * ms, 3500 * ms}, {3, 2700 * ms, 2500 * ms}, {4, 2500 * ms, 1500 * ms}} { // 3.5 to 2.7 s ago is lost
		post(t, r, deltas("orders", e.n, e.from, e.until))
		more, err := s.Closed(t.Context())
		for _, b := range more {
			counts = append(counts, b.Control.Events)
		}
		errs = append(errs, err)
	}
	complains(t, errors.Join(errs...), metrics.ErrMissing, "an export of {service.name=\"shop\"} was lost")
	if !slices.Equal(counts, []int64{2, 4}) {
		t.Errorf("counts %v: %v", counts, errs)
	}
}

func TestWithoutAReceiverOTLPSaysWhatIsMissing(t *testing.T) {
	s, err := build(deps(), "otlp", mishap.EventRate, object{"events": "orders"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Closed(t.Context())
	complains(t, err, metrics.ErrOver, "no metrics are received here")
	r := receive(t)
	s = otlpSource(t, r, mishap.EventRate, object{"events": "orders"})
	_, err = s.Closed(t.Context())
	complains(t, err, metrics.ErrMissing, "no points of orders{} with mishap.arm have come yet")
	post(t, r, strings.ReplaceAll(deltas("orders", 1, time.Second, 0), `"run-1"`, `"run-0"`))
	_, err = s.Closed(t.Context())
	complains(t, err, metrics.ErrMissing, `none has mishap.run="run-1"`)
}

func TestParametersOfOTLPAreChecked(t *testing.T) {
	for _, c := range []struct {
		kind  mishap.MetricKind
		with  object
		paths []string
	}{
		{mishap.SuccessRate, object{}, []string{"with.requests", "with.failures"}},
		{mishap.Latency, object{"histogram": `h{a="1"`, "events": "x", "wait": "1h", "run": "", "arms": object{"label": ""}}, []string{"with.wait", "with.arms", "with.run", "with.events", "with.histogram"}},
		{mishap.Gauge, object{"gauge": "avg(x)", "tolerance": "2m", "skew": "1h"}, []string{"with.tolerance", "with.skew", "with.gauge"}},
		{mishap.Latency, object{"histogram": `http.server.request.duration{http.route=~"("}`}, []string{"with.histogram"}},
		{mishap.Latency, object{"histogram": `http.server.request.duration{http.route=~"/a.*"}`}, nil},
	} {
		_, err := build(deps(), "otlp", c.kind, c.with)
		if got := problems(err); err == nil && c.paths != nil || err != nil && !slices.Equal(got, c.paths) {
			t.Errorf("%v: problems at %v, want %v: %v", c.with, got, c.paths, err)
		}
	}
}
