package comparison_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/comparison"
	"mishap/internal/metrics"
)

const scrapes = 10 * time.Second

// labelled is a Prometheus whose series of both arms bear a label of units, 50 requests a second in each arm.
type labelled struct {
	mu       sync.Mutex
	label    string
	units    [2][]string
	random   *rand.Rand
	next     time.Time
	rate     [2]float64 // requests per second
	fails    [2]float64
	slow     [2]float64
	totals   map[string]int64
	samples  map[string][]string
	lost     float64         // share of scrapes that fail
	silenced map[string]bool // units whose series are gone
}

// newLabelled has slots of users, or so many targets in each arm.
func newLabelled(label string, targets int) *labelled {
	l := &labelled{label: label, random: rand.New(rand.NewPCG(3, 4)), next: time.Now(), rate: [2]float64{50, 50}, fails: [2]float64{0.005, 0.005}, slow: [2]float64{0.3, 0.3},
		totals: map[string]int64{}, samples: map[string][]string{}, silenced: map[string]bool{}}
	for arm := range l.units {
		for i := range 64 {
			if name := strconv.Itoa(i); targets == 0 {
				l.units[arm] = append(l.units[arm], name)
			} else if i < targets {
				l.units[arm] = append(l.units[arm], string("ce"[arm])+name)
			}
		}
	}
	return l
}

// advance makes up the traffic until now, and what was scraped of it.
func (l *labelled) advance() {
	for ; l.next.Before(time.Now()); l.next = l.next.Add(scrapes) {
		for arm, name := range []string{"control", "experiment"} {
			for range int(l.rate[arm] * scrapes.Seconds()) {
				l.request(arm, name)
			}
		}
		if l.random.Float64() < l.lost {
			continue
		}
		for series, n := range l.totals {
			if of := strings.Split(series, `"`); !l.silenced[of[len(of)-2]] {
				l.samples[series] = append(l.samples[series], fmt.Sprintf(`[%.3f,"%d"]`, float64(l.next.UnixMilli())/1000, n))
			}
		}
	}
}

func (l *labelled) request(arm int, name string) {
	unit := l.units[arm][l.random.IntN(len(l.units[arm]))]
	of := func(metric, more string) string {
		return fmt.Sprintf(`"__name__":%q,"instance":"shop","arm":%q%s,%q:%q`, metric, name, more, l.label, unit)
	}
	failed, slow := int64(0), l.random.Float64() < l.slow[arm]
	if l.random.Float64() < l.fails[arm] {
		failed = 1
	}
	l.totals[of("hits_total", "")]++
	l.totals[of("errors_total", "")] += failed
	for le, fits := range map[string]bool{"0.1": !slow, "0.2": true, "+Inf": true} {
		series := of("took_seconds_bucket", fmt.Sprintf(`,"le":%q`, le))
		if l.totals[series] += 0; fits {
			l.totals[series]++
		}
	}
}

func (l *labelled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance()
	name, rest, _ := strings.Cut(r.PostFormValue("query"), "{")
	var look int // milliseconds
	_, _ = fmt.Sscanf(rest[strings.Index(rest, "["):], "[%dms]", &look)
	most := look/int(scrapes.Milliseconds()) + 1
	var all []string
	for _, series := range slices.Sorted(maps.Keys(l.samples)) {
		if values := l.samples[series]; strings.HasPrefix(series, fmt.Sprintf(`"__name__":%q`, name)) {
			all = append(all, fmt.Sprintf(`{"metric":{%s},"values":[%s]}`, series, strings.Join(values[max(len(values)-most, 0):], ",")))
		}
	}
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, strings.Join(all, ","))
}

// pipes is a listener without a network.
type pipes struct{ conns chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (l *labelled) serve(t *testing.T) func(context.Context, string, string) (net.Conn, error) {
	listener := pipes{make(chan net.Conn)}
	server := &http.Server{Handler: l}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { close(listener.conns); _ = server.Close() })
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		listener.conns <- theirs
		return ours, nil
	}
}

// compare runs a comparison by one metric of the Prometheus, and gives the last look.
func (l *labelled) compare(t *testing.T, m mishap.CompareMetric, targets int, inject func()) mishap.Comparison {
	t.Helper()
	m.Name, m.Source, m.Unit = string(m.Metric), "prometheus", "unit"
	with := map[string]string{"url": "http://prometheus"}
	switch m.Metric {
	case mishap.Latency:
		with["histogram"] = "took_seconds_bucket"
	case mishap.EventRate:
		with["events"] = "hits_total"
	default:
		with["requests"], with["failures"] = "hits_total", "errors_total"
	}
	m.With, _ = json.Marshal(with)
	spec := mishap.Compare{Arms: mishap.Arms{From: mishap.ArmsFromRequests}, Alpha: 0.01, Baseline: mishap.AutoBaseline(), Metrics: []mishap.CompareMetric{m}}
	if targets > 0 {
		spec.Arms.From = mishap.ArmsFromTargets
	}
	o := comparison.Options{Compare: spec, Targets: targets}
	for _, k := range metrics.Catalog(metrics.Deps{Dial: l.serve(t), Targets: targets}) {
		if k.Name == "prometheus" {
			source, err := k.New(m)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = source.(interface{ Close() error }).Close() })
			o.Sources, o.Books = []metrics.Source{source}, []comparison.Book{source.(comparison.Book)}
		}
	}
	return last(watchAs(t, o, nil, 3*time.Minute, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.advance()
		inject()
	}))
}

