package analysis

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Baseline is what is known before the fault.
type Baseline struct {
	Rows []BaselineRow
	// Enough says that every row that may be cleared has counted what it needs.
	Enough bool
	// Needed is the most requests of both arms that one of them needs.
	Needed float64
	// Left is how long until then, at this rate.
	Left time.Duration
	// Doubts are reasons to inject nothing, because it would show nothing.
	Doubts []Doubt
}

// BaselineRow is one row that has to be cleared.
type BaselineRow struct {
	Metric   string
	Quantile float64
	Share    float64 // of bad requests in both arms
	Counted  float64 // requests of both arms
	Needed   float64
	PerArm   float64 // requests (or events) per second
	Deff     float64
	Clear    Forecast
	// HarmOnly is a row that so few requests meet that it will not be cleared:
	// harm may be shown still, and the baseline need not bear more.
	HarmOnly bool
}

// mostFailing is the share of failures beyond which a service does not work
// before any fault.
const mostFailing = 0.2

// Baseline looks at what was counted before the fault.
func (c *Comparison) Baseline() Baseline {
	out := Baseline{Enough: true}
	if why := c.Split(); why != "" {
		out.Doubts = append(out.Doubts, Doubt{SplitDoubt, "", why})
	}
	if c.lost != "" {
		out.Doubts = append(out.Doubts, Doubt{LostDoubt, "", c.lost})
	}
	clears := false // the row that one of all requests is beside
	for _, r := range c.rows {
		if !r.guards && r.metric.Kind != SuccessRate {
			continue
		}
		b, d := c.baselineRow(r)
		out.Doubts = append(out.Doubts, r.uneven()...)
		if r.all {
			if b.Counted == 0 { // an arm has no requests at all, and so none that meet the fault
				out.Doubts = append(out.Doubts, d...)
			}
			if clears {
				out.needs(b)
			}
			continue
		}
		out.Doubts = append(out.Doubts, d...)
		if clears = r.clears && !b.HarmOnly; clears {
			out.needs(b)
		}
		if r.clears {
			out.Rows = append(out.Rows, b)
		}
	}
	return out
}

// needs takes in what a row needs to be compared with its baseline.
func (b *Baseline) needs(r BaselineRow) {
	b.Needed = max(b.Needed, r.Needed)
	if r.Counted >= r.Needed {
		return
	}
	left := longest
	if r.PerArm > 0 && r.Needed < math.MaxInt64 {
		left = min(longest, seconds((r.Needed-r.Counted)/(2*r.PerArm)))
	}
	b.Enough, b.Left = false, max(b.Left, left)
}

func seconds(s float64) time.Duration {
	if !(s < longest.Seconds()) {
		return longest
	}
	return time.Duration(s * float64(time.Second))
}

func (c *Comparison) baselineRow(r *row) (BaselineRow, []Doubt) {
	out := BaselineRow{Metric: r.metric.Name, Quantile: r.q, Needed: math.Inf(1), Deff: 1}
	b := c.books[r.metric.Book]
	if b == nil {
		return out, []Doubt{{MissingDoubt, r.name, fmt.Sprintf("there were no numbers of %s in the baseline", r.name)}}
	}
	sums, _ := b.Row(r.name)
	control, experiment := sums.Control.Before, sums.Experiment.Before
	both := control.Plus(experiment)
	if control.N == 0 || experiment.N == 0 {
		out.HarmOnly = r.met
		return out, c.silent(r, control.N, experiment.N)
	}
	out.Share, out.Counted = both.Y/both.N, both.N
	burst, perSecond := r.pace.clustering()
	covered := b.UpTo.Sub(r.pace.began).Seconds()
	if n := len(r.pace.base); n > 0 {
		out.Deff = r.pace.base[n-1].v
	}
	rate := min(control.N, experiment.N) / covered
	if r.poisson {
		rate, out.Counted = min(control.Y, experiment.Y)/covered, both.Y
		burst = max(1, both.YY/max(both.Y, 1)-both.Y/both.Units)
		out.Deff, perSecond = burst, 0
	}
	if !(covered > 0) {
		return out, nil
	}
	out.PerArm = rate
	// With no failure at all, as if there had been half of one.
	usual := max(out.Share, 0.5/both.N)
	out.Needed = r.baselineNeeds(usual, burst) // users that stay unlike are so in both
	if !r.clears {
		return out, c.failing(r, out)
	}
	variance, distance := r.spread(usual)
	// The baseline explains of what users stay unlike in as much as it has seen of it.
	left := perSecond * burst / (burst + perSecond*covered)
	out.Clear = forecast(r.paces(usual, burst)/rate, variance*left/rate, distance, c.plan.Alpha)
	if bursts := forecast(r.paces(usual, out.Deff)/rate, 0, distance, c.plan.Alpha); bursts.Within(c.plan.Horizon) > out.Clear.Within(c.plan.Horizon) {
		out.Clear = bursts // it may be either, and hope is given up only if neither gives any
	}
	hopes := c.hopes(r, out)
	if out.HarmOnly = r.met && hopes != nil; out.HarmOnly {
		hopes = nil
	}
	return out, slices.Concat(c.failing(r, out), r.drifted(both.N, both.Y), hopes)
}

func (c *Comparison) silent(r *row, control, experiment float64) []Doubt {
	if r.met || r.q != 0 { // few may meet it, and answers follow from the rest
		return nil
	}
	arm := "the experiment"
	if control == 0 {
		arm = "control"
	}
	if control == 0 && experiment == 0 {
		arm = "either arm"
	}
	return []Doubt{{SilentDoubt, r.name, fmt.Sprintf("no traffic: in the baseline %s had nothing that %s counts", arm, r.metric.Name)}}
}

func (c *Comparison) failing(r *row, b BaselineRow) []Doubt {
	if r.metric.Kind != SuccessRate || b.Share <= mostFailing {
		return nil
	}
	return []Doubt{{FailingDoubt, r.name, fmt.Sprintf("without a fault %s of the requests fail already: there is nothing left to show", percent(b.Share))}}
}

func (c *Comparison) hopes(r *row, b BaselineRow) []Doubt {
	switch {
	case c.plan.Horizon == 0 && !b.Clear.Never, b.Clear.Hopeful(c.plan.Horizon):
		return nil
	case b.Clear.Never:
		return []Doubt{{HopelessDoubt, r.name, fmt.Sprintf("%s: users differ so much that harm within the margin cannot be told from chance, however long it takes", r.name)}}
	}
	return []Doubt{{HopelessDoubt, r.name, fmt.Sprintf("too little traffic for an answer: at %.3g per second and arm %s takes %s at the mean, and the fault is in force for %s at most",
		b.PerArm, r.name, rounded(b.Clear.Mean), c.plan.Horizon)}}
}

func rounded(d time.Duration) time.Duration {
	if d > 10*time.Minute {
		return d.Round(time.Minute)
	}
	return d.Round(time.Second)
}
