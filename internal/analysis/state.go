package analysis

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// stateVersion changes when older states can no longer be read.
const stateVersion = 1

type savedState struct {
	Version int       `json:"version"`
	Plan    Plan      `json:"plan"`
	Begun   time.Time `json:"begun,omitzero"`
	Split   [2]int64  `json:"split"`
	SplitE  float64   `json:"splitE"`
	Outcome Decision  `json:"outcome,omitzero"`
	Streams []*stream `json:"streams"`
}

// MarshalJSON writes the whole state: plan, evidence, what was learnt, and the
// decision.
func (c *Comparison) MarshalJSON() ([]byte, error) {
	return json.Marshal(savedState{stateVersion, c.plan, c.begun, c.split, c.splitE, c.outcome, c.streams})
}

// UnmarshalJSON reads what [Comparison.MarshalJSON] wrote. What follows is bit
// for bit what it would have been without. Anything else is [ErrState].
func (c *Comparison) UnmarshalJSON(data []byte) error {
	var plan struct {
		Version int
		Plan    Plan
		Streams []json.RawMessage
	}
	if err := json.Unmarshal(data, &plan); err != nil {
		return fmt.Errorf("read comparison: %w: %w", ErrState, err)
	}
	if plan.Version != stateVersion {
		return fmt.Errorf("read comparison: %w: version %d, not %d", ErrState, plan.Version, stateVersion)
	}
	fresh, err := New(plan.Plan)
	if err != nil {
		return fmt.Errorf("read comparison: %w: %w", ErrState, err)
	}
	if len(plan.Streams) != len(fresh.streams) {
		return fmt.Errorf("read comparison: %w: %d streams for %d metrics", ErrState, len(plan.Streams), len(fresh.streams))
	}
	var s savedState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read comparison: %w: %w", ErrState, err)
	}
	for i, stream := range fresh.streams { // decoded into what New made
		if err := json.Unmarshal(plan.Streams[i], stream); err != nil {
			return fmt.Errorf("read comparison: %w: metric %d: %w", ErrState, i, err)
		}
		if !stream.sound() {
			return fmt.Errorf("read comparison: %w: metric %d does not fit the plan", ErrState, i)
		}
	}
	fresh.begun, fresh.split, fresh.splitE, fresh.outcome = s.Begun, s.Split, s.SplitE, s.Outcome
	*c = *fresh
	return nil
}

// sound reports whether what was read fits the metric. It finds what would
// make the code fail, not what somebody wrote into the evidence.
func (s *stream) sound() bool {
	fresh := newStream(s.metric, Plan{Share: 0.5}, 0)
	for _, pair := range [][2]bool{
		{s.Failures != nil, fresh.Failures != nil}, {s.Events != nil, fresh.Events != nil},
		{s.Latencies != nil, fresh.Latencies != nil}, {s.Symmetric != nil, fresh.Symmetric != nil},
	} {
		if pair[0] != pair[1] {
			return false
		}
	}
	h, stake := s.evidence().harm()
	switch {
	case len(h.Mixture.LogA) != len(stake.logW) || !s.Totals.Control.soundTotal() || !s.Totals.Experiment.soundTotal(), s.Covered < 0:
		return false
	case s.Failures != nil:
		f, g := s.Failures, fresh.Failures
		return len(f.Clear.LogA) == len(g.Clear.LogA) && min(f.ControlFailed, f.Failed) >= 0 && f.ControlTrials >= f.ControlFailed && f.Trials >= f.Failed
	case s.Events != nil:
		return len(s.Events.Clear.LogA) == len(fresh.Events.Clear.LogA)
	case s.Symmetric != nil:
		y := s.Symmetric
		return len(y.Clear.LogA) == len(fresh.Symmetric.Clear.LogA) && y.Width >= 0 && min(y.Squares, y.Blocks, y.BaseN, y.BaseSquares) >= 0 && (y.BaseN == 0 || y.BaseWidth > 0)
	}
	return s.Latencies.sound()
}

// soundTotal reports whether a total is one of sound buckets; it may be larger
// than any of them.
func (a Arm) soundTotal() bool {
	a.Requests, a.Successes, a.Events = min(a.Requests, mostCount), min(a.Successes, mostCount), min(a.Events, mostCount)
	h := Histogram{Bounds: a.Latency.Bounds}
	for _, n := range a.Latency.Counts {
		h.Counts = append(h.Counts, min(n, mostCount))
	}
	a.Latency = h
	return a.check() == nil
}

func (l *latencies) sound() bool {
	if len(l.Clear.LogA) != len(rocs()) {
		return false
	}
	if l.Bounds == nil {
		return l.Learned == nil && l.Used == nil
	}
	h := Histogram{Bounds: l.Bounds, Counts: make([]int64, len(l.Bounds)+1)}
	if h.check() != nil || len(l.Learned) != len(h.Counts) || l.Used != nil && len(l.Used) != len(h.Counts) {
		return false
	}
	for _, n := range append(append([]float64(nil), l.Learned...), l.Used...) {
		if !(n >= 0) || math.IsInf(n, 0) {
			return false
		}
	}
	return true
}
