package worlds

import (
	"time"

	"mishap"
)

// World is traffic, what is asked of it, and which verdicts are right.
type World struct {
	Name    string
	Harm    bool // the fault does harm beyond the margin, or nearly
	Traffic Traffic
	Asked   Asked
	// Wrong are the verdicts that are wrong, each in at most alpha of the runs.
	Wrong []mishap.Verdict
	// Right is the verdict that is reached in at least Mostly of the runs.
	Right  mishap.Verdict
	Mostly float64
	Why    string
	// Beyond is how much more of the requests of the experiment's own users have to fail for "held" to be wrong: the claim is
	// about them, and chance may have spared them. 0: it is wrong always.
	Beyond float64
}

// Asked is what the experiment's file says of the comparison.
type Asked struct {
	Success   float64       // margin, as a difference of shares; 0: not asked
	Latency   float64       // margin, as a ratio; 0: not asked
	Quantiles []float64     // of latency; none: as in a file that names none
	Events    float64       // margin, as a part; 0: not asked
	NoMargin  bool          // none of those: any harm stops, and nothing can be cleared
	Exposed   bool          // only what met the fault counts
	Targets   bool          // units are targets, which are all there from the beginning
	Baseline  time.Duration // 0: as long as it takes
	AtLeast   time.Duration
	For       time.Duration
	Alpha     float64
}

// withDefaults fills in what a file that says nothing means.
func (a Asked) withDefaults() Asked {
	if a.AtLeast == 0 {
		a.AtLeast = time.Minute
	}
	if a.For == 0 {
		a.For = 5 * time.Minute
	}
	if a.Alpha == 0 {
		a.Alpha = 0.01
	}
	return a
}

// with is the traffic with more changes.
func (t Traffic) with(changes ...Change) Traffic {
	t.Changes = append(t.Changes[:len(t.Changes):len(t.Changes)], changes...)
	return t
}

// at is the traffic at another rate.
func (t Traffic) at(rate float64) Traffic {
	t.Rate = rate
	return t
}

// adding is what visits have to fail more so that the share of all requests that fail grows by so much: a retry is a request too.
func (t Traffic) adding(more float64) float64 {
	k := float64(t.Retries)
	if k == 0 {
		return more
	}
	share := func(visits float64) float64 { return (k + 1) * visits / (1 + k*visits) }
	goal := share(usual) + more
	return goal/(k+1-k*goal) - usual
}

// usual is the share of visits that fails in most worlds.
const usual = 0.005

// All are the healthy worlds and the others.
func All() []World { return append(Healthy(), Harmed()...) }
