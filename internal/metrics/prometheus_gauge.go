package metrics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"mishap/internal/analysis"
)

const (
	usualStepOfGauge = 15 * time.Second
	levelsAtOnce     = 20 // readings of one call, after the server was away
)

// promGauge is a source of levels: at the end of each step an expression is
// evaluated, once the scrapes of that moment are in.
type promGauge struct {
	client *promClient
	asks   []ask
	step   time.Duration
	settle time.Duration

	mu    sync.Mutex // guards what follows
	next  time.Time  // end of the next bucket
	asked time.Time
	down  error // why the server did not answer
}

func newPromGauge(client *promClient, p prometheusParams, asks []ask) *promGauge {
	return &promGauge{client: client, asks: asks, step: orElse(p.Step.Std(), usualStepOfGauge), settle: p.Tolerance.Std()}
}

// Prepare evaluates the expression as of now.
func (g *promGauge) Prepare(ctx context.Context) error {
	_, err := g.levels(ctx, time.Now().Add(-g.settle))
	return err
}

// Closed evaluates the expression for every step that is over. If the server
// does not answer, the next call asks for the same steps.
func (g *promGauge) Closed(ctx context.Context) ([]analysis.Bucket, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.next.IsZero() {
		g.next = now.Truncate(g.step).Add(g.step).Round(0)
	}
	var buckets []analysis.Bucket
	var problems []error
	if oldest := now.Add(-longestLook); g.next.Before(oldest) {
		skipped := oldest.Sub(g.next).Truncate(g.step) + g.step
		problems = append(problems, &Gap{Start: g.next.Add(-g.step), End: g.next.Add(skipped - g.step), Err: fmt.Errorf("%w for too long", ErrUnavailable)})
		g.next = g.next.Add(skipped)
	}
	if now.Sub(g.asked) < askedAtMost {
		return nil, errors.Join(append(problems, g.down)...)
	}
	for range levelsAtOnce {
		if now.Before(g.next.Add(g.settle)) {
			break
		}
		g.asked = now
		levels, err := g.levels(ctx, g.next)
		if g.down = nil; errors.Is(err, ErrUnavailable) {
			g.down = err
			return buckets, errors.Join(append(problems, err)...)
		}
		start := g.next.Add(-g.step)
		if err != nil {
			problems = append(problems, &Gap{Start: start, End: g.next, Err: err})
		} else {
			buckets = append(buckets, analysis.Bucket{Start: start, Width: g.step, Control: analysis.Arm{Gauge: levels[control]}, Experiment: analysis.Arm{Gauge: levels[experiment]}})
		}
		g.next = g.next.Add(g.step)
	}
	return buckets, errors.Join(problems...)
}

// levels are those of both arms at a time: exactly one number each.
func (g *promGauge) levels(ctx context.Context, at time.Time) (levels [2]*float64, err error) {
	for _, a := range g.asks {
		series, err := g.client.query(ctx, a.text, at)
		if err != nil {
			return levels, fmt.Errorf("%s: %w", a.path, err)
		}
		for _, one := range series {
			arm, ok := a.armOf(one.Metric)
			switch {
			case !ok:
				continue
			case levels[arm] != nil:
				return levels, fmt.Errorf("%s: it gives several numbers for one arm; let it aggregate, such as avg by (%s) (…)", a.path, orElse(a.label, "arm"))
			case one.Value == nil:
				return levels, fmt.Errorf("%s: it gives something else than one number for an arm", a.path)
			}
			_, v, err := readValue(*one.Value)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return levels, fmt.Errorf("%s: %w: it gives %s, which is not a number", a.path, ErrMissing, one.Value[1])
			}
			levels[arm] = &v
		}
	}
	for arm, name := range []string{"control", "experiment"} {
		if levels[arm] == nil {
			return levels, fmt.Errorf("%w: there is no number of the %s arm", ErrMissing, name)
		}
	}
	return levels, nil
}

// Delay is until the scrapes of the moment are in.
func (g *promGauge) Delay() time.Duration { return g.settle + askedAtMost }

// Width is the step.
func (g *promGauge) Width() time.Duration { return g.step }

// Close lets go of the connection.
func (g *promGauge) Close() error {
	g.client.close()
	return nil
}
