//go:build unix

package metrics_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/freeport"
	"mishap/internal/metrics"
)

// shop is a program that Prometheus scrapes. Before each scrape it serves the
// same traffic: 10 requests of control, of which 1 fails, and 20 of the
// experiment, of which 5 fail and 4 take 2 s.
type shop struct {
	mu       sync.Mutex
	handler  http.Handler
	requests *prometheus.CounterVec
	classic  *prometheus.HistogramVec
	native   *prometheus.HistogramVec
	depth    *prometheus.GaugeVec
	slots    *prometheus.CounterVec // what each slot of users asked for: half by each of two
	down     bool
	without  string // an arm that gets nothing, and shows nothing
}

func newShop() *shop {
	s := &shop{}
	s.restart()
	return s
}

// restart begins all counters anew.
func (s *shop) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hits_total"}, []string{"arm", "code"})
	s.classic = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "took_seconds", Buckets: []float64{0.1, 1}}, []string{"arm"})
	s.native = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "native_seconds", NativeHistogramBucketFactor: 1.1}, []string{"arm"})
	s.depth = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "depth"}, []string{"arm"})
	s.slots = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "asked_total"}, []string{"arm", "slot", "code"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.requests, s.classic, s.native, s.depth, s.slots)
	s.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	s.serve("control", 9, 1, 0)
	s.serve("experiment", 15, 5, 4)
	s.handler.ServeHTTP(w, r)
}

func (s *shop) serve(arm string, good, bad, slow int) {
	if arm == s.without {
		return
	}
	s.requests.WithLabelValues(arm, "200").Add(float64(good))
	s.requests.WithLabelValues(arm, "500").Add(float64(bad))
	s.depth.WithLabelValues(arm).Set(float64(bad))
	s.slots.WithLabelValues(arm, "0", "200").Add(float64(good))
	s.slots.WithLabelValues(arm, "63", "200").Add(float64(good))
	s.slots.WithLabelValues(arm, "63", "500").Add(float64(bad))
	for i := range good + bad {
		took := 0.05
		if i < slow {
			took = 2
		}
		s.classic.WithLabelValues(arm).Observe(took)
		s.native.WithLabelValues(arm).Observe(took)
	}
}

func (s *shop) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// scraped starts a Prometheus that scrapes the shop every 500 ms, and gives its
// address; or skips the test and says so.
func scraped(t *testing.T, s *shop) string {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("SKIPPED: prometheus is not installed, so the source was not tested against it")
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	address := freeport.Address()
	config := fmt.Sprintf("global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs: [{job_name: shop, static_configs: [{targets: [%q]}]}]\n", server.Listener.Addr())
	if err := os.WriteFile(filepath.Join(dir, "p.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path, "--config.file="+filepath.Join(dir, "p.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--enable-feature=native-histograms")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("prometheus said:\n%s", text)
		}
	})
	return "http://" + address
}

// gather asks a source until it has given so many buckets, and keeps the errors. It says how long this machine let it wait at
// most between two looks.
func gather(t *testing.T, s metrics.Source, n int) (buckets []analysis.Bucket, errs []error, pause time.Duration) {
	t.Helper()
	asked := time.Now()
	await(t, fmt.Sprintf("%d buckets", n), func() bool {
		more, err := s.Closed(t.Context())
		pause, asked = max(pause, time.Since(asked)), time.Now()
		if buckets = append(buckets, more...); err != nil && len(buckets) > 0 {
			errs = append(errs, err)
		}
		return len(buckets) >= n
	})
	return buckets, errs, pause
}