func TestTotalsThatTellTheirUnitsDecide(t *testing.T) {
	rate := mishap.CompareMetric{Metric: mishap.SuccessRate, Margin: mishap.Margin{Difference: 0.02}}
	events := mishap.CompareMetric{Metric: mishap.EventRate, Harm: mishap.Decrease, Margin: mishap.Margin{Ratio: 0.7}}
	latency := func(ratio float64) mishap.CompareMetric {
		return mishap.CompareMetric{Metric: mishap.Latency, Harm: mishap.Increase, Margin: mishap.Margin{Ratio: ratio}, Quantiles: []mishap.Quantile{0.5}}
	}
	for name, tt := range map[string]struct {
		metric  mishap.CompareMetric
		label   string
		targets int
		before  func(*labelled)
		inject  func(*labelled)
		outcome mishap.ComparisonOutcome
		says    string
		early   bool // nothing is injected
	}{
		"users, healthy":                {metric: rate, outcome: mishap.HarmRuledOut, says: "no harm beyond the margins to the 64 slots of users"},
		"users, harmed":                 {metric: rate, inject: func(l *labelled) { l.fails[1] = 0.2 }, outcome: mishap.HarmShown, says: "success-rate:"},
		"both arms":                     {metric: rate, inject: func(l *labelled) { l.fails = [2]float64{0.2, 0.2} }, outcome: mishap.Undecided, says: "both arms got worse"},
		"targets, harmed":               {metric: rate, targets: 10, inject: func(l *labelled) { l.fails[1] = 0.9 }, outcome: mishap.HarmShown, says: "success-rate:"},
		"few targets, healthy":          {metric: rate, targets: 10, outcome: mishap.Undecided, says: "effective units in an arm, and below 20 nothing is cleared"},
		"targets, healthy":              {metric: rate, targets: 30, outcome: mishap.HarmRuledOut, says: "to the 30 targets"},
		"a label nobody has":            {metric: rate, label: "other", outcome: mishap.Undecided, says: `has no label "unit"`, early: true},
		"one instance serves both arms": {metric: rate, targets: 10, before: func(l *labelled) { l.units[1] = l.units[0] }, outcome: mishap.Undecided, says: "is in both arms, and so is no unit", early: true},
		"more values than targets":      {metric: rate, targets: 10, before: func(l *labelled) { l.units[1] = append(l.units[1], "e99") }, outcome: mishap.Undecided, says: "more values in the experiment than there are targets", early: true},
		"scrapes that fail":             {metric: rate, inject: func(l *labelled) { l.lost = 0.4 }, outcome: mishap.Undecided, says: "are not counted by prometheus"},
		"a target that is gone":         {metric: rate, targets: 30, inject: func(l *labelled) { l.silenced["e7"] = true }, outcome: mishap.Undecided, says: "are not counted by prometheus"},
		"requests that hang":            {metric: rate, inject: func(l *labelled) { l.rate[1] = 40 }, outcome: mishap.Undecided, says: "who counts them when they are over counts none that hangs"},
		"targets whose requests hang":   {metric: rate, targets: 30, inject: func(l *labelled) { l.rate[1] = 25 }, outcome: mishap.Undecided, says: "the experiment had only 0.5 times as many requests"},
		"latency, healthy":              {metric: latency(2), outcome: mishap.HarmRuledOut, says: "no harm beyond the margins"},
		"events, healthy":               {metric: events, outcome: mishap.HarmRuledOut, says: "no harm beyond the margins"},
		"events, fewer":                 {metric: events, inject: func(l *labelled) { l.rate[1] = 10 }, outcome: mishap.HarmShown, says: "event-rate:"},
		"events, fewer in both arms":    {metric: events, inject: func(l *labelled) { l.rate = [2]float64{10, 10} }, outcome: mishap.Undecided, says: "both arms changed"},
		"bounds that cannot tell":       {metric: latency(1.2), outcome: mishap.Undecided, says: "no two bounds about it are 1.2 times apart", early: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				label := tt.label
				if label == "" {
					label = "unit"
				}
				l, injected := newLabelled(label, tt.targets), false
				if tt.before != nil {
					tt.before(l)
				}
				look := l.compare(t, tt.metric, tt.targets, func() {
					if injected = true; tt.inject != nil {
						tt.inject(l)
					}
				})
				if look.Outcome != tt.outcome || !strings.Contains(look.Reason, tt.says) || injected == tt.early {
					t.Errorf("injected %v, outcome %q: %s", injected, look.Outcome, look.Reason)
				}
			})
		})
	}
}

// TestFirstRequestsAreTakenFromABookThatHasThem, though a metric before it has none.
func TestFirstRequestsAreTakenFromABookThatHasThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, spec := newTraffic(50, 0.005, 0.005), successRate()
		labelled := spec.Metrics[0]
		labelled.Name, labelled.Unit = "orders", "slot"
		spec.Metrics = []mishap.CompareMetric{labelled, spec.Metrics[0]}
		healthy := newTraffic(50, 0.005, 0.005) // so that only the other can show harm, whichever is read first
		o := comparison.Options{Compare: spec, Sources: []metrics.Source{healthy, s}, Books: []comparison.Book{&silentBook{healthy}, s}}
		l := last(watchAs(t, o, nil, time.Minute, func() { s.change(func(s *traffic) { s.experiment = 1 }) }))
		if l.Outcome != mishap.HarmShown || !strings.Contains(l.Reason, "success-rate, users' first requests") {
			t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
		}
	})
}

// silentBook tells of orders what another counts, and no first requests.
type silentBook struct{ *traffic }

func (b *silentBook) Counted() (metrics.Counts, error) {
	c, err := b.traffic.Counted()
	c.Sums.Trials = ""
	c.Sums.Rows = slices.Clone(c.Sums.Rows)
	if err == nil {
		c.Sums.Rows[0].Name = "orders"
	}
	for i := range c.Sums.Windows {
		c.Sums.Windows[i].Rows = nil
	}
	return c, err
}
