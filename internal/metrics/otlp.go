package metrics

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"

	"mishap"
	"mishap/internal/analysis"
)

const (
	mostSeries  = 50_000 // of one metric
	mostPending = 1000   // points of one series that wait for their round
)

// otlpSource is a source of metrics that the receiver gets.
type otlpSource struct {
	receiver *Receiver
	run      string
	params   otlpParams
	asks     []ask

	mu       sync.Mutex // guards what follows
	rounds   *rounds
	attached bool
	closed   bool
	grids    map[float64]*grid        // by unit
	totals   map[string]*accumulation // of series with delta temporality
	exported map[string]time.Time     // by target: the end of its newest delta
	targets  map[string]bool          // that have something to read
	seen     map[role]bool
	others   bool // points of other runs came
	problems []error
	dropped  int
}

// accumulation makes a running total of deltas.
type accumulation struct {
	since time.Time
	end   time.Time
	total analysis.Arm
}

func newOTLPSource(d Deps, p otlpParams, kind mishap.MetricKind, asks []ask) *otlpSource {
	s := &otlpSource{receiver: d.Receiver, run: d.Run, params: p, asks: asks, rounds: newRounds(),
		grids: map[float64]*grid{}, totals: map[string]*accumulation{}, exported: map[string]time.Time{}, targets: map[string]bool{}, seen: map[role]bool{}}
	r := s.rounds
	r.sparse, r.given, r.wait, r.settle, r.skew = true, p.Interval.Std(), p.Wait.Std(), inPieces, p.Skew.Std()
	switch kind {
	case mishap.SuccessRate:
		r.finish = succeeded
	case mishap.Gauge:
		r.finish = averaged
	}
	return s
}

// averaged turns the sum of levels, and how many they are, into their mean.
func averaged(a analysis.Arm) (analysis.Arm, error) {
	if a.Events == 0 || a.Gauge == nil {
		return a, fmt.Errorf("%w: an arm has no level", ErrMissing)
	}
	mean := *a.Gauge / float64(a.Events)
	return analysis.Arm{Gauge: &mean}, nil
}

// Prepare begins to receive; it cannot wait for what will come.
func (s *otlpSource) Prepare(context.Context) error { return s.attach() }

// attach begins to receive.
func (s *otlpSource) attach() error {
	s.mu.Lock()
	attached, closed := s.attached, s.closed
	s.attached = s.attached || s.receiver != nil
	s.mu.Unlock()
	switch {
	case closed:
		return fmt.Errorf("%w: it was closed", ErrOver)
	case s.receiver == nil:
		return mishap.WithHint(fmt.Errorf("%w: no metrics are received here", ErrOver), "give the settings an address for OTLP, such as "+UsualReceiver)
	case !attached:
		s.receiver.attach(s) // outside of the lock, which the receiver takes inside of its own
	}
	return nil
}

