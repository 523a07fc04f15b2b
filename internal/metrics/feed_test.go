package metrics_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

func TestAFeedAsksOnceForAllItsMetrics(t *testing.T) {
	s := &script{steps: []step{{buckets: []analysis.Bucket{bucket(0, 1), bucket(1, 2)}}, {buckets: []analysis.Bucket{bucket(2, 3)}}}}
	f := metrics.NewFeed(s)
	one, two := f.Tap(), f.Tap()
	for round, want := range [][]float64{{0, 1}, {2}, nil} {
		for _, tap := range []metrics.Source{one, two} {
			if got := starts(closed(t, tap)); !slices.Equal(got, want) {
				t.Errorf("round %d: buckets %v, want %v", round, got, want)
			}
		}
		if s.asked != round+1 {
			t.Errorf("asked %d times in %d rounds", s.asked, round+1)
		}
	}
	if one.Delay() != 3*time.Second || one.(metrics.Paced).Width() != time.Second {
		t.Error("delay and width are not the source's")
	}
}

func TestAFeedTellsEveryMetricOfAnError(t *testing.T) {
	down := errors.New("down")
	s := &script{steps: []step{{err: down}, {buckets: []analysis.Bucket{bucket(5, 1)}}}}
	f := metrics.NewFeed(s)
	one, two := f.Tap(), f.Tap()
	for _, tap := range []metrics.Source{one, two} {
		_, err := tap.Closed(t.Context())
		complains(t, err, down, "down")
	}
	if got := starts(closed(t, two)); !slices.Equal(got, []float64{5}) {
		t.Errorf("after the error: %v", got)
	}
}

func TestAMetricThatNeverAsksDoesNotFillTheMemory(t *testing.T) {
	s := &script{}
	for i := range 120 {
		var many []analysis.Bucket
		for k := range 100 {
			many = append(many, bucket(float64(i*100+k), 1))
		}
		s.steps = append(s.steps, step{buckets: many})
	}
	f := metrics.NewFeed(s)
	busy, idle := f.Tap(), f.Tap()
	for range 120 {
		closed(t, busy)
	}
	late, err := idle.Closed(t.Context())
	complains(t, err, nil, "waited too long")
	var gap *metrics.Gap
	if len(late) != 10_000 || !errors.As(err, &gap) || !gap.End.Equal(late[0].Start) {
		t.Errorf("%d buckets, gap %v", len(late), gap)
	}
}

func TestMergedBucketsHoldWhatTheirPartsHeld(t *testing.T) {
	two, four := 2.0, 4.0
	h := func(counts ...int64) analysis.Histogram {
		return analysis.Histogram{Bounds: []float64{1}, Counts: counts}
	}
	parts := []analysis.Bucket{
		{Start: at(0), Width: time.Second, Control: analysis.Arm{Requests: 3, Successes: 2, Events: 1, Latency: h(1, 2), Gauge: &two}},
		{Start: at(1), Width: 3 * time.Second, Control: analysis.Arm{Requests: 5, Successes: 5, Latency: h(5, 0), Gauge: &four}, Experiment: analysis.Arm{Gauge: &two}},
	}
	got, err := metrics.Merge(parts)
	if err != nil {
		t.Fatal(err)
	}
	c := got.Control
	if got.Width != 4*time.Second || c.Requests != 8 || c.Successes != 7 || c.Events != 1 || !slices.Equal(c.Latency.Counts, []int64{6, 2}) || *c.Gauge != 3.5 || got.Experiment.Gauge != nil {
		t.Errorf("merged: %+v, gauge %v", got, *c.Gauge)
	}
	if parts[0].Control.Latency.Counts[0] != 1 || *parts[0].Control.Gauge != 2 {
		t.Error("merging changed a part")
	}
	parts[1].Control.Latency.Bounds = []float64{2}
	_, err = metrics.Merge(parts)
	complains(t, err, analysis.ErrScheme, "")
	_, err = metrics.Merge([]analysis.Bucket{bucket(0, 1), bucket(2, 1)})
	complains(t, err, analysis.ErrOrder, "")
	_, err = metrics.Merge(nil)
	complains(t, err, analysis.ErrBucket, "")
}

func TestWidenedBucketsAreNeverCutShort(t *testing.T) {
	s := &script{steps: []step{
		{buckets: []analysis.Bucket{bucket(0, 1), bucket(1, 2), bucket(2, 4)}},
		{buckets: []analysis.Bucket{bucket(4, 8), bucket(5, 16)}}, // 3 to 4 is missing
	}}
	w := metrics.Widen(s, 2*time.Second)
	first := closed(t, w)
	if len(first) != 1 || first[0].Control.Requests != 3 || first[0].Width != 2*time.Second {
		t.Errorf("first: %+v", first)
	}
	second, err := w.Closed(t.Context())
	complains(t, err, nil, "a gap cuts short")
	if len(second) != 1 || second[0].Control.Requests != 24 || !second[0].Start.Equal(at(4)) {
		t.Errorf("second: %+v", second)
	}
	if w.(metrics.Paced).Width() != 2*time.Second || w.Delay() != 3*time.Second {
		t.Error("width or delay is wrong")
	}
}
