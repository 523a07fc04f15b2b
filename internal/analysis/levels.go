package analysis

import "math"

// How alpha is split for harm: between rows since the injection, users' first
// requests, and newer parts of the time.
const (
	partMain    = 0.55
	partFirst   = 0.25
	partWindows = 0.20
)

// claims is between how many rows each part is divided: it is halved where rows of
// all requests are beside those of the requests that met the fault.
func (c *Comparison) claims() float64 { return float64(len(c.rows)) }

// harmLevel is the log evidence at which a row is beyond its margin since the
// injection (0), or since the beginning of a window.
func (c *Comparison) harmLevel(window int) float64 {
	part := partMain
	if c.firstOf == nil {
		part += partFirst
	}
	if window > 0 {
		part = partWindows * math.Pow(0.5, float64(window))
	}
	return math.Log(c.claims() / (part * c.plan.Alpha))
}

func (c *Comparison) firstLevel() float64 { return -math.Log(partFirst * c.plan.Alpha) }

// clearLevel is that at which a row is within its margin. All rows have to be,
// so that none needs a correction for the others (Berger 1982).
func (c *Comparison) clearLevel() float64 { return -math.Log(c.plan.Alpha) }

// guardLevel is that at which control has changed.
func (c *Comparison) guardLevel() float64 {
	n := 0.0
	for _, r := range c.rows {
		if r.guards {
			n++
		}
	}
	return math.Log(max(n, 1) / c.plan.Alpha)
}
