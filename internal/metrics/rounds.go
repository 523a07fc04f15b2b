package metrics

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"mishap/internal/analysis"
)

// side is an arm.
type side int

const (
	control side = iota
	experiment
	neither // a sign of life of a target, which counts nothing
)

// sample is a running total of one series at one time.
type sample struct {
	target string // what is read as a whole, such as one instance
	series string // unique over all targets
	unit   string // what the label of units says; empty: nothing
	arm    side
	at     time.Time
	since  time.Time    // when the total was 0; zero: not known
	total  analysis.Arm // Successes of a series that counts failures are the failures
}

// rounds turns running totals of many series, each read at its own times, into
// buckets. A round is one reading of every series, and a bucket what was counted
// between two rounds. It closes when every series that was in the round before
// has been read again.
//
// Readings are sorted into windows of one interval, which begin where nothing is
// read usually: in the middle of the longest pause. Nothing is interpolated: if
// a reading is missing, what lies around it is a [*Gap].
type rounds struct {
	wait   time.Duration // after the end of a window, for what is not there yet
	settle time.Duration // after the last reading, for what comes in pieces
	skew   time.Duration // most that the readings of the arms may be apart
	sparse bool          // a series that its target leaves out has not changed
	finish func(analysis.Arm) (analysis.Arm, error)
	label  string // of units, whose counts are told apart; empty: none are

	given    time.Duration     // the interval, if it is said and not learnt
	interval time.Duration     // between readings; 0: not learnt yet
	was      time.Duration     // the interval before it is learnt anew
	cut      time.Time         // begin of the window
	floor    time.Time         // what was read before is not used
	mark     time.Time         // until here there are buckets, or gaps
	last     time.Time         // of the last round; zero: there is nothing to count from
	tracks   map[string]*track // by series
	expected map[string]bool   // what the next round waits for
	targets  map[string]bool   // that were in the last round
	bounds   []float64         // of latencies, as they were first
	lost     error             // why the next bucket is refused
	misses   int               // rounds in a row that lacked something
}

// track is one series.
type track struct {
	target  string
	unit    string
	arm     side
	known   bool     // it was seen before the current window
	base    *sample  // its reading in the last round; nil: it was not there
	pending []sample // after the cut, ascending
}

// relearnAfter is how many incomplete rounds in a row mean that readings come in
// another rhythm than they did.
const relearnAfter = 3

func newRounds() *rounds {
	return &rounds{tracks: map[string]*track{}, expected: map[string]bool{}, targets: map[string]bool{}, skew: tolerated,
		finish: func(a analysis.Arm) (analysis.Arm, error) { return a, nil }}
}

// awaited is what a round waits for: each series, or where series may be left
// out, each target.
func (r *rounds) awaited(target, series string) string {
	if r.sparse {
		return target
	}
	return series
}

// add takes a reading. It is late if its round is closed already, and again if
// it was added before; then nothing changes.
func (r *rounds) add(s sample) (late, again bool) {
	t := r.tracks[s.series]
	if t == nil {
		t = &track{target: s.target, unit: s.unit, arm: s.arm}
		r.tracks[s.series] = t
	}
	if !s.at.After(r.cut) {
		if t.base != nil && t.base.at.Equal(s.at) {
			return false, true
		}
		if t.base == nil && s.at.After(r.last) {
			r.expected[r.awaited(s.target, s.series)] = true // it joins the next round
		}
		t.known = t.known || !s.at.After(r.last)
		return true, false
	}
	i, found := slices.BinarySearchFunc(t.pending, s, func(a, b sample) int { return a.at.Compare(b.at) })
	if found {
		return false, true
	}
	t.pending = slices.Insert(t.pending, i, s)
	return false, false
}

// close gives the buckets that are closed by now, and what is missing.
func (r *rounds) close(now time.Time) (buckets []analysis.Bucket, problems []error) {
	for {
		if r.interval == 0 {
			if err := r.learn(); err != nil {
				return buckets, append(problems, err)
			}
			if r.interval == 0 {
				return buckets, problems
			}
		}
		now := now.Round(0)
		read := r.gather()
		missing := r.missing(read)
		over := !now.Before(r.cut.Add(r.interval + r.wait))
		if !over && (len(missing) > 0 || len(read) == 0 || now.Before(latest(read).Add(r.settle))) {
			return buckets, problems
		}
		bucket, err := r.round(read, missing)
		if err != nil {
			problems = append(problems, err)
		}
		if bucket != nil {
			buckets = append(buckets, *bucket)
		}
	}
}

