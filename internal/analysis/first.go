package analysis

import (
	"fmt"
	"math"

	"mishap/internal/slots"
)

// first bets on users' first requests since the injection. Each is a trial whose
// arm is a fair coin that nothing earlier knows, so that it needs no
// asymptotics: a test martingale by betting (Waudby-Smith, Ramdas 2024). It is
// kept for harms on a grid, the margin among them.
type first struct {
	grid   []harmAt
	wealth [][stakes]float64 // per harm and stake
	log    [][stakes]float64 // what was taken out of wealth, so that it stays a number
	slots  int
	met    [2]float64 // trials of control and experiment
	failed [2]float64
}

// harmAt is a harm as its place on the claim's line, and as what it makes of a
// trial: E's failure counts 1/factor, and d is what may be left.
type harmAt struct{ t, factor, d float64 }

const stakes = 5

func stake(i int) float64 { return [stakes]float64{0.05, 0.2, 0.5, 0.8, 0.95}[i] }

func newFirst(c *claim, slots int) *first {
	f := &first{slots: slots}
	for _, t := range c.grid() {
		h := harmAt{t: t, factor: 1, d: t}
		if c.ratio {
			h.factor, h.d = c.factor(t), 0
		}
		f.grid = append(f.grid, h)
		one := [stakes]float64{1, 1, 1, 1, 1}
		f.wealth, f.log = append(f.wealth, one), append(f.log, [stakes]float64{})
	}
	return f
}

// take takes in trials in their order; all, or none if one cannot be.
func (f *first) take(trials string) error {
	var more [2]float64
	for i := range len(trials) {
		arm, _, err := trialOf(trials[i])
		if err != nil {
			return err
		}
		if more[arm]++; f.met[arm]+more[arm] > float64(f.slots) {
			return fmt.Errorf("%w: more first requests than slots", ErrBucket)
		}
	}
	for i := range len(trials) {
		arm, failed, _ := trialOf(trials[i])
		free := [2]float64{float64(f.slots) - f.met[0], float64(f.slots) - f.met[1]}
		f.trial(arm, failed, free[slots.Experiment]/(free[0]+free[1]))
	}
	return nil
}

func trialOf(mark byte) (arm slots.Arm, failed bool, err error) {
	switch mark | 0x20 {
	case slots.TrialControl:
		return slots.Control, mark < 'a', nil
	case slots.TrialExperiment:
		return slots.Experiment, mark < 'a', nil
	}
	return 0, false, fmt.Errorf("%w: trial %q", ErrBucket, mark)
}

// trial bets on one; q is the chance that it is of the experiment.
func (f *first) trial(arm slots.Arm, failed bool, q float64) {
	rho := min((f.failed[0]+f.failed[1])/(f.met[0]+f.met[1]+2), 0.5)
	y := 0.0
	if failed {
		y = 1
	}
	least := 2 * min(q, 1-q)
	for i, h := range f.grid {
		x := -(y - rho) / (2 * (1 - q))
		if arm == slots.Experiment {
			x = (y/h.factor - rho) / (2 * q)
		}
		most := 0.99 / (1 + max(h.d, 0)/2) // wealth stays above zero
		for k := range stakes {
			w := f.wealth[i][k] * (1 + min(stake(k), most)*least*(x-h.d/2))
			if w > 1e100 || w < 1e-100 {
				f.log[i][k] += math.Log(w)
				w = 1
			}
			f.wealth[i][k] = w
		}
	}
	f.met[arm]++
	f.failed[arm] += y
}

// logE is the log evidence that the harm is more than that of the grid's i.
func (f *first) logE(i int) float64 {
	var all [stakes]float64
	for k := range stakes {
		all[k] = math.Log(f.wealth[i][k]) + f.log[i][k]
	}
	return logMean(all[:]...)
}

// low is the largest harm that is shown to be exceeded, and whether the margin
// is. Beyond a harm of the grid it goes by the slope before it, which is the
// steeper one.
func (f *first) low(margin, level float64) (low float64, beyond, any bool) {
	was := 0.0
	for i, h := range f.grid {
		e := f.logE(i)
		if e < level {
			break
		}
		low, any = h.t, true
		beyond = beyond || h.t >= margin
		if i > 0 && i+1 < len(f.grid) && was > e {
			low += 0.999 * min((e-level)/(was-e)*(h.t-f.grid[i-1].t), f.grid[i+1].t-h.t)
		}
		was = e
	}
	return low, beyond, any
}

// grid is harms about the margin, ascending, the margin among them.
func (c *claim) grid() []float64 {
	points := []float64{-0.1, -0.05, -0.02, -0.01, 0, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
	if c.ratio {
		points = []float64{math.Log(0.5), math.Log(0.8), math.Log(0.9), 0, math.Log(1.05), math.Log(1.1), math.Log(1.2), math.Log(1.35), math.Log(1.5), math.Log(2), math.Log(3), math.Log(5), math.Log(10), math.Log(100)}
	}
	var all []float64
	added := false
	for _, p := range points {
		if !added && c.margin <= p {
			all, added = append(all, c.margin), true
		}
		if p != c.margin {
			all = append(all, p)
		}
	}
	if !added {
		all = append(all, c.margin)
	}
	return all
}
