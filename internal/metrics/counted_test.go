package metrics_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/metrics"
	"mishap/internal/slots"
)

func counts(trials string) *metrics.Counts {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &metrics.Counts{Sums: slots.Snapshot{Began: began, Trials: trials}, UnderWay: mishap.ArmCount{Control: 1}}
}

func TestWhatIsCountedOfUnitsIsReadOnceAndKeptTogether(t *testing.T) {
	r := &ring{first: 1, last: 3, page: 2, counts: counts("cE")}
	p := metrics.NewProxy(r, time.Second)
	s := p.Source()
	if _, err := p.Counted(); !errors.Is(err, metrics.ErrUnavailable) {
		t.Errorf("before it was asked: %v", err)
	}
	closed(t, s)
	if err := p.Injecting(t.Context(), r.start(4)); err != nil {
		t.Fatal(err)
	}
	r.last, r.counts = 5, counts("cEe")
	closed(t, s)
	c, err := s.(metrics.Counted).Counted()
	if err != nil || c.Sums.Trials != "cEe" || c.Sums.TrialsFrom != 0 || c.UnderWay.Control != 1 {
		t.Errorf("counted %+v, %v", c, err)
	}
	if c.Before.Requests.Control != 30 || c.Since.Requests != (mishap.ArmCount{Control: 20, Experiment: 40}) || c.Since.Refused.Experiment != 6 || c.Since.Limited.Experiment != 2 {
		t.Errorf("totals before %+v, since %+v", c.Before, c.Since)
	}
	if err := p.SetThresholds(t.Context(), []metrics.Threshold{{Row: "p50", Control: 1, Experiment: 2}}); err != nil || len(r.thresholds) != 1 {
		t.Errorf("thresholds %v, %v", r.thresholds, err)
	}
}

func TestAProxyOfAnEarlierVersionCannotDecideAndSaysSo(t *testing.T) {
	p := metrics.NewProxy(&ring{first: 1, last: 3, page: 9}, time.Second)
	closed(t, p.Source())
	if _, err := p.Counted(); !errors.Is(err, metrics.ErrOldProxy) || !errors.Is(err, metrics.ErrNoUnits) || !strings.Contains(err.Error(), "let it start anew") {
		t.Error(err)
	}
}

func TestCountsThatBeganAnewAreLostForGood(t *testing.T) {
	r := &ring{first: 1, last: 3, page: 9, counts: counts("c")}
	p := metrics.NewProxy(r, time.Second)
	s := p.Source()
	closed(t, s)
	r.last, r.counts = 4, counts("")
	r.counts.Sums.Began = r.counts.Sums.Began.Add(time.Second)
	closed(t, s)
	r.last, r.counts = 5, counts("c")
	closed(t, s)
	if _, err := p.Counted(); !errors.Is(err, metrics.ErrBegunAnew) {
		t.Error(err)
	}
}

// TestASourceOfArmsAloneCountsNoUnits: what feeds several metrics says what its source says.
func TestASourceOfArmsAloneCountsNoUnits(t *testing.T) {
	s := metrics.NewFeed(&script{}).Tap()
	if _, err := s.(metrics.Counted).Counted(); !errors.Is(err, metrics.ErrNoUnits) {
		t.Error(err)
	}
}
