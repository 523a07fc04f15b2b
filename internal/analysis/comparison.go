package analysis

import (
	"fmt"
	"math"
	"time"
)

// Comparison is control beside experiment: closed buckets go in, and at any
// moment [Comparison.Decide] says whether enough is known. It is not safe for
// use by several goroutines at once.
type Comparison struct {
	plan    Plan
	begun   time.Time
	split   [2]int64 // units assigned to control and experiment
	splitE  float64  // the largest evidence against the split
	streams []*stream
	weights []float64
	outcome Decision
}

// New makes a comparison of the plan. What the plan leaves out is filled in;
// one that cannot be carried out is [ErrPlan]. With a known share and a success
// rate, it also watches whether the requests of the experiment stop.
func New(p Plan) (*Comparison, error) {
	p, err := p.complete()
	if err != nil {
		return nil, fmt.Errorf("start comparison: %w", err)
	}
	c := &Comparison{plan: p}
	metrics := p.Metrics
	if c.trafficSource() >= 0 {
		metrics = append(append([]Metric(nil), metrics...), trafficGuard(metrics[c.trafficSource()]))
	}
	total := 0.0
	for _, m := range metrics {
		total += m.Weight
	}
	for _, m := range metrics {
		weight, threshold := m.Weight/total, 0.0
		if p.Boost {
			threshold = math.Log(1/p.Alpha) - math.Log(weight)
		}
		c.weights = append(c.weights, weight)
		c.streams = append(c.streams, newStream(m, p, threshold))
	}
	return c, nil
}

// trafficGuard is harm if the requests of the experiment fall to less than
// half of its share. It is as lenient, and divides its evidence by at least
// ten, because units send unequal numbers of requests in bursts, which no bound
// on independent counts can bear; at 50 requests/s it still takes seconds.
func trafficGuard(of Metric) Metric {
	return Metric{
		Name: trafficName, Kind: EventRate, Harm: Decrease, Usual: 0.01, Weight: trafficWeight,
		Tolerance: trafficTolerance, Dispersion: max(trafficDispersion, of.Dispersion),
	}
}

// trafficSource is the metric whose requests the guard reads, or -1.
func (c *Comparison) trafficSource() int {
	if c.plan.Share == 0 {
		return -1
	}
	for i, m := range c.plan.Metrics {
		if m.Kind == SuccessRate {
			return i
		}
	}
	return -1
}

// Plan is the plan, with what was left out filled in.
func (c *Comparison) Plan() Plan { return c.plan }

// Begin says when the fault was injected. Buckets that end before it are
// baseline: they teach what is usual, and are no evidence. A bucket that
// straddles it is left out. It is said once.
func (c *Comparison) Begin(at time.Time) error {
	if !c.begun.IsZero() || at.IsZero() {
		return fmt.Errorf("begin comparison: %w: begun at %s already", ErrOrder, c.begun.Format(time.RFC3339Nano))
	}
	c.begun = at.Round(0)
	return nil
}

// Observe consumes a closed bucket of one metric; each metric may have its own
// widths and source. A bucket that is refused ([ErrBucket], [ErrOrder],
// [ErrScheme]) changes no evidence, and its time counts as missing.
func (c *Comparison) Observe(metric string, b Bucket) error {
	b.Start = b.Start.Round(0)
	for i, m := range c.plan.Metrics {
		if m.Name != metric {
			continue
		}
		if err := c.streams[i].take(b, c.begun); err != nil {
			return fmt.Errorf("observe %s: %w", metric, err)
		}
		if i == c.trafficSource() {
			return c.streams[len(c.streams)-1].take(b, c.begun)
		}
		return nil
	}
	return fmt.Errorf("observe %s: %w: no such metric", metric, ErrPlan)
}

// Assigned adds units that were newly assigned to the arms (not requests).
// With a known share it is checked that they are split as planned; the share
// must be what each unit's assignment was drawn with.
func (c *Comparison) Assigned(control, experiment int64) error {
	if control < 0 || experiment < 0 || control > mostCount || experiment > mostCount {
		return fmt.Errorf("count assigned units: %w: %d and %d", ErrBucket, control, experiment)
	}
	n := [2]int64{min(c.split[0]+control, mostCount), min(c.split[1]+experiment, mostCount)}
	if q := c.plan.Share; q > 0 {
		e, err := SplitEvidence(n[:], []float64{1 - q, q})
		if err != nil {
			return err
		}
		c.splitE = max(c.splitE, e)
	}
	c.split = n
	return nil
}

// HarmLogE is the log evidence for harm in all metrics together; at
// log(1/alpha) the comparison aborts.
func (c *Comparison) HarmLogE() float64 {
	logE := make([]float64, len(c.streams))
	for i, s := range c.streams {
		h, stake := s.evidence().harm()
		logE[i] = h.logE(stake)
	}
	return weigh(logE, c.weights)
}

// ExtraFailures is how many failures the experiment had beyond what control's
// share of failures, in the same time, lets expect: fE - nE*fC/nC, of the
// success rate that has the most. It is an estimate that wavers by about the
// root of twice the failures, never below 0; while control is silent, every
// failure counts.
func (c *Comparison) ExtraFailures() float64 {
	most := 0.0
	for i, m := range c.plan.Metrics {
		if m.Kind != SuccessRate {
			continue
		}
		e, ctl := c.streams[i].Totals.Experiment, c.streams[i].Totals.Control
		extra := float64(e.Requests - e.Successes)
		if ctl.Requests > 0 {
			extra -= float64(e.Requests) * float64(ctl.Requests-ctl.Successes) / float64(ctl.Requests)
		}
		most = max(most, extra)
	}
	return most
}
