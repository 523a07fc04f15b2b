package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
	"mishap/internal/slots"
)

// counting is a source of units, as a comparison uses it.
type counting interface {
	metrics.Source
	metrics.Counted
	Injecting(ctx context.Context, at time.Time) error
	SetThresholds(ctx context.Context, all []metrics.Threshold) error
}

// failing are units that each had 10 requests, of which so many failed: c of control, e of the experiment.
func failing(start float64, of ...any) analysis.Bucket {
	b := analysis.Bucket{Start: at(start), Width: 10 * time.Second}
	for i := 0; i < len(of); i += 2 {
		name, failed := of[i].(string), int64(of[i+1].(int))
		arm, sum := analysis.Arm{Requests: 10, Successes: 10 - failed}, &b.Control
		if strings.HasPrefix(name, "e") {
			sum = &b.Experiment
		}
		sum.Requests, sum.Successes = sum.Requests+arm.Requests, sum.Successes+arm.Successes
		b.Units = append(b.Units, analysis.Unit{Name: name[1:], Experiment: strings.HasPrefix(name, "e"), Arm: arm})
	}
	return b
}

// byLabel makes a source that gives one bucket after the other.
func byLabel(m mishap.CompareMetric, targets int, buckets ...analysis.Bucket) (counting, *script) {
	s := &script{}
	for _, b := range buckets {
		s.steps = append(s.steps, step{buckets: []analysis.Bucket{b}})
	}
	return metrics.CountUnits(s, m, targets).(counting), s
}

func rate(unit string) mishap.CompareMetric {
	return mishap.CompareMetric{Name: "m", Metric: mishap.SuccessRate, Unit: unit, Margin: mishap.Margin{Difference: 0.01}}
}

// sums are what is counted of a row.
func sums(t *testing.T, s counting, row string) (slots.RowSums, slots.Snapshot) {
	t.Helper()
	c, err := s.Counted()
	if err != nil {
		t.Fatal(err)
	}
	r, there := c.Sums.Row(row)
	if !there {
		t.Fatalf("no row %q in %+v", row, c.Sums)
	}
	return r, c.Sums
}

func TestSlotsOfUsersAreCountedByArmAndTime(t *testing.T) {
	s, _ := byLabel(rate("slot"), 0,
		failing(0, "c0", 1, "c63", 0, "e0", 2), failing(10, "c0", 1, "e0", 3), // the baseline
		failing(20, "c0", 10, "e0", 10), // the faults go in at 25: of neither time
		failing(30, "c0", 0, "c63", 1, "e0", 4, "e1", 5), failing(40, "c0", 0, "c63", 0, "e0", 0, "e1", 5))
	if _, err := s.Counted(); !errors.Is(err, metrics.ErrUnavailable) {
		t.Errorf("before anything was read: %v", err)
	}
	closed(t, s)
	closed(t, s)
	if err := s.Injecting(t.Context(), at(25)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		closed(t, s)
	}
	row, all := sums(t, s, "m")
	if b := row.Control.Before; b.Units != 2 || b.N != 30 || b.Y != 2 {
		t.Errorf("control in the baseline: %+v", b)
	}
	if b := row.Experiment.Before; b.Units != 1 || b.N != 20 || b.Y != 5 {
		t.Errorf("the experiment in the baseline: %+v", b)
	}
	if m := row.Control.Since; m.Units != 2 || m.N != 40 || m.Y != 1 || m.N0 != 30 || m.Y0 != 2 {
		t.Errorf("control: %+v", m)
	}
	if m := row.Experiment.Since; m.Units != 2 || m.N != 40 || m.Y != 14 || m.YY != 16+100 || m.Y0 != 5 {
		t.Errorf("the experiment: %+v", m)
	}
	if len(row.Experiment.Few) != 2 || !all.Injected.Equal(at(30)) || !all.UpTo.Equal(at(50)) || all.MissingBefore != 10*time.Second || all.Missing != 0 || all.Slots != slots.Labels {
		t.Errorf("%+v", all)
	}
	if c, _ := s.Counted(); c.Since.Requests != (mishap.ArmCount{Control: 40, Experiment: 40}) || c.Since.Failed.Experiment != 14 || c.Before.Requests.Control != 30 {
		t.Errorf("totals %+v, %+v", c.Before, c.Since)
	}
}