// Closed gives the buckets whose exports have all come.
func (s *otlpSource) Closed(context.Context) ([]analysis.Bucket, error) {
	if err := s.attach(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	problems := s.problems
	if s.dropped > 0 {
		problems = append(problems, fmt.Errorf("%d points more were refused", s.dropped))
	}
	s.problems, s.dropped = nil, 0
	buckets, more := s.rounds.close(time.Now())
	problems = append(problems, more...)
	if s.rounds.interval == 0 && len(problems) == 0 {
		problems = append(problems, s.silent())
	}
	return buckets, errors.Join(problems...)
}

// silent says what is waited for.
func (s *otlpSource) silent() error {
	for _, a := range s.asks {
		switch {
		case s.seen[a.role]:
		case s.others:
			return fmt.Errorf("%w: points of %s came, but none has %s=%q; let the system copy it from the baggage, or set anyRun", ErrMissing, a.pick, s.params.Run, s.run)
		case a.role != failures:
			return fmt.Errorf("%w: no points of %s with %s have come yet", ErrMissing, a.pick, s.params.Arms.Label)
		}
	}
	return fmt.Errorf("%w: it has not been exported twice yet", ErrMissing)
}

// take takes what it reads out of an export.
func (s *otlpSource) take(export *collector.ExportMetricsServiceRequest, now time.Time) (refused int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.points(export) {
		problem := s.file(p, now)
		if problem == nil || p.arm == neither {
			continue
		}
		refused, err = refused+1, problem
		s.note(problem)
	}
	return refused, err
}

// note keeps a problem for the next call of Closed.
func (s *otlpSource) note(err error) {
	if len(s.problems) >= mostProblems {
		s.dropped++
		return
	}
	s.problems = append(s.problems, err)
}

// file puts one point into its round, or says why it is refused. One that came
// before is not refused, and changes nothing.
func (s *otlpSource) file(p point, now time.Time) error {
	if p.err != nil {
		return p.err
	}
	s.seen[p.role] = true
	t := s.rounds.tracks[p.series]
	switch late := now.Sub(p.at); {
	case late < -s.params.Tolerance.Std():
		return fmt.Errorf("%s: %w: a point is %s from the future; set the clocks of exporter and mishap by NTP", p.series, analysis.ErrClocks, (-late).Round(time.Millisecond))
	case late > max(s.rounds.wait, s.rounds.interval)+s.rounds.wait+s.params.Tolerance.Std():
		return fmt.Errorf("%s: %w: a point came %s after its time; exporters must be quicker, or the clocks agree", p.series, analysis.ErrOrder, late.Round(time.Millisecond))
	case t == nil && len(s.rounds.tracks) >= mostSeries:
		return fmt.Errorf("%s: there are more than %d series; aggregate before exporting", p.series, mostSeries)
	case t != nil && len(t.pending) >= mostPending:
		return fmt.Errorf("%s: exported too often", p.series)
	}
	if p.delta {
		again, err := s.accumulate(&p)
		if err != nil || again {
			return err
		}
	}
	if p.arm == neither && p.at.After(s.exported[p.target]) {
		s.exported[p.target] = p.at
	}
	if late, again := s.rounds.add(p.sample); late && !again && p.arm != neither {
		return fmt.Errorf("%s: %w: a point came after its bucket was closed", p.series, analysis.ErrOrder)
	}
	return nil
}

// accumulate turns a delta into a running total. An export that was lost between
// makes all totals of its target begin anew.
func (s *otlpSource) accumulate(p *point) (again bool, err error) {
	a := s.totals[p.series]
	switch {
	case a != nil && p.at.Equal(a.end):
		return true, nil
	case a != nil && p.at.Before(a.end):
		return false, fmt.Errorf("%s: %w: a delta until %s came after one until %s", p.series, analysis.ErrOrder, p.at.Format(time.RFC3339Nano), a.end.Format(time.RFC3339Nano))
	case a != nil && p.since.Before(a.end):
		return false, fmt.Errorf("%s: %w: a delta begins at %s, the one before ended at %s", p.series, analysis.ErrOrder, p.since.Format(time.RFC3339Nano), a.end.Format(time.RFC3339Nano))
	}
	const slack = 100 * time.Millisecond // between the metrics of one export
	if end, ok := s.exported[p.target]; ok && p.since.After(end.Add(slack)) {
		for name, t := range s.rounds.tracks {
			if t.target == p.target {
				delete(s.totals, name)
			}
		}
		s.rounds.lose(p.target, fmt.Errorf("%w: an export of %s was lost between %s and %s", ErrMissing, p.target, end.UTC().Format(time.TimeOnly), p.since.UTC().Format(time.TimeOnly)))
		a = nil
	}
	if p.at.After(s.exported[p.target]) {
		s.exported[p.target] = p.at
	}
	if a == nil {
		a = &accumulation{since: p.since}
		s.totals[p.series] = a
	}
	if err := sumArm(&a.total, p.total); err != nil {
		delete(s.totals, p.series)
		s.rounds.lose(p.target, fmt.Errorf("%s: %w", p.series, err))
		return false, err
	}
	a.end = p.at
	p.total, p.since = own(a.total), a.since
	return false, nil
}

// Delay is until the exports of a round must have come.
func (s *otlpSource) Delay() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return orElse(s.rounds.interval, s.rounds.given)/2 + s.rounds.wait + s.rounds.settle
}

// Width is the interval of exports; if it is not said it is learnt.
func (s *otlpSource) Width() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return orElse(s.rounds.interval, s.rounds.given)
}

// Close ends receiving.
func (s *otlpSource) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if s.receiver != nil {
		s.receiver.detach(s)
	}
	return nil
}
