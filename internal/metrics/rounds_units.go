package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"mishap/internal/analysis"
)

// unitSums are what units did since the last round.
type unitSums map[unitKey]*analysis.Arm

type unitKey struct {
	unit string
	arm  side
}

// units are those whose series have not changed, if their targets leave out what
// has not; nil if units are not told apart.
func (r *rounds) units(read map[string]sample) unitSums {
	if r.label == "" {
		return nil
	}
	all, there := unitSums{}, map[string]bool{}
	for _, s := range read {
		there[s.target] = true
	}
	for _, t := range r.tracks {
		if r.sparse && t.base != nil && t.arm != neither && there[t.target] {
			all[unitKey{t.unit, t.arm}] = &analysis.Arm{}
		}
	}
	return all
}

// addUnit adds what a series counted to its unit.
func (r *rounds) addUnit(units unitSums, name string, s sample, delta analysis.Arm) error {
	if r.label == "" || s.arm == neither {
		return nil
	}
	if s.unit == "" {
		return fmt.Errorf("%w: %s has no label %q, and so is of no unit", ErrMissing, name, r.label)
	}
	key := unitKey{s.unit, s.arm}
	if units[key] == nil {
		units[key] = &analysis.Arm{}
	}
	return sumArm(units[key], delta)
}

// finishUnits makes of sums what a bucket has, in their order.
func (r *rounds) finishUnits(units unitSums) ([]analysis.Unit, error) {
	var all []analysis.Unit
	for key, sum := range units {
		arm, err := r.finish(*sum)
		if err = errors.Join(err, r.bound(&arm)); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.label, key.unit, err)
		}
		all = append(all, analysis.Unit{Name: key.unit, Experiment: key.arm == experiment, Arm: arm})
	}
	slices.SortFunc(all, func(a, b analysis.Unit) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}
