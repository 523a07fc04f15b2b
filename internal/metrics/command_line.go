package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// printed is a bucket as a command prints it.
type printed struct {
	Start      *time.Time       `json:"start"`
	Width      *mishap.Duration `json:"width"`
	Control    *printedArm      `json:"control"`
	Experiment *printedArm      `json:"experiment"`
}

// printedArm tells what is not said from zero.
type printedArm struct {
	Requests  *int64              `json:"requests"`
	Successes *int64              `json:"successes"`
	Events    *int64              `json:"events"`
	Latency   *analysis.Histogram `json:"latency"`
	Gauge     *json.Number        `json:"gauge"`

	Units map[string]*printedArm `json:"units"` // the same, unit by unit
}

// lineReader reads the lines of a command, one after the other.
type lineReader struct {
	needs  []mishap.MetricKind
	units  bool // a metric needs them
	delay  time.Duration
	quote  func(string) string
	number int       // of the last line
	end    time.Time // of the last bucket
	bounds []float64 // of latencies
}

// read reads a line that came now. Neither a bucket nor an error: it was empty.
// With both, the error is about the time before the bucket.
func (r *lineReader) read(text []byte, now time.Time) (*analysis.Bucket, time.Duration, error) {
	r.number++
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, 0, nil
	}
	var p printed
	if err := strictly(text, &p); err != nil {
		return nil, 0, fmt.Errorf("line %d of the command is not a bucket: %w: %s", r.number, err, r.quote(string(text)))
	}
	if p.Start == nil || p.Width == nil || p.Control == nil || p.Experiment == nil {
		return nil, 0, fmt.Errorf("line %d of the command is not a bucket: start, width, control or experiment is missing: %s", r.number, r.quote(string(text)))
	}
	b := analysis.Bucket{Start: *p.Start, Width: p.Width.Std(), Control: p.Control.arm(), Experiment: p.Experiment.arm()}
	b.Units = append(p.Control.byUnit(false), p.Experiment.byUnit(true)...)
	end, before := b.Start.Add(b.Width), r.end
	late := now.Sub(end)
	if err := r.check(p, b, now); err != nil {
		return nil, 0, &Gap{Start: b.Start, End: end, Err: fmt.Errorf("line %d of the command: %w", r.number, err)}
	}
	r.end = end
	if !before.IsZero() && b.Start.After(before) {
		return &b, late, &Gap{Start: before, End: b.Start, Err: fmt.Errorf("the command printed no bucket for it before line %d", r.number)}
	}
	return &b, late, nil
}

// check refuses a bucket that cannot be, or not now.
func (r *lineReader) check(p printed, b analysis.Bucket, now time.Time) error {
	end := b.Start.Add(b.Width)
	switch {
	case b.Width <= 0 || b.Width > 24*time.Hour:
		return fmt.Errorf("%w: a width of %s", analysis.ErrBucket, b.Width)
	case b.Start.Before(r.end):
		return fmt.Errorf("%w: it starts at %s, the bucket before ended at %s", analysis.ErrOrder, b.Start.Format(time.RFC3339Nano), r.end.Format(time.RFC3339Nano))
	case end.Sub(now) > tolerated:
		return fmt.Errorf("%w: it ends %s from now; a bucket is printed when it is over, and the clocks must agree", analysis.ErrClocks, end.Sub(now).Round(time.Millisecond))
	case now.Sub(end) > r.delay+tolerated:
		return fmt.Errorf("%w: it ended %s ago, and with.delay is %s; set that to what is usual, if the clocks agree", analysis.ErrClocks, now.Sub(end).Round(time.Millisecond), mishap.Duration(r.delay))
	}
	return errors.Join(r.checkArm("control", p.Control), r.checkArm("experiment", p.Experiment), r.checkUnits("control", p.Control), r.checkUnits("experiment", p.Experiment))
}

func (r *lineReader) checkArm(name string, a *printedArm) error {
	if lacks := a.lacks(r.needs); lacks != "" {
		return fmt.Errorf("%w: %s has no %s", ErrMissing, name, lacks)
	}
	arm := a.arm()
	for _, n := range append([]int64{arm.Requests, arm.Successes, arm.Events}, arm.Latency.Counts...) {
		if _, err := counted(n); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if a.Gauge != nil {
		if _, err := exactLevel(*a.Gauge); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if arm.Successes > arm.Requests {
		return fmt.Errorf("%w: %s has %d successes of %d requests", analysis.ErrBucket, name, arm.Successes, arm.Requests)
	}
	if a.Latency == nil {
		return nil
	}
	if err := checkHistogram(*a.Latency); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if r.bounds == nil {
		r.bounds = a.Latency.Bounds
	}
	if !slices.Equal(r.bounds, a.Latency.Bounds) {
		return fmt.Errorf("%s: %w: they were %v and are %v", name, analysis.ErrScheme, r.bounds, a.Latency.Bounds)
	}
	return nil
}

// lacks names what one of the metrics reads and the arm does not have.
func (a *printedArm) lacks(needs []mishap.MetricKind) string {
	for _, kind := range needs {
		switch {
		case kind == mishap.SuccessRate && a.Requests == nil:
			return "requests"
		case kind == mishap.SuccessRate && a.Successes == nil:
			return "successes"
		case kind == mishap.EventRate && a.Events == nil:
			return "events"
		case kind == mishap.Latency && a.Latency == nil:
			return "latency"
		case kind == mishap.Gauge && a.Gauge == nil:
			return "gauge"
		}
	}
	return ""
}

func (a *printedArm) arm() (arm analysis.Arm) {
	if a.Requests != nil {
		arm.Requests = *a.Requests
	}
	if a.Successes != nil {
		arm.Successes = *a.Successes
	}
	if a.Events != nil {
		arm.Events = *a.Events
	}
	if a.Latency != nil {
		arm.Latency = *a.Latency
	}
	if a.Gauge != nil {
		if level, err := exactLevel(*a.Gauge); err == nil { // else the bucket is refused
			arm.Gauge = &level
		}
	}
	return arm
}

// checkHistogram refuses bounds that do not ascend from above 0, and counts that
// do not fit them.
func checkHistogram(h analysis.Histogram) error {
	if len(h.Bounds) == 0 || len(h.Counts) != len(h.Bounds)+1 {
		return fmt.Errorf("%w: a latency with %d bounds and %d counts; there must be one count more", analysis.ErrBucket, len(h.Bounds), len(h.Counts))
	}
	last := 0.0
	for _, bound := range h.Bounds {
		if !(bound > last) || math.IsInf(bound, 1) {
			return fmt.Errorf("%w: a latency with bound %g after %g", analysis.ErrBucket, bound, last)
		}
		last = bound
	}
	if slices.Min(h.Counts) < 0 {
		return fmt.Errorf("%w: a latency with a count of %d", analysis.ErrBucket, slices.Min(h.Counts))
	}
	return nil
}

// strictly reads one JSON value that has no other keys.
func strictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return mishap.DecodeWhole(decoder, into)
}
