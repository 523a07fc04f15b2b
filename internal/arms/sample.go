// Package arms draws the two arms of a comparison from one group of targets.
package arms

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrFew is a group that is too small for two arms.
var ErrFew = errors.New("too few targets for two arms")

// Sample draws n targets for the experiment and n others for control. Who is
// drawn depends on the seed and on which targets there are, not on their order,
// and stays the same in all versions: targets are ranked by a hash of seed and
// name, and the first n are the experiment. A target that is listed twice is one
// target. Both arms come back sorted.
func Sample(matched []string, n int, seed uint64) (experiment, control []string, err error) {
	all := slices.Compact(slices.Sorted(slices.Values(matched)))
	switch {
	case n < 1:
		return nil, nil, fmt.Errorf("draw arms: an arm of %d targets compares nothing; it needs at least 1", n)
	case n > len(all)/2:
		return nil, nil, fmt.Errorf("draw arms: %w: %d matched, and two arms of %d need %d; match more, or pick at most %d",
			ErrFew, len(all), n, 2*uint64(n), len(all)/2)
	}
	rank := make(map[string][sha256.Size]byte, len(all))
	for _, target := range all {
		rank[target] = sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), target...))
	}
	slices.SortFunc(all, func(a, b string) int {
		x, y := rank[a], rank[b]
		if c := slices.Compare(x[:], y[:]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	experiment, control = slices.Clone(all[:n]), slices.Clone(all[n:2*n])
	slices.Sort(experiment)
	slices.Sort(control)
	return experiment, control, nil
}
