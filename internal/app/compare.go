package app

import (
	"context"
	"fmt"
	"time"

	"mishap"
	"mishap/injectors"
	"mishap/internal/comparison"
	"mishap/internal/runner"
)

// requestArms is the injector of arms from requests.
const requestArms = "request-arms"

// arms makes what sets up the arms of an experiment; nil if nothing has to be.
func (a *App) arms(e mishap.Experiment) *runner.Fault {
	if e.Compare == nil || e.Compare.Arms.From != mishap.ArmsFromRequests {
		return nil
	}
	return &runner.Fault{
		Fault:    mishap.Fault{Name: mishap.ArmsFault, Injector: requestArms},
		Injector: injectors.RequestArms(a.injectorDeps(), e.Compare.Arms),
		Keeper:   mishap.KeeperProxy,
	}
}

// compare makes what compares the arms of a run.
func (a *App) compare(r *runner.Runner, run string, plan mishap.Plan) error {
	spec := plan.Experiment.Compare
	if spec == nil {
		return nil
	}
	arms, err := a.armsOf(run, plan)
	if err != nil {
		return err
	}
	o := comparison.Options{Compare: *spec, Horizon: plan.Experiment.Longest(), NoFault: plan.NoFault, Assigned: arms.assigned}
	for _, m := range spec.Metrics {
		source, err := a.source(m, arms)
		if err != nil {
			return fmt.Errorf("metric %s: %w", m.Name, err)
		}
		o.Sources = append(o.Sources, source)
	}
	r.Arms = a.arms(plan.Experiment)
	r.Compare, err = comparison.New(o)
	return err
}

// foretellFor is how long the traffic of the edge is watched for a forecast.
const foretellFor = 2 * time.Second

// foretell says what the traffic of the moment can show of a plan, and how late
// each source is. It is a forecast: what it cannot know it leaves out.
func (a *App) foretell(ctx context.Context, e mishap.Experiment) (lines []string) {
	if e.Compare == nil {
		return nil
	}
	for _, m := range e.Compare.Metrics {
		source, err := a.source(m, sources{})
		if err != nil {
			continue // said elsewhere
		}
		lines = append(lines, fmt.Sprintf("%s: harm can be seen %s after it shows at the earliest, because numbers of %s are that late", m.Name, mishap.Duration(source.Delay()), m.Source))
	}
	rate, err := a.rate(ctx, e.Compare.Arms.Proxy)
	if err != nil {
		return append(lines, "the traffic of "+e.Compare.Arms.Proxy+" could not be watched: "+err.Error())
	}
	perArm := rate * float64(e.Compare.Arms.Share)
	if perArm == 0 {
		return append(lines, "no requests pass "+e.Compare.Arms.Proxy+" now: a run would be inconclusive")
	}
	forecast, hopeless := comparison.Forecast(*e.Compare, e.Longest(), comparison.Traffic{PerArm: perArm, Failures: usualFailures})
	if hopeless != "" {
		return append(lines, hopeless)
	}
	return append(lines, forecast...)
}

// usualFailures is the share of requests that a forecast takes to fail before
// anything is known.
const usualFailures = 0.005

// rate is how many requests a second pass a proxy now.
func (a *App) rate(ctx context.Context, name string) (float64, error) {
	first, err := a.passed(ctx, name)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(foretellFor):
	}
	last, err := a.passed(ctx, name)
	return float64(last-first) / time.Since(began).Seconds(), err
}

// passed is how many requests a proxy has answered since its start.
func (a *App) passed(ctx context.Context, name string) (uint64, error) {
	for _, p := range a.Settings.Proxies {
		if p.Name != name {
			continue
		}
		client, err := a.ProxyClient(p.Control)
		if err != nil {
			return 0, err
		}
		list, err := client.Proxies(ctx)
		if err != nil {
			return 0, err
		}
		for _, status := range list {
			if status.Name == name {
				return status.Requests, nil
			}
		}
	}
	return 0, fmt.Errorf("there is no proxy %q", name)
}
