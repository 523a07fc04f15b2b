package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// FromProxy is the name of the source that reads the proxy of the arms.
const FromProxy = mishap.ProxySource

// ArmsReader reads what a proxy counted of the arms of a run.
type ArmsReader interface {
	// Arms gives the closed buckets after a number, oldest first; 0 is all that
	// the proxy still has. Of units' first requests it gives those after so many.
	Arms(ctx context.Context, after uint64, trials int) (ArmsPage, error)
}

// Arms is what a proxy says of the arms of a run, and what it is told of them.
type Arms interface {
	ArmsReader
	ArmsTeller
}

// ArmsPage is a part of what a proxy counted.
type ArmsPage struct {
	Width   time.Duration // of a bucket
	Delay   time.Duration // how long after its end a bucket is closed at the latest
	Bounds  []float64     // of the latencies, in seconds
	Buckets []ArmsBucket
	More    bool            // there are others after these
	Units   mishap.ArmCount // units assigned so far
	NoKey   uint64          // requests so far that lacked what makes a unit
	InArms  uint64          // requests so far that had it
	Counts  *Counts         // but for Before and Since; nil: the proxy counts no units
}

// ArmsBucket is one bucket of both arms. A latency without bounds has those of
// its page, and an arm without one had no requests.
type ArmsBucket struct {
	Seq                 uint64 // 1 for the first; without gaps, but for what the proxy no longer has
	Start               time.Time
	Control, Experiment analysis.Arm
	Totals              Totals
}

// mostPages bounds one poll after a long pause.
const mostPages = 20

// Proxy is the arms of a run as the proxy at the edge counts them. Several
// metrics read them, each through a source of its own; a bucket is fetched once.
type Proxy struct {
	reader *proxyReader
	feed   *Feed
}

// NewProxy reads arms. So long after its end is a bucket closed at the latest;
// a proxy that says it is later is believed.
func NewProxy(arms Arms, delay time.Duration) *Proxy {
	p := &proxyReader{arms: arms, delay: delay}
	return &Proxy{reader: p, feed: NewFeed(p)}
}

// Source is a source of one metric.
func (p *Proxy) Source() Source { return p.feed.Tap() }

// Assigned is how many units were newly assigned since it was last asked.
func (p *Proxy) Assigned() mishap.ArmCount {
	r := p.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	n := mishap.ArmCount{Control: r.units.Control - r.told.Control, Experiment: r.units.Experiment - r.told.Experiment}
	r.told = r.units
	return n
}

// Keyless is how many requests lacked what makes a unit, of how many.
func (p *Proxy) Keyless() (n, of uint64) {
	r := p.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.noKey, r.noKey + r.inArms
}

// proxyReader is the source below the metrics of a proxy.
type proxyReader struct {
	arms Arms

	last   uint64    // the newest number
	end    time.Time // of that bucket
	bounds []float64

	mu     sync.Mutex // guards what others look at between the polls
	delay  time.Duration
	width  time.Duration
	units  mishap.ArmCount
	told   mishap.ArmCount
	noKey  uint64
	inArms uint64

	counts   *Counts // the newest; nil before the first page
	counting error   // why they are of no use
	trials   string
	injected time.Time
	before   Totals
	since    Totals
}

// Closed gives what is new, and says what the proxy no longer had.
func (r *proxyReader) Closed(ctx context.Context) ([]analysis.Bucket, error) {
	var all []analysis.Bucket
	var problems []error
	for range mostPages {
		page, err := r.arms.Arms(ctx, r.last, r.tried())
		if err != nil {
			problems = append(problems, fmt.Errorf("read arms of the proxy: %w: %w", ErrUnavailable, err))
			break
		}
		r.note(page)
		if err := r.clocks(page, time.Now()); err != nil {
			problems = append(problems, err)
			break
		}
		for _, b := range page.Buckets {
			bucket, err := r.take(page, b)
			if err != nil {
				problems = append(problems, err)
			}
			if bucket != nil {
				all = append(all, *bucket)
				r.counted(b)
			}
		}
		if !page.More || len(page.Buckets) == 0 {
			break
		}
	}
	return all, errors.Join(problems...)
}

