package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mishap/internal/analysis"
)

// Merge makes one bucket of several that follow each other without a gap:
// counts are added, and a gauge is the mean over the time, if all have it.
// Bounds that differ are [analysis.ErrScheme].
func Merge(buckets []analysis.Bucket) (analysis.Bucket, error) {
	if len(buckets) == 0 {
		return analysis.Bucket{}, fmt.Errorf("merge buckets: %w: there are none", analysis.ErrBucket)
	}
	sum := buckets[0]
	sum.Control, sum.Experiment = own(sum.Control), own(sum.Experiment)
	for _, b := range buckets[1:] {
		if end := sum.Start.Add(sum.Width); !b.Start.Equal(end) {
			return analysis.Bucket{}, fmt.Errorf("merge buckets: %w: one starts at %s, the one before ends at %s",
				analysis.ErrOrder, b.Start.Format(time.RFC3339Nano), end.Format(time.RFC3339Nano))
		}
		if err := errors.Join(addArm(&sum.Control, b.Control, sum.Width, b.Width), addArm(&sum.Experiment, b.Experiment, sum.Width, b.Width)); err != nil {
			return analysis.Bucket{}, fmt.Errorf("merge buckets: %w", err)
		}
		sum.Width += b.Width
	}
	return sum, nil
}

// own is an arm that shares nothing that changes with another.
func own(a analysis.Arm) analysis.Arm {
	a.Latency.Counts = slices.Clone(a.Latency.Counts)
	return a
}

// addArm adds what an arm did during more to what it did during so long.
func addArm(sum *analysis.Arm, a analysis.Arm, so, more time.Duration) error {
	sum.Requests += a.Requests
	sum.Successes += a.Successes
	sum.Events += a.Events
	if sum.Gauge != nil && a.Gauge != nil {
		mean := (*sum.Gauge*so.Seconds() + *a.Gauge*more.Seconds()) / (so + more).Seconds()
		sum.Gauge = &mean
	} else {
		sum.Gauge = nil // the mean of a part is not that of the whole
	}
	if !slices.Equal(sum.Latency.Bounds, a.Latency.Bounds) || len(sum.Latency.Counts) != len(a.Latency.Counts) {
		return analysis.ErrScheme
	}
	for i, n := range a.Latency.Counts {
		sum.Latency.Counts[i] += n
	}
	return nil
}

// Widen merges the buckets of a source until they cover width, to the nearest
// bucket: scrapes come a little early and late. What a gap cuts short is dropped
// and said: widths stay alike, as blocks of a gauge need it.
func Widen(s Source, width time.Duration) Source { return &wide{source: s, width: width} }

type wide struct {
	source Source
	width  time.Duration
	part   []analysis.Bucket
}

// Closed gives the wide buckets that are full.
func (w *wide) Closed(ctx context.Context) ([]analysis.Bucket, error) {
	buckets, err := w.source.Closed(ctx)
	var all []analysis.Bucket
	for _, b := range buckets {
		if n := len(w.part); n > 0 && !w.part[n-1].Start.Add(w.part[n-1].Width).Equal(b.Start) {
			err = errors.Join(err, w.drop(errors.New("a bucket that a gap cuts short is not used")))
		}
		w.part = append(w.part, b)
		if b.Start.Add(b.Width).Sub(w.part[0].Start)+b.Width/2 <= w.width {
			continue
		}
		merged, problem := Merge(w.part)
		if problem != nil {
			err = errors.Join(err, w.drop(problem))
			continue
		}
		all, w.part = append(all, merged), nil
	}
	return all, err
}

// drop forgets the part of a bucket that there is.
func (w *wide) drop(why error) error {
	last := w.part[len(w.part)-1]
	gap := &Gap{Start: w.part[0].Start, End: last.Start.Add(last.Width), Err: why}
	w.part = nil
	return gap
}

// Delay is the source's: a bucket closes with its last part.
func (w *wide) Delay() time.Duration { return w.source.Delay() }

// Width is at least that of the source.
func (w *wide) Width() time.Duration { return max(w.width, widthOf(w.source)) }

// Prepare prepares the source.
func (w *wide) Prepare(ctx context.Context) error { return prepare(ctx, w.source) }

// Close closes the source.
func (w *wide) Close() error { return closeSource(w.source) }