// TestWhatNamesNoUnitIsRefusedAndMissing: a bucket with one wrong label is not counted at all, and its time is missing.
func TestWhatNamesNoUnitIsRefusedAndMissing(t *testing.T) {
	huge := failing(10, "c0", 0, "e0", 0)
	huge.Units[0].Arm.Requests = math.MaxUint32 + 1
	for name, c := range map[string]struct {
		bucket analysis.Bucket
		kind   error
		words  string
	}{
		"beyond 63":   {failing(10, "c64", 0, "e0", 0), metrics.ErrMissing, `slot is "64", and mishap.slot is a number from 0 to 63`},
		"a name":      {failing(10, "c0", 0, "epod-a", 0), metrics.ErrMissing, `slot is "pod-a"`},
		"not written": {failing(10, "c007", 0, "e0", 0), metrics.ErrMissing, `slot is "007"`},
		"too large":   {huge, analysis.ErrBucket, "slot 0 counted 4294967296"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := byLabel(rate("slot"), 0, failing(0, "c0", 0, "e0", 0), c.bucket, failing(20, "c0", 0, "e0", 0))
			closed(t, s)
			got, err := s.Closed(t.Context())
			complains(t, err, c.kind, c.words)
			var gap *metrics.Gap
			if !errors.As(err, &gap) || !gap.Start.Equal(at(10)) || len(got) > 0 {
				t.Errorf("gap %v, buckets %v", gap, got)
			}
			closed(t, s)
			row, all := sums(t, s, "m")
			if row.Control.Before.N != 20 || all.MissingBefore != 10*time.Second {
				t.Errorf("%+v", all)
			}
		})
	}
}

func TestALabelThatNamesNoTargetCountsNothingAnyMore(t *testing.T) {
	for name, c := range map[string]struct {
		bucket analysis.Bucket
		words  string
	}{
		"in both arms":    {failing(10, "ca", 0, "ea", 0), `instance "a" is in both arms, and so is no unit`},
		"too many values": {failing(10, "ca", 0, "cb", 0, "cc", 0, "ex", 0), "instance has more values in control than there are targets, which are 2"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := byLabel(rate("instance"), 2, failing(0, "ca", 0, "cb", 0, "ex", 0), c.bucket, failing(20, "ca", 0, "cb", 0, "ex", 0))
			closed(t, s)
			_, err := s.Closed(t.Context())
			complains(t, err, metrics.ErrNoUnits, c.words)
			_, err = s.Closed(t.Context())
			complains(t, err, metrics.ErrNoUnits, c.words)
			_, err = s.Counted()
			complains(t, err, metrics.ErrNoUnits, c.words)
		})
	}
}

// TestATargetThatIsGoneIsMissing: what it does not answer any more is counted by nobody, and must not look like health.
func TestATargetThatIsGoneIsMissing(t *testing.T) {
	s, _ := byLabel(rate("instance"), 2, failing(0, "ca", 0, "ex", 0), failing(10, "ca", 0, "cb", 0, "ex", 0, "ey", 0), failing(20, "ca", 0, "cb", 0, "ex", 0), failing(30, "ca", 0, "cb", 0, "ex", 0, "ey", 0))
	closed(t, s)
	_ = s.Injecting(t.Context(), at(10))
	closed(t, s) // one that is new is counted
	_, err := s.Closed(t.Context())
	complains(t, err, metrics.ErrMissing, `instance "y" is gone`)
	closed(t, s)
	row, all := sums(t, s, "m")
	if row.Experiment.Since.N != 50 || row.Experiment.Since.Units != 2 || all.Missing != 10*time.Second {
		t.Errorf("%+v", all)
	}
}

func TestTimeWithoutBucketsIsMissing(t *testing.T) {
	s, script := byLabel(rate("slot"), 0, failing(0, "c0", 0, "e0", 0))
	script.steps = append(script.steps, step{err: &metrics.Gap{Start: at(10), End: at(30), Err: analysis.ErrReset}}, step{buckets: []analysis.Bucket{failing(30, "c0", 0, "e0", 0)}})
	closed(t, s)
	_ = s.Injecting(t.Context(), at(10))
	_, err := s.Closed(t.Context())
	complains(t, err, analysis.ErrReset, "")
	closed(t, s)
	if _, all := sums(t, s, "m"); all.MissingBefore != 0 || all.Missing != 20*time.Second || !all.Injected.Equal(at(10)) { // though no bucket begins with it
		t.Errorf("%+v", all)
	}
	s, _ = byLabel(rate("slot"), 0, failing(0, "c0", 0, "e0", 0), failing(10, "c0", 0, "e0", 0), failing(40, "c0", 0, "e0", 0))
	_ = s.Injecting(t.Context(), at(10))
	for range 3 {
		closed(t, s)
	}
	if _, all := sums(t, s, "m"); all.MissingBefore != 0 || all.Missing != 20*time.Second {
		t.Errorf("%+v", all)
	}
}

// TestEventsThatCeaseDoNotTakeTheirSlotsAlong: the mean is over all slots of users, or what has no events would count as fewer users.
func TestEventsThatCeaseDoNotTakeTheirSlotsAlong(t *testing.T) {
	m := mishap.CompareMetric{Name: "m", Metric: mishap.EventRate, Unit: "slot", Harm: mishap.Decrease}
	b := analysis.Bucket{Start: noon, Width: 10 * time.Second, Units: []analysis.Unit{{Name: "5", Arm: analysis.Arm{Events: 7}}, {Name: "5", Experiment: true, Arm: analysis.Arm{Events: 2}}}}
	s, _ := byLabel(m, 0, b)
	_ = s.Injecting(t.Context(), noon)
	closed(t, s)
	row, _ := sums(t, s, "m")
	if c, e := row.Control.Since, row.Experiment.Since; c.Units != 64 || c.N != 64 || c.Y != 7 || c.YY != 49 || e.N != 64 || e.Y != 2 {
		t.Errorf("%+v", row)
	}
}

