package metrics_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

const beat = 200 * time.Millisecond

// ring is a proxy's memory of arms, whose newest bucket has just closed.
type ring struct {
	first, last uint64 // numbers that it has
	page        int    // buckets in one answer
	bounds      []float64
	units       mishap.ArmCount
	shift       time.Duration // of its clock
	err         error
	asked       int
	origin      time.Time

	counts     *metrics.Counts // with all trials
	thresholds []metrics.Threshold
}

func (r *ring) Arms(_ context.Context, after uint64, trials int) (metrics.ArmsPage, error) {
	r.asked++
	if r.err != nil {
		return metrics.ArmsPage{}, r.err
	}
	p := metrics.ArmsPage{Width: beat, Delay: 2 * time.Second, Bounds: r.bounds, Units: r.units, NoKey: 3, InArms: 7}
	if r.counts != nil {
		c := *r.counts
		c.Sums.TrialsFrom = min(trials, len(c.Sums.Trials))
		c.Sums.Trials = c.Sums.Trials[c.Sums.TrialsFrom:]
		p.Counts = &c
	}
	for seq := max(after+1, r.first); seq <= r.last; seq++ {
		if p.More = len(p.Buckets) == r.page; p.More {
			break
		}
		arm := analysis.Arm{Requests: int64(seq), Successes: int64(seq)}
		p.Buckets = append(p.Buckets, metrics.ArmsBucket{Seq: seq, Start: r.start(seq), Control: arm, Experiment: arm,
			Totals: metrics.Totals{Requests: mishap.ArmCount{Control: 10, Experiment: 20}, Refused: mishap.ArmCount{Experiment: 3}, Limited: mishap.ArmCount{Experiment: 1}}})
	}
	return p, nil
}

func (r *ring) SetThresholds(_ context.Context, all []metrics.Threshold) error {
	r.thresholds = all
	return r.err
}

func (r *ring) SetInjecting(_ context.Context, at time.Time) (time.Time, error) { return at, r.err }

// start is when a bucket began: all of them not long ago.
func (r *ring) start(seq uint64) time.Time {
	if r.origin.IsZero() {
		r.origin = time.Now().Round(0).Add(-3 * time.Second)
	}
	return r.origin.Add(time.Duration(seq)*beat + r.shift)
}

func requests(buckets []analysis.Bucket) (all []int64) {
	for _, b := range buckets {
		all = append(all, b.Control.Requests)
	}
	return all
}

func TestTheProxyGivesEachBucketOnceToEachMetric(t *testing.T) {
	r := &ring{first: 1, last: 5, page: 2, bounds: []float64{0.1, 1}}
	p := metrics.NewProxy(r, time.Second)
	rate, latency := p.Source(), p.Source()
	for _, s := range []metrics.Source{rate, latency} {
		got := closed(t, s)
		if !slices.Equal(requests(got), []int64{1, 2, 3, 4, 5}) {
			t.Errorf("buckets %v", requests(got))
		}
		if b := got[0]; b.Width != beat || !slices.Equal(b.Control.Latency.Bounds, r.bounds) || len(b.Experiment.Latency.Counts) != 3 {
			t.Errorf("bucket %+v", b)
		}
	}
	if r.asked != 3 {
		t.Errorf("asked %d times for three pages", r.asked)
	}
	r.last = 6
	if got := requests(closed(t, rate)); !slices.Equal(got, []int64{6}) {
		t.Errorf("then %v", got)
	}
	if rate.Delay() != 2*time.Second {
		t.Errorf("delay %s is not what the proxy says", rate.Delay())
	}
}

func TestUnitsAreToldOnce(t *testing.T) {
	r := &ring{page: 9, units: mishap.ArmCount{Control: 5, Experiment: 6}}
	p := metrics.NewProxy(r, time.Second)
	closed(t, p.Source())
	if got := p.Assigned(); got != r.units {
		t.Errorf("assigned %v", got)
	}
	if got := p.Assigned(); got != (mishap.ArmCount{}) {
		t.Errorf("assigned again %v", got)
	}
	if n, of := p.Keyless(); n != 3 || of != 10 {
		t.Errorf("%d of %d without a key", n, of)
	}
}

func TestBucketsThatTheProxyNoLongerHasAreMissingTime(t *testing.T) {
	r := &ring{first: 1, last: 2, page: 9}
	s := metrics.NewProxy(r, time.Second).Source()
	closed(t, s)
	r.first, r.last = 8, 9
	got, err := s.Closed(t.Context())
	if !slices.Equal(requests(got), []int64{8, 9}) {
		t.Errorf("after the gap %v", requests(got))
	}
	complains(t, err, nil, "are missing: the proxy no longer has 5 buckets")
	var gap *metrics.Gap
	if !errors.As(err, &gap) || gap.End.Sub(gap.Start) != 5*beat {
		t.Errorf("gap %v", gap)
	}
	early := metrics.NewProxy(&ring{first: 4, last: 4, page: 9}, time.Second).Source()
	_, err = early.Closed(t.Context())
	complains(t, err, nil, "600ms from ")
}

func TestWhatAProxyCannotMeanIsRefused(t *testing.T) {
	r := &ring{first: 1, last: 2, page: 9, bounds: []float64{1}}
	s := metrics.NewProxy(r, time.Second).Source()
	closed(t, s)
	r.last, r.bounds = 3, []float64{2}
	got, err := s.Closed(t.Context())
	complains(t, err, analysis.ErrScheme, "200ms from ")
	if len(got) > 0 {
		t.Errorf("other bounds: %v", got)
	}
	r.last, r.bounds, r.shift = 4, []float64{1}, -time.Second
	got, err = s.Closed(t.Context())
	complains(t, err, analysis.ErrOrder, "begins before")
	if len(got) > 0 {
		t.Errorf("back in time: %v", got)
	}
}

func TestAProxyThatIsDownIsAskedAgain(t *testing.T) {
	r := &ring{first: 1, last: 2, page: 9, err: errors.New("connection refused")}
	s := metrics.NewProxy(r, time.Second).Source()
	_, err := s.Closed(t.Context())
	complains(t, err, metrics.ErrUnavailable, "connection refused")
	r.err = nil
	if got := requests(closed(t, s)); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("after it came back: %v", got)
	}
}

func TestMetricsOfTheProxyAreChecked(t *testing.T) {
	if _, err := build(metrics.Deps{}, "proxy", mishap.Gauge, object{"url": "x"}); !slices.Equal(problems(err), []string{"metric", "with.url"}) {
		t.Errorf("problems %v", err)
	}
	s, err := build(metrics.Deps{}, "proxy", mishap.SuccessRate, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Closed(t.Context())
	complains(t, err, metrics.ErrOver, "do not come from a proxy")
}

func TestAProxyWhoseClockIsAnotherIsRefusedUntilTheyAgree(t *testing.T) {
	for _, shift := range []time.Duration{-time.Minute, time.Minute} {
		r := &ring{first: 1, last: 3, page: 9, shift: shift}
		s := metrics.NewProxy(r, time.Second).Source()
		got, err := s.Closed(t.Context())
		complains(t, err, analysis.ErrClocks, "apart from ours, and 2s is tolerated")
		var gap *metrics.Gap
		if len(got) > 0 || !errors.As(err, &gap) || gap.End.Sub(gap.Start) != 3*beat {
			t.Errorf("%s: buckets %v, gap %v", shift, got, gap)
		}
		r.last, r.shift = 4, 0
		if got := requests(closed(t, s)); !slices.Equal(got, []int64{4}) {
			t.Errorf("%s: then %v", shift, got)
		}
	}
}
