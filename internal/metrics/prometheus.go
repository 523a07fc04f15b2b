package metrics

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

const (
	firstLook    = 5 * time.Minute        // of the past, to learn how often series are scraped
	longestLook  = time.Hour              // of the past, after the server was away
	scrapeLimit  = 10 * time.Second       // Prometheus' own limit for a scrape, if none is set
	askedAtMost  = 200 * time.Millisecond // between two questions
	ingested     = 500 * time.Millisecond // until a scrape can be asked for
	asksPerRound = 20
	mostProblems = 5 // with single readings, that one poll tells of
)

// promCounts is a source of counters or histograms that Prometheus scrapes.
type promCounts struct {
	client *promClient
	asks   []ask
	shapes []shape // of the histograms, by ask
	grid   *grid   // bounds of native histograms; nil: not known yet
	proven bool    // the selector of failures is known to select what there is

	mu     sync.Mutex // guards what follows
	rounds *rounds
	asked  time.Time
	down   error             // why the last poll failed
	apart  bool              // the clocks were, at the last poll
	held   []analysis.Bucket // by Prepare
}

func newPromCounts(client *promClient, p prometheusParams, kind mishap.MetricKind, asks []ask) *promCounts {
	c := &promCounts{client: client, asks: asks, shapes: make([]shape, len(asks)), rounds: newRounds()}
	c.rounds.skew = p.Skew.Std()
	if kind == mishap.SuccessRate {
		c.rounds.finish = succeeded
	}
	return c
}

// succeeded turns requests and failures into successes.
func succeeded(a analysis.Arm) (analysis.Arm, error) {
	if a.Successes > a.Requests {
		return a, fmt.Errorf("%w: %d failures of %d requests: the one selects what the other does not", analysis.ErrBucket, a.Successes, a.Requests)
	}
	a.Successes = a.Requests - a.Successes
	return a, nil
}

// Prepare asks once, so that what is missing is said and the delay is known.
func (c *promCounts) Prepare(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	buckets, err := c.poll(ctx, time.Now())
	c.held = append(c.held, buckets...)
	return err
}

// Closed asks for what was scraped, as often as something new can be there.
func (c *promCounts) Closed(ctx context.Context) ([]analysis.Bucket, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	buckets, err := c.held, c.down
	c.held = nil
	if c.due(now) {
		var more []analysis.Bucket
		more, err = c.poll(ctx, now)
		buckets = append(buckets, more...)
	}
	return buckets, err
}

func (c *promCounts) due(now time.Time) bool {
	r := c.rounds
	pause := max(askedAtMost, r.interval/asksPerRound)
	if r.interval == 0 {
		pause = time.Second // nothing was learnt yet, and that takes a long look
	}
	if now.Sub(c.asked) < pause {
		return false
	}
	return r.last.IsZero() || !now.Before(r.last.Add(r.interval-c.client.params.Tolerance.Std()))
}

// poll asks all that is asked, and makes buckets of the answers. If one answer
// is lacking nothing changes: the next poll asks for the same time again. What
// was scraped while the clocks were apart is not used.
func (c *promCounts) poll(ctx context.Context, now time.Time) ([]analysis.Bucket, error) {
	c.asked = now
	all, problems, err := c.ask(ctx, now)
	if c.down = err; err != nil {
		c.apart = c.apart || errors.Is(err, analysis.ErrClocks)
		return nil, err
	}
	if c.apart {
		c.apart = false
		c.rounds.restart(now)
	}
	for _, s := range all {
		c.rounds.add(s)
	}
	c.rounds.wait = min(orElse(c.rounds.interval, scrapeLimit), scrapeLimit) + ingested
	buckets, more := c.rounds.close(time.Now())
	if c.rounds.interval == 0 && len(problems)+len(more) == 0 {
		problems = append(problems, fmt.Errorf("%w: it has not been scraped twice yet", ErrMissing))
	}
	return buckets, errors.Join(append(problems, more...)...)
}

// ask asks all that is asked.
func (c *promCounts) ask(ctx context.Context, now time.Time) (all []sample, problems []error, err error) {
	look := firstLook
	if c.rounds.interval > 0 {
		look = min(now.Sub(c.rounds.cut)+2*c.client.params.Tolerance.Std(), longestLook)
	}
	labels := map[string]bool{} // of requests
	for i, a := range c.asks {
		samples, names, err := c.read(ctx, i, look)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", a.path, err)
		}
		if a.role == requests {
			for name := range names {
				labels[name] = true
			}
		}
		if err := c.plausible(a, len(samples), labels); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", a.path, err)
		}
		for _, s := range samples {
			switch {
			case s.err == nil:
				all = append(all, s.sample)
			case s.at.After(c.rounds.cut) && len(problems) < mostProblems:
				problems = append(problems, s.err)
			}
		}
	}
	return all, problems, nil
}

// plausible refuses a selection that finds nothing, unless it is one of failures
// among requests that are there: no failure is good news, a wrong name is none.
func (c *promCounts) plausible(a ask, found int, labels map[string]bool) error {
	switch {
	case found > 0:
		c.proven = c.proven || a.role == failures
		return nil
	case a.role != failures:
		if c.rounds.interval > 0 {
			return nil // the rounds say what is missing since when
		}
		return fmt.Errorf("%w: no series of %s, or nothing was observed yet", ErrMissing, a.pick)
	case c.proven:
		return nil
	}
	for _, other := range c.asks {
		if other.role == requests && other.pick.name != a.pick.name {
			return fmt.Errorf("%w: no series of %s; a counter that begins with its first failure cannot be told from a wrong name: "+
				"let it begin at 0, or write failures as a part of the requests, such as %s{code=~\"5..\"}", ErrMissing, a.pick, other.pick.name)
		}
	}
	for _, m := range a.pick.matchers {
		if !labels[m.label] && m.label != "__name__" {
			return fmt.Errorf("%w: no series of %s, and the requests have no label %q", ErrMissing, a.pick, m.label)
		}
	}
	return nil
}

// Delay is until the last scrape of a round must be in; it is learnt.
func (c *promCounts) Delay() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rounds.interval == 0 {
		return 0
	}
	return c.rounds.interval/2 + c.rounds.wait + max(askedAtMost, c.rounds.interval/asksPerRound)
}

// Width is the scrape interval; it is learnt.
func (c *promCounts) Width() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rounds.interval
}

// Close lets go of the connection.
func (c *promCounts) Close() error {
	c.client.close()
	return nil
}

func orElse[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}
