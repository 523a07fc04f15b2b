package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/notify"
)

// mostSeries bounds the metrics that have a series per experiment.
const mostSeries = 1000

// metrics are what Prometheus sees of a server. What the ledger knows is read
// from it at each scrape, so that it is the same on every server.
type metrics struct {
	book     ledger.Ledger
	log      *slog.Logger
	notices  func() []notify.Stat
	registry *prometheus.Registry
	ended    *prometheus.CounterVec
	refusals *prometheus.CounterVec
	lag      prometheus.Histogram

	mu        sync.Mutex
	recovered map[string]float64 // seconds, by experiment
}

func newMetrics(book ledger.Ledger, log *slog.Logger, notices func() []notify.Stat) *metrics {
	m := &metrics{
		book: book, log: log, notices: notices, registry: prometheus.NewRegistry(), recovered: map[string]float64{},
		ended:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mishap_runs_ended_total", Help: "Runs that ended on this server, by verdict; refused ones have none."}, []string{"verdict"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mishap_runs_not_started_total", Help: "Times of schedules at which this server started nothing, by cause."}, []string{"cause"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mishap_schedule_lag_seconds", Help: "How late runs of schedules began.",
			Buckets: []float64{0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 3600}}),
	}
	for _, v := range []mishap.Verdict{mishap.Held, mishap.Deviated, mishap.Inconclusive} {
		m.ended.WithLabelValues(string(v))
	}
	m.registry.MustRegister(m.ended, m.refusals, m.lag, m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Timeout: 10 * time.Second, MaxRequestsInFlight: 4})
}

func (m *metrics) notStarted(cause mishap.Cause) { m.refusals.WithLabelValues(string(cause)).Inc() }

func (m *metrics) late(d time.Duration) { m.lag.Observe(max(0, d.Seconds())) }

// saw counts what happened: an entry, and the run after it, if there are any.
func (m *metrics) saw(e *mishap.Entry, run *mishap.Run) {
	if run == nil || e == nil || e.State == nil || e.State.To != mishap.Completed {
		return
	}
	verdict, _ := mishap.Judge(run)
	m.ended.WithLabelValues(string(verdict)).Inc()
	if r := run.Recovered; r != nil && r.In {
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.recovered) < mostSeries {
			_, within := r.Range()
			m.recovered[run.Plan.Experiment.Name] = within.Seconds()
		}
	}
}

// gauge describes one metric that is read from the ledger.
func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("mishap_"+name, help, labels, nil)
}

// Describe names nothing: what is collected depends on what there is.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect reads the ledger.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	up := 1.0
	if err := m.collect(ctx, put); err != nil {
		m.log.Error("collect metrics", "error", err)
		up = 0
	}
	put(gauge("ledger_up", "Whether the ledger could be read."), up)
}

type putter func(d *prometheus.Desc, v float64, labels ...string)

func (m *metrics) collect(ctx context.Context, put putter) error {
	halt, err := m.book.Halted(ctx)
	if err != nil {
		return err
	}
	put(gauge("halted", "Whether everything is halted."), truth(halt != nil))
	counts, err := m.book.InjectionCounts(ctx)
	if err != nil {
		return err
	}
	for state, n := range counts {
		put(gauge("injections", "Injections of active runs by state; injecting, injected and reverting are or may be in force, stranded ones wait for a person.", "state"), float64(n), string(state))
	}
	active, err := m.book.Unfinished(ctx)
	if err != nil {
		return err
	}
	states := map[mishap.State]int{}
	for _, st := range mishap.States() {
		if !st.Ended() {
			states[st] = 0
		}
	}
	for _, r := range active {
		states[r.State]++
	}
	for st, n := range states {
		put(gauge("runs_active", "Active runs by state, over all servers.", "state"), float64(n), string(st))
	}
	return m.collectExperiments(ctx, put)
}

func (m *metrics) collectExperiments(ctx context.Context, put putter) error {
	latest, err := m.book.Latest(ctx)
	if err != nil {
		return err
	}
	for i, r := range latest {
		if i >= mostSeries {
			break
		}
		if r.Active() {
			continue
		}
		for _, v := range []mishap.Verdict{mishap.Held, mishap.Deviated, mishap.Inconclusive} {
			put(gauge("last_verdict", "1 for the verdict of an experiment's last run that ended.", "experiment", "verdict"), truth(r.Verdict == v), r.Experiment, string(v))
		}
		put(gauge("last_ended_timestamp_seconds", "When an experiment's last run ended.", "experiment"), float64(r.Ended.UnixNano())/1e9, r.Experiment)
	}
	m.mu.Lock()
	for name, took := range m.recovered {
		put(gauge("last_recovery_seconds", "How long the system took to recover in the last run on this server.", "experiment"), took, name)
	}
	m.mu.Unlock()
	locks, err := m.book.Locks(ctx)
	if err != nil {
		return err
	}
	put(gauge("experiments_locked", "Experiments that deviated and were not unlocked."), float64(len(locks)))
	next, err := m.book.NextDue(ctx, time.Time{})
	if err != nil {
		return err
	}
	overdue := 0.0
	if !next.IsZero() {
		overdue = max(0, time.Since(next).Seconds())
	}
	put(gauge("schedule_overdue_seconds", "How long the longest overdue schedule is not dealt with."), overdue)
	queue, err := m.book.Queue(ctx, time.Now())
	if err != nil {
		return err
	}
	longest := 0.0
	for _, w := range queue {
		longest = max(longest, time.Since(w.Since).Seconds())
	}
	put(gauge("schedules_waiting", "Schedules whose time has come and that wait for their turn."), float64(len(queue)))
	put(gauge("schedule_waiting_seconds", "How long the longest of them has waited, over all times that it did not get."), longest)
	sources, err := m.book.Sources(ctx)
	if err != nil {
		return err
	}
	for _, src := range sources {
		m.collectSource(put, src)
	}
	for _, st := range m.notices() {
		for outcome, n := range map[string]uint64{"sent": st.Sent, "failed": st.Failed, "dropped": st.Dropped, "queued": uint64(st.Queued)} {
			put(gauge("notifications", "Messages of this server by target and outcome.", "target", "outcome"), float64(n), st.Target, outcome)
		}
	}
	return nil
}

func (m *metrics) collectSource(put putter, src ledger.SourceState) {
	put(gauge("source_broken", "Whether what is in a source could not be put in force.", "source"), truth(src.Problem != ""), src.Name)
	put(gauge("source_holds", "Whether none of a source's experiments runs, since it was not looked at.", "source"), truth(src.Holds != ""), src.Name)
	put(gauge("source_revision", "Number of the revision in force.", "source", "commit"), float64(src.Revision.Seq), src.Name, src.Revision.Commit)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
