package metrics

import (
	"fmt"
	"maps"
	"slices"

	"mishap"
	"mishap/internal/analysis"
)

// byUnit are the units of an arm, in their order.
func (a *printedArm) byUnit(experiment bool) (all []analysis.Unit) {
	for _, name := range slices.Sorted(maps.Keys(a.Units)) {
		if a.Units[name] != nil { // else the bucket is refused
			all = append(all, analysis.Unit{Name: name, Experiment: experiment, Arm: a.Units[name].arm()})
		}
	}
	return all
}

// checkUnits refuses units that are not as the arm is, or do not add up to it.
func (r *lineReader) checkUnits(name string, a *printedArm) error {
	if a.Units == nil {
		if r.units {
			return fmt.Errorf("%w: %s has no units", ErrMissing, name)
		}
		return nil
	}
	var sum analysis.Arm
	counts := lineReader{needs: slices.DeleteFunc(slices.Clone(r.needs), func(k mishap.MetricKind) bool { return k == mishap.Gauge }), bounds: r.bounds}
	for _, unit := range slices.Sorted(maps.Keys(a.Units)) {
		of, place := a.Units[unit], fmt.Sprintf("%s, unit %q", name, unit)
		if of == nil || of.Units != nil || of.Gauge != nil {
			return fmt.Errorf("%w: %s has something else than counts", analysis.ErrBucket, place)
		}
		if err := counts.checkArm(place, of); err != nil {
			return err
		}
		if err := sumArm(&sum, of.arm()); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
	whole := a.arm()
	if sum.Requests != whole.Requests || sum.Successes != whole.Successes || sum.Events != whole.Events || above(sum.Latency, -1) != above(whole.Latency, -1) {
		return fmt.Errorf("%w: the units of %s do not add up to it", analysis.ErrBucket, name)
	}
	return nil
}