// gather takes the last reading of each series in the window.
func (r *rounds) gather() map[string]sample {
	end := r.cut.Add(r.interval)
	read := map[string]sample{}
	for name, t := range r.tracks {
		for _, s := range t.pending {
			if s.at.After(end) {
				break
			}
			read[name] = s
		}
	}
	return read
}

// missing is what was expected and not read.
func (r *rounds) missing(read map[string]sample) []string {
	there := map[string]bool{}
	for name, s := range read {
		there[r.awaited(s.target, name)] = true
	}
	var all []string
	for _, one := range slices.Sorted(maps.Keys(r.expected)) {
		if !there[one] {
			all = append(all, one)
		}
	}
	return all
}

// round ends the window with what was read, and makes the bucket since the round
// before.
func (r *rounds) round(read map[string]sample, missing []string) (*analysis.Bucket, error) {
	if len(read) == 0 {
		return nil, r.skip()
	}
	at, first := latest(read), r.last.IsZero()
	bucket, err := r.count(read, missing, at)
	gap := &Gap{Start: r.mark, End: at, Err: err}
	r.advance(read, missing, at)
	switch {
	case first && gap.Start.IsZero():
		r.lost = nil
		return nil, nil // the first reading of all: from here on it is counted
	case first:
		r.lost = nil
		gap.Err = errors.New("numbers are counted anew from here on")
		return nil, gap
	case err != nil:
		return nil, gap
	}
	return bucket, nil
}

// skip ends a window in which nothing was read.
func (r *rounds) skip() error {
	end := r.cut.Add(r.interval)
	gap := &Gap{Start: r.mark, End: end, Err: fmt.Errorf("%w: nothing was read", ErrMissing)}
	begun := !r.mark.IsZero()
	r.forget()
	r.cut, r.last = end, time.Time{}
	r.missed()
	if !begun {
		return fmt.Errorf("%w: nothing was read until %s", ErrMissing, end.UTC().Format(time.TimeOnly))
	}
	r.mark = end
	return gap
}

// forget lets go of all readings that were counted from.
func (r *rounds) forget() {
	for _, t := range r.tracks {
		t.known, t.base = t.known || t.base != nil, nil
	}
	clear(r.targets)
}

// missed notes an incomplete round, and begins to learn after too many.
func (r *rounds) missed() {
	if r.misses++; r.misses >= relearnAfter {
		r.was, r.misses, r.interval, r.last = r.interval, 0, 0, time.Time{}
		r.forget()
		clear(r.expected)
	}
}

// restart forgets all readings, and begins to learn with those after a time.
func (r *rounds) restart(after time.Time) {
	r.was, r.misses, r.interval, r.last = orElse(r.interval, r.was), 0, 0, time.Time{}
	r.forget()
	clear(r.expected)
	for _, t := range r.tracks {
		t.pending = nil
	}
	r.cut, r.floor = after, after
}

// lose refuses the next bucket, because something of a target was lost.
func (r *rounds) lose(target string, why error) {
	r.lost = why
	for _, t := range r.tracks {
		if t.target == target {
			t.known, t.base = t.known || t.base != nil, nil
		}
	}
}

// advance makes the round what the next one is counted from.
func (r *rounds) advance(read map[string]sample, missing []string, at time.Time) {
	earliest, first := at, r.last.IsZero()
	clear(r.expected)
	clear(r.targets)
	for name, s := range read {
		r.expected[r.awaited(s.target, name)], r.targets[s.target] = true, true
		if s.at.Before(earliest) {
			earliest = s.at
		}
	}
	r.cut = at.Add(max(0, (r.interval-at.Sub(earliest))/2))
	for name, t := range r.tracks {
		s, ok := read[name]
		switch {
		case ok:
			t.known, t.base = true, &s
		case !r.sparse || !r.targets[t.target]:
			t.known, t.base = t.known || t.base != nil, nil
		}
		t.pending = slices.DeleteFunc(t.pending, func(s sample) bool { return !s.at.After(r.cut) })
	}
	r.last, r.mark = at, at
	switch {
	case len(missing) > 0:
		r.missed()
	case !first: // two complete rounds in a row
		r.misses = 0
	}
}
