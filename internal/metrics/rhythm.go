package metrics

import (
	"fmt"
	"slices"
	"time"

	"mishap/internal/analysis"
)

// unequal is how much longer the longest interval may be than the shortest.
const unequal = 1.25

// learn finds out how often series are read, and where a window begins. It needs
// two readings of a series; until then there is no interval.
func (r *rounds) learn() error {
	var steps []time.Duration
	newest := time.Time{}
	for _, t := range r.tracks {
		if n := len(t.pending); n > 0 && t.pending[n-1].at.After(newest) {
			newest = t.pending[n-1].at
		}
		if step := usualStep(t.pending); step > 0 && r.believable(step, len(t.pending)-1) {
			steps = append(steps, step)
		}
	}
	switch {
	case newest.IsZero():
		return nil
	case r.given > 0:
		steps = []time.Duration{r.given}
	case len(steps) == 0:
		return nil
	}
	slices.Sort(steps)
	shortest, longest := steps[0], steps[len(steps)-1]
	if float64(longest) > unequal*float64(shortest) {
		return fmt.Errorf("%w: some numbers are read every %s, others every %s; read all equally often", analysis.ErrClocks,
			shortest.Round(time.Millisecond), longest.Round(time.Millisecond))
	}
	r.interval = steps[len(steps)/2]
	r.begin(newest)
	return nil
}

// begin sets the window to the last one that should be complete.
func (r *rounds) begin(newest time.Time) {
	var phases []time.Duration // since the reading, at the newest time
	for name, t := range r.tracks {
		if n := len(t.pending); n > 0 && newest.Sub(t.pending[n-1].at) < 2*r.interval {
			phases = append(phases, newest.Sub(t.pending[n-1].at)%r.interval)
			r.expected[r.awaited(t.target, name)] = true
		}
	}
	slices.Sort(phases)
	r.cut = newest.Add(-pause(phases, r.interval)).Add(-r.interval)
	if r.cut.Before(r.mark) || r.cut.Before(r.floor) || len(r.missing(r.gather())) > 0 {
		r.cut = r.cut.Add(r.interval)
	}
	for _, t := range r.tracks {
		before := len(t.pending)
		t.pending = slices.DeleteFunc(t.pending, func(s sample) bool { return !s.at.After(r.cut) })
		t.known = t.known || len(t.pending) < before
	}
}

// pause is the middle of the longest pause between sorted phases of a circle.
func pause(phases []time.Duration, circle time.Duration) time.Duration {
	longest, middle := time.Duration(-1), time.Duration(0)
	for i, phase := range phases {
		next := phases[(i+1)%len(phases)]
		if i == len(phases)-1 {
			next += circle
		}
		if next-phase > longest {
			longest, middle = next-phase, (phase+next)/2
		}
	}
	return middle % circle
}

// fewSteps is how many steps between readings do not show yet what is usual.
const fewSteps = 3

// believable refuses a step that is longer than what was usual before, if it was
// seen but a few times: then readings are missing.
func (r *rounds) believable(step time.Duration, seen int) bool {
	return r.was == 0 || seen >= fewSteps || float64(step) <= unequal*float64(r.was)
}

// usualStep is the time between readings; 0 if there are not two. It is the
// median, or the shortest of a few, of which some may be missing.
func usualStep(samples []sample) time.Duration {
	var steps []time.Duration
	for i := 1; i < len(samples); i++ {
		steps = append(steps, samples[i].at.Sub(samples[i-1].at))
	}
	slices.Sort(steps)
	switch n := len(steps); {
	case n == 0:
		return 0
	case n < fewSteps:
		return steps[0]
	default:
		return steps[(n-1)/2]
	}
}
