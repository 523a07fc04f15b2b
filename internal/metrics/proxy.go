package metrics

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// ArmsReader reads what a proxy counted of its arms.
type ArmsReader interface {
	// Arms gives the closed buckets after a number, oldest first.
	Arms(ctx context.Context, after uint64) (ArmsPage, error)
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
	InArms  uint64          // requests so far that were in one of the arms
}

// ArmsBucket is one bucket of both arms.
type ArmsBucket struct {
	Seq                 uint64 // without gaps, but for what the proxy no longer has
	Start               time.Time
	Control, Experiment analysis.Arm
}

// mostPages bounds one poll after a long pause.
const mostPages = 20

// Proxy is the arms of a run as the proxy at the edge counts them. Several
// metrics read them through sources of their own; each bucket is fetched once.
type Proxy struct {
	reader ArmsReader

	mu      sync.Mutex
	last    uint64
	delay   time.Duration
	units   mishap.ArmCount
	told    mishap.ArmCount // units that were told of
	noKey   uint64
	inArms  uint64
	sources []*proxySource
}

// NewProxy reads arms. So long it takes at most until a bucket is closed.
func NewProxy(reader ArmsReader, delay time.Duration) *Proxy {
	return &Proxy{reader: reader, delay: delay}
}

// Source is a source of one metric.
func (p *Proxy) Source() Source {
	s := &proxySource{proxy: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources = append(p.sources, s)
	return s
}

// Assigned is how many units were newly assigned since it was last asked.
func (p *Proxy) Assigned() mishap.ArmCount {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := mishap.ArmCount{Control: p.units.Control - p.told.Control, Experiment: p.units.Experiment - p.told.Experiment}
	p.told = p.units
	return n
}

// Keyless is how many requests lacked what makes a unit, of how many.
func (p *Proxy) Keyless() (n, of uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.noKey, p.noKey + p.inArms
}

// fetch takes what is new to all sources. What the proxy had no room for is
// lost, and said: its time counts as missing.
func (p *Proxy) fetch(ctx context.Context) error {
	for range mostPages {
		page, err := p.reader.Arms(ctx, p.last)
		if err != nil {
			return err
		}
		p.units, p.noKey, p.inArms = page.Units, page.NoKey, page.InArms
		for _, b := range page.Buckets {
			if p.last > 0 && b.Seq > p.last+1 {
				err = fmt.Errorf("the proxy no longer has %s of the arms before %s: it was asked too late", time.Duration(b.Seq-p.last-1)*page.Width, b.Start.Format(time.TimeOnly))
			}
			p.last = b.Seq
			for _, s := range p.sources {
				s.waiting = append(s.waiting, analysis.Bucket{Start: b.Start, Width: page.Width, Control: b.Control, Experiment: b.Experiment})
			}
		}
		if err != nil || !page.More {
			return err
		}
	}
	return nil
}

// proxySource is one metric's view of the arms.
type proxySource struct {
	proxy   *Proxy
	waiting []analysis.Bucket
}

// Closed gives the buckets that have closed since the last call.
func (s *proxySource) Closed(ctx context.Context) ([]analysis.Bucket, error) {
	s.proxy.mu.Lock()
	defer s.proxy.mu.Unlock()
	err := s.proxy.fetch(ctx)
	out := s.waiting
	s.waiting = nil
	return out, err
}

// Delay is how late a bucket is at the latest.
func (s *proxySource) Delay() time.Duration { return s.proxy.delay }
