package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mishap"
	proxyfault "mishap/injectors/proxy"
	"mishap/internal/catalog"
	"mishap/internal/comparison"
	sources "mishap/internal/metrics"
	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// watchMet is how long a proxy goes on noting who met a fault when nobody asks any more.
const watchMet = 30 * time.Second

// expose lets a comparison know which requests met the faults, where that can be
// told.
func expose(c *catalog.Catalog, o *comparison.Options, e mishap.Experiment, edge armsReader) error {
	x := proxyfault.ExposureOf(e)
	if o.Unexposed = x.Unknown; !x.Known() {
		return nil
	}
	for _, name := range x.Proxies() {
		settings, err := c.Proxy(name)
		if err != nil {
			return err
		}
		client, err := c.ProxyClient(settings.Control)
		if err != nil {
			return err
		}
		d := &dependency{client: client, name: name, ask: attempts.MetWatch{Run: edge.run, Keep: fault.Duration(watchMet)}, noFault: o.NoFault}
		for _, f := range x.Faults {
			effect, err := fault.DecodeEffect(f.Kind, f.With)
			if err != nil {
				return fmt.Errorf("watch who meets fault %q: %w", f.ID, err)
			}
			if f.Proxy == name {
				d.ask.Faults = append(d.ask.Faults, fault.Fault{ID: f.ID, Effect: effect, Seed: f.Seed, Share: f.Share})
			}
		}
		o.Dependencies = append(o.Dependencies, d)
	}
	o.Edge = edge
	return nil
}

// rates are how many requests a second pass the proxy of the arms now, and how
// many of them may meet the faults at most: no more than pass their proxies.
func (c *comparer) rates(ctx context.Context, e mishap.Experiment) (edge, meets float64, err error) {
	count := func() (edge, meets uint64, err error) {
		edge, err = c.passed(ctx, e.Compare.Arms.Proxy)
		for _, name := range proxyfault.ExposureOf(e).Proxies() {
			n, wrong := c.passed(ctx, name)
			meets, err = meets+n, errors.Join(err, wrong)
		}
		return edge, meets, err
	}
	edge0, meets0, err := count()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	select {
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	case <-time.After(foretellFor):
	}
	edge1, meets1, err := count()
	took := time.Since(began).Seconds()
	edge, meets = float64(edge1-edge0)/took, float64(meets1-meets0)/took
	if !proxyfault.ExposureOf(e).Known() {
		meets = edge
	}
	return edge, min(meets, edge), err
}

// dependency is a proxy with faults of a run.
type dependency struct {
	client *control.Client
	name   string
	ask    attempts.MetWatch
	// noFault says that no fault comes, so that those who would have met it are
	// those who came while none was in force.
	noFault bool
}

// Name is the proxy's.
func (d *dependency) Name() string { return d.name }

// Met gives the requests that met its faults, or would have, after so many.
func (d *dependency) Met(ctx context.Context, after uint64) (comparison.Met, error) {
	ask := d.ask
	ask.After = after
	got, err := d.client.Met(ctx, d.name, ask)
	if errors.Is(err, control.ErrOlder) {
		err = fmt.Errorf("%w: %w", comparison.ErrOlder, err)
	}
	if d.noFault {
		for i, id := range got.IDs {
			got.IDs[i] = strings.TrimPrefix(id, fault.Early)
		}
	}
	return comparison.Met{Since: got.Since, Seq: got.Seq, IDs: got.IDs, More: got.More, Lost: got.Lost, NoID: got.NoID, Other: got.Other, Left: got.Left}, err
}

// Meet tells the proxy of the arms which of their requests met the fault.
func (r armsReader) Meet(ctx context.Context, ids []string, through uint64) (comparison.Joined, error) {
	got, err := r.client.Meet(ctx, r.id, registry.Meeting{Run: r.run, Met: ids, Through: through})
	return comparison.Joined{Over: got.Over, Met: *metOf(&got), Told: got.Told, Late: got.Late, Foreign: got.Foreign, Failed: got.Failed}, err
}

// metOf is how many requests met the fault; nil if nobody knows.
func metOf(j *registry.Joined) *sources.Met {
	if j == nil {
		return nil
	}
	one := func(m registry.MetOf) sources.MetOf {
		return sources.MetOf{Met: armCount(m.Met.Control, m.Met.Experiment), Of: armCount(m.Of.Control, m.Of.Experiment)}
	}
	return &sources.Met{Before: one(j.Before), Since: one(j.Since)}
}
