package worlds

import (
	"fmt"
	"slices"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// End is how a run ended.
type End struct {
	Verdict mishap.Verdict
	After   time.Duration // the injection
	Reason  string
	// Own is how much more of the requests of the experiment's own users failed than without the fault.
	Own float64
	// Foreseen is how long the baseline promised at the mean until it is held.
	Foreseen time.Duration
}

const (
	// look is how often the comparison is asked.
	look = 500 * time.Millisecond
	// leastBaseline and longestBaseline are those of `baseline: auto`.
	leastBaseline, longestBaseline = time.Minute, 15 * time.Minute
)

// plan is what is asked, as the analysis has it.
func (a Asked) plan() analysis.Plan {
	p := analysis.Plan{Alpha: a.Alpha, AtLeast: a.AtLeast, Horizon: a.For, Exposed: a.Exposed, Targets: a.Targets}
	if a.Success > 0 {
		p.Metrics = append(p.Metrics, analysis.Metric{Name: success, Kind: analysis.SuccessRate, Margin: analysis.Margin{Difference: a.Success}})
	}
	if a.Latency > 0 {
		p.Metrics = append(p.Metrics, analysis.Metric{Name: latency, Kind: analysis.Latency, Margin: analysis.Margin{Ratio: 1 + a.Latency}, Quantiles: a.Quantiles})
	}
	if a.Events > 0 {
		p.Metrics = append(p.Metrics, analysis.Metric{Name: events, Kind: analysis.EventRate, Harm: analysis.Decrease, Margin: analysis.Margin{Ratio: 1 - a.Events}})
	}
	if a.NoMargin {
		for i := range p.Metrics {
			p.Metrics[i].Margin = analysis.Margin{}
		}
	}
	return p
}

// rows are the quantiles that are counted: those that have to be cleared, and one that stops only.
func (a Asked) rows() []float64 {
	if a.Latency == 0 {
		return nil
	}
	list := a.Quantiles
	if len(list) == 0 {
		list = []float64{0.5, 0.9, 0.99}
	}
	if !slices.Contains(list, 0.999) {
		list = append(list[:len(list):len(list)], 0.999)
	}
	return list
}

// run is one that is being played.
type run struct {
	asked      Asked
	traffic    *Stream
	next       Request
	edge       *edge
	comparison *analysis.Comparison
	trials     int
	requests   float64 // of the experiment, since the injection
	harmed     float64 // those of them that failed because of the fault
}

// Play plays a run of the world, and says how it ended. The same seed is the same run.
func (w World) Play(seed uint64) (End, error) {
	r, err := w.start(seed)
	if err != nil {
		return End{}, err
	}
	injected, why, err := r.baseline()
	if err != nil || why != "" {
		return End{Verdict: mishap.Inconclusive, Reason: why}, err
	}
	foreseen := time.Duration(0)
	for _, row := range r.comparison.Baseline().Rows {
		foreseen = max(foreseen, row.Clear.Mean)
	}
	end, err := r.hold(injected)
	end.Foreseen = foreseen
	return end, err
}

// start begins the traffic.
func (w World) start(seed uint64) (*run, error) {
	a := w.Asked.withDefaults()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c, err := analysis.New(a.plan())
	if err != nil {
		return nil, err
	}
	e, err := newEdge(a, began)
	if err != nil {
		return nil, err
	}
	r := &run{asked: a, traffic: w.Traffic.Start(seed, a.Latency > 0), edge: e, comparison: c}
	r.next = r.traffic.Next()
	return r, nil
}

// pass lets requests come until a time, and tells the comparison.
func (r *run) pass(until time.Duration) error {
	for ; r.next.At < until; r.next = r.traffic.Next() {
		r.edge.count(r.next, r.traffic.injected >= 0)
		if r.next.Experiment && r.traffic.injected >= 0 {
			r.requests++
			if r.next.Harmed {
				r.harmed++
			}
		}
	}
	r.edge.book.Close(r.edge.began.Add(until))
	s := r.edge.book.Snapshot(r.trials)
	r.trials += len(s.Trials)
	return r.comparison.Take("", s)
}

// baseline watches until it bears the comparison, and injects; or it says why it does not.
func (r *run) baseline() (injected time.Duration, why string, err error) {
	least, most := leastBaseline, longestBaseline
	if r.asked.Baseline > 0 {
		least, most = r.asked.Baseline, r.asked.Baseline
	}
	for now := look; ; now += look {
		if err := r.pass(now); err != nil {
			return 0, "", err
		}
		if !r.edge.fixed && now >= max(least/4, 15*time.Second) {
			if err := r.fix(); err != nil {
				return 0, "", err
			}
		}
		if now < least {
			continue
		}
		b := r.comparison.Baseline()
		for _, d := range b.Doubts {
			return now, "baseline: " + string(d.Kind), nil
		}
		if b.Enough || now >= most {
			at := r.edge.book.Inject(r.edge.began.Add(now))
			r.traffic.Inject()
			return now, "", r.comparison.Begin(at)
		}
		if now+b.Left > 2*most {
			return now, "baseline: too little traffic", nil
		}
	}
}

// fix fixes what is slow.
func (r *run) fix() error {
	r.edge.fixed = true
	for _, q := range r.asked.rows() {
		ratio := 1 + r.asked.Latency
		if r.asked.NoMargin {
			ratio = 0
		}
		t, err := analysis.FixThreshold(r.edge.answers, q, ratio, 0)
		if err != nil {
			continue // the quantile is never cleared, and the comparison says so
		}
		r.edge.limits[analysis.RowName(latency, q)] = t
		if err := r.comparison.Fix(analysis.RowName(latency, q), t); err != nil {
			return err
		}
	}
	return nil
}

// hold looks until it is decided.
func (r *run) hold(injected time.Duration) (End, error) {
	for now := injected + look; ; now += look {
		if err := r.pass(now); err != nil {
			return End{}, err
		}
		d := r.comparison.Look(r.edge.began.Add(now))
		switch d.Outcome {
		case analysis.Deviated:
			return End{Verdict: mishap.Deviated, After: now - injected, Reason: d.Reason}, nil
		case analysis.Held:
			return End{Verdict: mishap.Held, After: now - injected, Own: r.harmed / max(r.requests, 1)}, nil
		case analysis.Inconclusive:
			return End{Verdict: mishap.Inconclusive, After: now - injected, Reason: string(d.Cause)}, nil
		}
		if now > injected+r.asked.For+time.Minute {
			return End{}, fmt.Errorf("play: no end after %s", now-injected)
		}
	}
}
