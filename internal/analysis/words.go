package analysis

import (
	"fmt"
	"math"
	"time"
)

// percent is a share for people.
func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }

// points is a difference of shares.
func points(d float64) string { return fmt.Sprintf("%.3g pp", 100*d) }

// what is counted, as the end of a sentence.
func (r *Row) what() string {
	switch r.Kind {
	case Latency:
		return fmt.Sprintf("slower than at %s", QuantileName(r.Quantile))
	case EventRate:
		return "events"
	}
	return "failed"
}

// sentence says what a row shows that is beyond its margin.
func (r *Row) sentence() string {
	name := r.Metric
	if r.Of == FirstRequests {
		name += ", users' first requests"
	} else if r.Of != "" {
		name += ", " + string(r.Of)
	}
	if !r.Since.IsZero() {
		name += " since " + r.Since.Format(time.TimeOnly)
	}
	return fmt.Sprintf("%s: %.0f of %.0f %s in the experiment, %.0f of %.0f in control: %s", name,
		r.Experiment.Bad, r.Experiment.Requests, r.what(), r.Control.Bad, r.Control.Requests, r.beyond())
}

func (r *Row) beyond() string {
	switch {
	case r.Ratio && r.Down:
		return fmt.Sprintf("at most %.3g times as many, margin %.3g", r.High, r.Margin)
	case r.Ratio:
		return fmt.Sprintf("at least %.3g times as many, margin %.3g", r.Low, r.Margin)
	}
	return fmt.Sprintf("at least %s more, margin %s", points(r.Low), points(r.Margin))
}

// place says where an interval lies that is not within its margin.
func (r *Row) place() string {
	if r.Ratio {
		return fmt.Sprintf("between %.3g and %.3g times as many, margin %.3g", r.Low, r.High, r.Margin)
	}
	return fmt.Sprintf("between %s and %s more, margin %s", points(r.Low), points(r.High), points(r.Margin))
}

// name is what a guard is of.
func (g *Guard) name() string {
	name := RowName(g.Metric, g.Quantile)
	if g.Of != "" {
		name += ", " + string(g.Of)
	}
	return name
}

// sentence says that control is not what it was.
func (g *Guard) sentence() string {
	what := "failed"
	if g.Kind == Latency {
		what = "were slow at " + QuantileName(g.Quantile)
	}
	name := g.Metric
	if g.Of != "" {
		name += ", " + string(g.Of)
	}
	if g.Kind == EventRate {
		return fmt.Sprintf("%s: both arms changed: control had %.3g events a second, and %.3g in its own baseline; the fault reaches beyond its arm, or something else went wrong", name, g.Now, g.Before)
	}
	return fmt.Sprintf("%s: both arms got worse: %s of control's requests %s, and %s in its own baseline; the fault reaches beyond its arm, or something else went wrong",
		name, percent(g.Now), what, percent(g.Before))
}

// lopsided says what it means if all of the few units that fail are in the
// experiment, and they are too few to show anything.
func (c *Comparison) lopsided(r *row, b *book) string {
	sums, _ := b.Row(r.name)
	broken, others := failing(sums.Experiment.Few), failing(sums.Control.Few)
	if r.metric.Kind != SuccessRate || broken == 0 || others > 0 {
		return ""
	}
	need := math.Ceil(c.harmLevel(0)/math.Ln2) - 1 // of the table of units that all fail
	if float64(broken) >= need {
		return ""
	}
	return fmt.Sprintf("; %d of %d units fail for good in the experiment, 0 of %d in control: such a split has a chance of 1 in %d if the arm makes no difference, and about %.0f would do, or a larger alpha",
		broken, len(sums.Experiment.Few), len(sums.Control.Few), 1<<broken, need)
}

// failing is how many units fail at least every other time.
func failing(units [][4]float64) (n int) {
	for _, u := range units {
		n += int(min(2*u[1]/max(u[0], 1), 1))
	}
	return n
}
