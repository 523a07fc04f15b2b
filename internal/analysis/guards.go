package analysis

// Guard is a row beside its own baseline.
type Guard struct {
	Metric   string
	Kind     Kind
	Quantile float64
	Both     bool // of both arms; otherwise of control
	Of       Part
	Before   float64
	Now      float64
	// Low is the least change for the worse that is not shown to be exceeded, High
	// the most that there may be; of rates per second for events.
	Low, High, Margin float64
	State             State
	counted           float64 // requests of the baseline
}

// guard is a row beside its own baseline.
func (c *Comparison) guard(r *row, both, ends bool) Guard {
	out := Guard{Metric: r.metric.Name, Kind: r.metric.Kind, Quantile: r.q, Both: both, Low: -1, High: 1, State: Open}
	if r.all {
		out.Of = AllRequests
	}
	b := c.books[r.metric.Book]
	if b == nil || b.Injected.IsZero() { // nothing is told of the time since the injection
		return out
	}
	sums, there := b.Row(r.change)
	if !there {
		return out
	}
	g := guard{since: sums.Control.Since, before: sums.Control.Before, by: 1, down: r.down, perSecond: r.poisson}
	if both {
		g.since, g.before = g.since.Plus(sums.Experiment.Since), g.before.Plus(sums.Experiment.Before)
	}
	switch {
	case r.ratio:
		g.by, g.small = 1/r.factor(r.margin), r.small
	case r.q != 0:
		g.small = r.small
	default:
		g.margin = r.margin
	}
	g.times = [2]float64{(b.UpTo.Sub(b.Injected) - b.Missing).Seconds(), (b.Injected.Sub(b.Began) - b.MissingBefore).Seconds()}
	at := g.at(g.margin)
	out.Now, out.Before, out.Margin, out.counted = at.now, at.before, g.margin, g.before.N
	if at.v <= 0 {
		return out
	}
	level := c.guardLevel()
	if ends {
		out.Low, out.High = g.ends(level)
	}
	if !both && g.worse(g.margin) >= level {
		out.State = Beyond
	} else if at.z <= guardClear {
		out.State = Within
	}
	return out
}
