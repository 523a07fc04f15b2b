package worlds

import (
	"math"
	"time"

	"mishap/internal/analysis"
	"mishap/internal/slots"
)

// edge is what a proxy does with a request: it knows which rows count it.
type edge struct {
	book    *slots.Book
	began   time.Time
	exposed bool
	success []int // rows: of what met the fault, of all
	events  []int
	slow    []slowRow
	limits  map[string]analysis.Threshold
	counts  []slots.Count
	answers analysis.Histogram // while no limits are fixed
	fixed   bool
}

// slowRow is a row of a latency: beside its arm's own limit, or beside the experiment's in both.
type slowRow struct {
	at     int
	name   string // of the limit
	all    bool
	change bool
}

const (
	patience  = 2 * time.Second
	success   = "success-rate"
	latency   = "latency"
	events    = "event-rate"
	firstBin  = 0.001 // seconds
	binFactor = 1.189207115002721
)

func newEdge(a Asked, began time.Time) (*edge, error) {
	e := &edge{began: began, exposed: a.Exposed, limits: map[string]analysis.Threshold{}}
	var rows []slots.Row
	add := func(r slots.Row) int {
		rows = append(rows, r)
		return len(rows) - 1
	}
	suffixes := []string{""}
	if a.Exposed {
		suffixes = append(suffixes, analysis.AllSuffix)
	}
	for _, suffix := range suffixes {
		if a.Success > 0 {
			e.success = append(e.success, add(slots.Row{Name: success + suffix}))
		}
		if a.Events > 0 {
			e.events = append(e.events, add(slots.Row{Name: events + suffix, PerUnit: true}))
		}
		for _, q := range a.rows() {
			name := analysis.RowName(latency, q)
			e.slow = append(e.slow,
				slowRow{add(slots.Row{Name: name + suffix}), name, suffix != "", false},
				slowRow{add(slots.Row{Name: name + slots.Changed + suffix, Whole: true}), name, suffix != "", true})
		}
	}
	for b := firstBin; b < 60; b *= binFactor {
		e.answers.Bounds = append(e.answers.Bounds, b)
	}
	e.answers.Counts = make([]int64, len(e.answers.Bounds)+1)
	var err error
	e.book, err = slots.NewBook(0, rows, began)
	return e, err
}

// count is what the proxy does when a request is over.
func (e *edge) count(q Request, since bool) {
	came := e.began.Add(q.At)
	arm := slots.Control
	if q.Experiment {
		arm = slots.Experiment
	}
	p := slots.PlaceOf(arm, q.Unit, slots.Slots)
	failed := q.Failed || q.Took > patience
	met := q.Met || !e.exposed
	if met {
		e.book.Trial(p, came, failed)
	}
	e.counts = e.counts[:0]
	add := func(row int, n, y uint32) { e.counts = append(e.counts, slots.Count{Row: row, N: n, Y: y}) }
	one := func(is bool) uint32 {
		if is {
			return 1
		}
		return 0
	}
	for i, row := range e.success {
		if met || i > 0 {
			add(row, 1, one(failed))
		}
	}
	for i, row := range e.events {
		if met || i > 0 {
			add(row, 1, uint32(q.Events))
		}
	}
	if !failed && len(e.slow) > 0 {
		if e.fixed {
			e.countSlow(q, met, since, add)
		} else {
			e.measure(q.Took)
		}
	}
	e.book.Add(p, came, e.counts...)
}

func (e *edge) countSlow(q Request, met, since bool, add func(int, uint32, uint32)) {
	for _, r := range e.slow {
		if !met && !r.all {
			continue
		}
		limit := e.limits[r.name]
		beyond := limit.Usual
		if since && (q.Experiment || r.change) {
			beyond = limit.Slow
		}
		y := uint32(0)
		if q.Took.Seconds() > min(beyond, patience.Seconds()) {
			y = 1
		}
		add(r.at, 1, y)
	}
}

// measure puts an answer into a histogram of bins 19 % wide, as the proxy's page has them.
func (e *edge) measure(took time.Duration) {
	bin := int(math.Ceil(math.Log(took.Seconds()/firstBin) / math.Log(binFactor)))
	e.answers.Counts[min(max(bin, 0), len(e.answers.Counts)-1)]++
}