func TestPrometheusSeesEveryRequestOfBothArms(t *testing.T) {
	t.Parallel()
	s := newShop()
	url := scraped(t, s)
	build := func(kind mishap.MetricKind, with object) metrics.Source {
		with["url"] = url
		source, err := build(deps(), "prometheus", kind, with)
		if err != nil {
			t.Fatal(err)
		}
		return source
	}
	counts := build(mishap.SuccessRate, object{"requests": `hits_total{job="shop"}`, "failures": `hits_total{job="shop",code=~"5.."}`})
	classic := build(mishap.Latency, object{"histogram": "took_seconds"})
	native := build(mishap.Latency, object{"histogram": "native_seconds"})
	depth := build(mishap.Gauge, object{"gauge": "avg by (arm) (depth)", "step": "500ms"})
	wide := build(mishap.EventRate, object{"events": `hits_total{code="200"}`, "step": "1s"})

	buckets, errs, pause := gather(t, counts, 6)
	for i, b := range buckets {
		if b.Control.Requests != 10 || b.Control.Successes != 9 || b.Experiment.Requests != 20 || b.Experiment.Successes != 15 {
			t.Errorf("bucket %+v", b)
		}
		if i > 0 && !b.Start.Equal(buckets[i-1].Start.Add(buckets[i-1].Width)) {
			t.Errorf("a bucket starts at %s, the one before ended at %s", b.Start, buckets[i-1].Start.Add(buckets[i-1].Width))
		}
	}
	last := buckets[len(buckets)-1]
	after := time.Since(last.Start.Add(last.Width))
	t.Logf("a bucket of %s closed %s after its end; at the latest it is %s", last.Width, after.Round(time.Millisecond), counts.Delay())
	if len(errs) > 0 || after > counts.Delay()+pause {
		t.Errorf("errors %v, delay %s", errs, counts.Delay())
	}

	buckets, _, _ = gather(t, classic, 3)
	if c := buckets[1].Experiment.Latency.Counts; c[0] != 16 || c[1] != 0 || c[2] != 4 {
		t.Errorf("classic: %v", c)
	}
	buckets, _, _ = gather(t, native, 3)
	fast, slow := 0, 0
	h := buckets[1].Experiment.Latency
	for i, n := range h.Counts {
		if i > 0 && i < len(h.Bounds) && h.Bounds[i-1] < 0.05 && 0.05 <= h.Bounds[i] {
			fast += int(n)
		}
		if i > 0 && i < len(h.Bounds) && h.Bounds[i-1] < 2 && 2 <= h.Bounds[i] {
			slow += int(n)
		}
	}
	if fast != 16 || slow != 4 || len(h.Bounds) != 85 {
		t.Errorf("native: %d fast, %d slow in %d bounds: %v", fast, slow, len(h.Bounds), h.Counts)
	}
	buckets, _, _ = gather(t, depth, 2)
	if b := buckets[1]; *b.Control.Gauge != 1 || *b.Experiment.Gauge != 5 {
		t.Errorf("gauge: %v %v", *b.Control.Gauge, *b.Experiment.Gauge)
	}
	buckets, _, _ = gather(t, wide, 2)
	if b := buckets[1]; b.Width < 900*time.Millisecond || b.Width > 1100*time.Millisecond || b.Control.Events != 18 || b.Experiment.Events != 30 {
		t.Errorf("a wide bucket: %+v", b)
	}
}

func TestWhatPrometheusMissedIsMissing(t *testing.T) {
	t.Parallel()
	s := newShop()
	source, err := build(deps(), "prometheus", mishap.SuccessRate, object{"url": scraped(t, s), "requests": "hits_total", "failures": `hits_total{code="500"}`})
	if err != nil {
		t.Fatal(err)
	}
	gather(t, source, 2)
	fine := func(b analysis.Bucket) bool {
		return b.Control.Requests == 10 && b.Control.Successes == 9 && b.Experiment.Requests == 20 && b.Experiment.Successes == 15
	}
	for _, step := range []struct {
		name   string
		change func()
		kind   error
	}{
		{"the counters begin anew", s.restart, analysis.ErrReset},
		{"the target is down", func() { s.change(func() { s.down = true }) }, metrics.ErrMissing},
		{"the target is back", func() { s.change(func() { s.down = false }) }, nil},
		{"the experiment shows nothing", func() {
			s.restart()
			s.change(func() { s.without = "experiment" })
		}, metrics.ErrMissing},
		{"the experiment is back", func() { s.change(func() { s.without = "" }) }, nil},
	} {
		step.change()
		var buckets []analysis.Bucket
		await(t, step.name, func() bool {
			more, err := source.Closed(t.Context())
			buckets = append(buckets, more...)
			if step.kind == nil {
				return len(buckets) >= 2
			}
			var gap *metrics.Gap
			return errors.Is(err, step.kind) && errors.As(err, &gap)
		})
		for _, b := range buckets {
			if !fine(b) || b.Width > 600*time.Millisecond {
				t.Errorf("%s: bucket %+v", step.name, b)
			}
		}
	}
}

func TestPrometheusKnowsUsersByTheirSlots(t *testing.T) {
	t.Parallel()
	s := newShop()
	with := object{"url": scraped(t, s), "requests": "asked_total", "failures": `asked_total{code="500"}`}
	source, err := metricOf(deps(), mishap.CompareMetric{Name: "m", Metric: mishap.SuccessRate, Source: "prometheus", Unit: "slot", With: encode(with)})
	if err != nil {
		t.Fatal(err)
	}
	buckets, errs, _ := gather(t, source, 3)
	counted, err := source.(metrics.Counted).Counted()
	if err != nil || len(errs) > 0 {
		t.Fatal(err, errs)
	}
	n := float64(len(buckets))
	row, _ := counted.Sums.Row("m")
	if c, e := row.Control.Before, row.Experiment.Before; c.Units != 2 || c.N != 19*n || c.Y != n || c.YY != n*n || e.Units != 2 || e.N != 35*n || e.Y != 5*n || e.NN != (15*n)*(15*n)+(20*n)*(20*n) {
		t.Errorf("after %g buckets control had %+v, the experiment %+v", n, c, e)
	}
}