// clocks refuses a page whose newest bucket is from the future, or older than
// the newest can be: what we do would seem to come before or after its effect.
// Its buckets are read and left out.
func (r *proxyReader) clocks(page ArmsPage, now time.Time) error {
	if len(page.Buckets) == 0 {
		return nil
	}
	first, newest := page.Buckets[0], page.Buckets[len(page.Buckets)-1]
	end := newest.Start.Add(page.Width)
	ahead, behind := end.Sub(now), now.Sub(end)-r.Delay()-page.Width
	if page.More {
		behind = 0 // there are newer ones
	}
	if max(ahead, behind) <= tolerated {
		return nil
	}
	r.last, r.end = newest.Seq, time.Time{}
	return &Gap{Start: first.Start, End: end, Err: fmt.Errorf("%w: the proxy's clock is %s apart from ours, and %s is tolerated; set both by NTP",
		analysis.ErrClocks, max(ahead, behind).Round(time.Millisecond), tolerated)}
}

// note keeps what a page says besides its buckets.
func (r *proxyReader) note(page ArmsPage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay, r.width = max(r.delay, page.Delay), page.Width
	r.noKey, r.inArms = page.NoKey, page.InArms
	r.units.Control, r.units.Experiment = max(r.units.Control, page.Units.Control), max(r.units.Experiment, page.Units.Experiment)
	if r.bounds == nil {
		r.bounds = slices.Clone(page.Bounds)
	}
	r.count(page)
}

// tried is how many first requests of units are known.
func (r *proxyReader) tried() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.trials)
}

func (r *proxyReader) counted(b ArmsBucket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total(b)
}

// take checks one bucket. The error may be about time before it, and then the
// bucket is there too.
func (r *proxyReader) take(page ArmsPage, b ArmsBucket) (*analysis.Bucket, error) {
	if b.Seq <= r.last {
		return nil, fmt.Errorf("read arms of the proxy: %w: bucket %d came after bucket %d", analysis.ErrOrder, b.Seq, r.last)
	}
	end := b.Start.Add(page.Width)
	var lost error
	switch missed := b.Seq - r.last - 1; {
	case missed > 0:
		since := r.end
		if since.IsZero() || since.After(b.Start) {
			since = b.Start.Add(-time.Duration(missed) * page.Width)
		}
		lost = &Gap{Start: since, End: b.Start, Err: fmt.Errorf("the proxy no longer has %s of the arms: it was asked too late", mishap.Plural(missed, "bucket"))}
	case b.Start.Before(r.end):
		r.last, r.end = b.Seq, end
		return nil, &Gap{Start: b.Start, End: end, Err: fmt.Errorf("%w: bucket %d of the proxy begins before the one before it ended", analysis.ErrOrder, b.Seq)}
	}
	r.last, r.end = b.Seq, end
	control, errControl := r.arm(page, b.Control)
	experiment, errExperiment := r.arm(page, b.Experiment)
	if err := errors.Join(errControl, errExperiment); err != nil {
		return nil, errors.Join(lost, &Gap{Start: b.Start, End: end, Err: err})
	}
	return &analysis.Bucket{Start: b.Start, Width: page.Width, Control: control, Experiment: experiment}, lost
}

// arm fills in the bounds, which must be those of the first page.
func (r *proxyReader) arm(page ArmsPage, a analysis.Arm) (analysis.Arm, error) {
	if a.Latency.Bounds == nil {
		a.Latency.Bounds = page.Bounds
	}
	if !slices.Equal(a.Latency.Bounds, r.bounds) {
		return a, fmt.Errorf("latencies of the proxy: %w", analysis.ErrScheme)
	}
	if len(r.bounds) > 0 && len(a.Latency.Counts) == 0 {
		a.Latency.Counts = make([]int64, len(r.bounds)+1)
	}
	return a, nil
}

// Delay is how late a bucket is at the latest.
func (r *proxyReader) Delay() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.delay
}

// Width is that of a bucket.
func (r *proxyReader) Width() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.width
}
