package metrics

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mishap/internal/analysis"
)

// count makes the bucket from the last round to this one.
func (r *rounds) count(read map[string]sample, missing []string, at time.Time) (*analysis.Bucket, error) {
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: %s was not read", ErrMissing, several(missing))
	}
	if r.last.IsZero() {
		return nil, nil
	}
	if lost := r.lost; lost != nil {
		r.lost = nil
		return nil, lost
	}
	if err := r.apart(read); err != nil {
		return nil, err
	}
	var arms [neither + 1]analysis.Arm
	units := r.units(read)
	for _, name := range slices.Sorted(maps.Keys(read)) {
		s := read[name]
		delta, err := r.delta(name, s)
		if err == nil {
			err = errors.Join(sumArm(&arms[s.arm], delta), r.addUnit(units, name, s, delta))
		}
		if err != nil {
			return nil, err
		}
	}
	if r.bounds == nil {
		r.bounds = orBounds(arms[control], arms[experiment])
	}
	c, errC := r.finish(arms[control])
	e, errE := r.finish(arms[experiment])
	if err := errors.Join(errC, errE, r.bound(&c), r.bound(&e)); err != nil {
		return nil, err
	}
	all, err := r.finishUnits(units)
	if err != nil {
		return nil, err
	}
	return &analysis.Bucket{Start: r.last, Width: at.Sub(r.last), Control: c, Experiment: e, Units: all}, nil
}

// bound refuses a histogram with other bounds than the first one of all.
func (r *rounds) bound(a *analysis.Arm) error {
	switch {
	case a.Latency.IsZero() && r.bounds != nil:
		a.Latency = analysis.Histogram{Bounds: r.bounds, Counts: make([]int64, len(r.bounds)+1)}
	case !slices.Equal(r.bounds, a.Latency.Bounds):
		return fmt.Errorf("%w: they were %v and are %v", analysis.ErrScheme, r.bounds, a.Latency.Bounds)
	}
	return nil
}

// orBounds are the bounds of the first arm that has some.
func orBounds(arms ...analysis.Arm) []float64 {
	for _, a := range arms {
		if !a.Latency.IsZero() {
			return a.Latency.Bounds
		}
	}
	return nil
}

// delta is what a series counted since the last round.
func (r *rounds) delta(name string, s sample) (analysis.Arm, error) {
	t := r.tracks[name]
	switch began := s.since.After(r.last.Add(-r.interval)); {
	case t.base != nil && !s.since.Equal(t.base.since):
		return analysis.Arm{}, fmt.Errorf("%s: %w: it began anew at %s", name, analysis.ErrReset, s.since.UTC().Format(time.TimeOnly))
	case t.base != nil:
		delta, err := s.total.Since(t.base.total)
		if err != nil {
			return delta, fmt.Errorf("%s: %w", name, err)
		}
		return delta, nil
	case began:
		return s.total, nil
	case t.known:
		return analysis.Arm{}, fmt.Errorf("%w: %s was away and has come back", ErrMissing, name)
	case r.targets[s.target]:
		return s.total, nil // it was not there when its target was read before: it began at 0
	default:
		return analysis.Arm{}, fmt.Errorf("%w: %s has joined, and what it counted before is not known", ErrMissing, s.target)
	}
}

// apart refuses arms that are read at different times: a moment that is bad for
// both would be harm to the one that is read after it.
func (r *rounds) apart(read map[string]sample) error {
	var times [neither + 1][]time.Time
	var there [neither + 1]bool
	for _, s := range read {
		times[s.arm], there[s.arm] = append(times[s.arm], s.at), true
	}
	for _, t := range r.tracks {
		there[t.arm] = there[t.arm] || r.sparse && t.base != nil
	}
	for arm, name := range []string{"control", "experiment"} {
		if !there[arm] {
			return fmt.Errorf("%w: there are no numbers of the %s arm", ErrMissing, name)
		}
	}
	if len(times[control]) == 0 || len(times[experiment]) == 0 {
		return nil
	}
	worst := max(furthest(times[control], times[experiment]), furthest(times[experiment], times[control]))
	if worst > r.skew {
		return fmt.Errorf("%w: they are read %s apart, and %s is tolerated: what is bad for both at one moment would look like harm to one; "+
			"read both arms from the same processes, read more often, or accept it by setting skew", analysis.ErrClocks, worst.Round(time.Millisecond), r.skew)
	}
	return nil
}

// furthest is the longest from one of the times to the nearest of the others.
func furthest(times, others []time.Time) (worst time.Duration) {
	for _, t := range times {
		nearest := time.Duration(1<<63 - 1)
		for _, o := range others {
			nearest = min(nearest, t.Sub(o).Abs())
		}
		worst = max(worst, nearest)
	}
	return worst
}

func latest(read map[string]sample) (at time.Time) {
	for _, s := range read {
		if s.at.After(at) {
			at = s.at
		}
	}
	return at
}

// several names some of many.
func several(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// sumArm adds one series to an arm; bounds must be those of the others.
func sumArm(sum *analysis.Arm, a analysis.Arm) error {
	if !a.Latency.IsZero() && sum.Latency.IsZero() {
		sum.Latency = analysis.Histogram{Bounds: a.Latency.Bounds, Counts: make([]int64, len(a.Latency.Counts))}
	}
	sum.Requests += a.Requests
	sum.Successes += a.Successes
	sum.Events += a.Events
	for _, n := range []int64{sum.Requests, sum.Successes, sum.Events} {
		if _, err := counted(n); err != nil {
			return fmt.Errorf("the sum of the series: %w", err)
		}
	}
	if a.Gauge != nil { // levels are counted, so that they can be averaged
		level := *a.Gauge
		if sum.Gauge != nil {
			level += *sum.Gauge
		}
		sum.Gauge = &level
		sum.Events++
	}
	if a.Latency.IsZero() {
		return nil
	}
	if !slices.Equal(sum.Latency.Bounds, a.Latency.Bounds) {
		return fmt.Errorf("%w: series of one arm have different ones", analysis.ErrScheme)
	}
	for i, n := range a.Latency.Counts {
		sum.Latency.Counts[i] += n
	}
	return nil
}