// TestSlowAnswersAreCountedBeyondBounds: of a histogram nothing is known between its bounds.
func TestSlowAnswersAreCountedBeyondBounds(t *testing.T) {
	m := mishap.CompareMetric{Name: "m", Metric: mishap.Latency, Unit: "slot", Quantiles: []mishap.Quantile{0.5}, Margin: mishap.Margin{Ratio: 2}}
	took := func(start float64, control, experiment []int64) analysis.Bucket {
		b := analysis.Bucket{Start: at(start), Width: 10 * time.Second}
		b.Control.Latency = analysis.Histogram{Bounds: []float64{0.1, 0.2}, Counts: control}
		b.Experiment.Latency = analysis.Histogram{Bounds: []float64{0.1, 0.2}, Counts: experiment}
		b.Units = []analysis.Unit{{Name: "0", Arm: b.Control}, {Name: "0", Experiment: true, Arm: b.Experiment}}
		return b
	}
	s, _ := byLabel(m, 0, took(0, []int64{9, 9, 9}, []int64{9, 9, 9}), took(10, []int64{5, 3, 2}, []int64{4, 3, 3}), took(20, []int64{6, 3, 1}, []int64{1, 4, 5}), took(30, []int64{6, 3, 1}, []int64{1, 4, 5, 0}))
	closed(t, s)
	limits := func(slow time.Duration) []metrics.Threshold {
		return []metrics.Threshold{{Row: "m p50", Control: 100 * time.Millisecond, Experiment: slow}}
	}
	complains(t, s.SetThresholds(t.Context(), limits(150*time.Millisecond)), nil, "are no bounds")
	if err := errors.Join(s.SetThresholds(t.Context(), limits(200*time.Millisecond)), s.SetThresholds(t.Context(), limits(200*time.Millisecond))); err != nil {
		t.Error(err)
	}
	complains(t, s.SetThresholds(t.Context(), limits(100*time.Millisecond)), nil, "fixed already")
	closed(t, s)
	_ = s.Injecting(t.Context(), at(20))
	closed(t, s)
	row, _ := sums(t, s, "m p50")
	if c, e := row.Control, row.Experiment; c.Before.N != 10 || c.Before.Y != 5 || e.Before.Y != 6 || c.Since.Y != 4 || e.Since.N != 10 || e.Since.Y != 5 {
		t.Errorf("%+v", row)
	}
	change, _ := sums(t, s, "m p50"+slots.Changed)
	if change.Control.Before.Y != 5 || change.Control.Since.Y != 1 || change.Experiment.Since.Y != 5 {
		t.Errorf("%+v", change)
	}
}

func TestACommandsUnitsAddUpToTheirArms(t *testing.T) {
	line := func(control string) string {
		return `{"start":"2026-05-04T12:00:00Z","width":"1s","control":` + control + `,"experiment":{"requests":5,"successes":4,"units":{"7":{"requests":5,"successes":4}}}}`
	}
	b, err := metrics.UnitLines(mishap.SuccessRate)(line(`{"requests":5,"successes":5,"units":{"9":{"requests":2,"successes":2},"1":{"requests":3,"successes":3}}}`), at(1))
	if err != nil || fmt.Sprintln(len(b.Units), b.Units[0].Name, b.Units[0].Arm.Requests, b.Units[2].Name, b.Units[2].Experiment) != "3 1 3 7 true\n" {
		t.Errorf("%+v, %v", b, err)
	}
	for name, c := range map[string]struct {
		control string
		kind    error
		words   string
	}{
		"none":           {`{"requests":5,"successes":5}`, metrics.ErrMissing, "control has no units"},
		"fewer":          {`{"requests":5,"successes":5,"units":{"1":{"requests":3,"successes":3}}}`, analysis.ErrBucket, "the units of control do not add up to it"},
		"half":           {`{"requests":5,"successes":5,"units":{"1":{"requests":5}}}`, metrics.ErrMissing, `control, unit "1" has no successes`},
		"null":           {`{"requests":5,"successes":5,"units":{"1":null}}`, analysis.ErrBucket, `control, unit "1" has something else than counts`},
		"units of units": {`{"requests":5,"successes":5,"units":{"1":{"requests":5,"successes":5,"units":{}}}}`, analysis.ErrBucket, "something else"},
		"negative":       {`{"requests":5,"successes":5,"units":{"1":{"requests":-5,"successes":-5},"2":{"requests":10,"successes":10}}}`, analysis.ErrBucket, "a count of -5"},
	} {
		b, err := metrics.UnitLines(mishap.SuccessRate)(line(c.control), at(1))
		if complains(t, err, c.kind, c.words); b != nil {
			t.Errorf("%s: %+v", name, b)
		}
	}
}
