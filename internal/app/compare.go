package app

import (
	"context"
	"fmt"
	"time"

	"mishap"
	"mishap/injectors"
	"mishap/internal/analysis"
	"mishap/internal/comparison"
	sources "mishap/internal/metrics"
	"mishap/internal/proxy"
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
	o := comparison.Options{Compare: *spec, Horizon: plan.Experiment.Longest(), NoFault: plan.NoFault}
	if plan.Experiment.SamplesTargets() {
		o.Targets = len(plan.Injections)
	}
	var edge *sources.Proxy
	if r.Arms = a.arms(plan.Experiment); r.Arms != nil {
		reader, err := a.armsReader(spec.Arms.Proxy, runner.InjectionID(run, 0, 0))
		if err != nil {
			return err
		}
		edge = sources.NewProxy(reader, proxy.ArmsDelay)
		o.Assigned, o.Keyless = edge.Assigned, edge.Keyless
	}
	for _, m := range spec.Metrics {
		source, err := a.source(m, edge)
		if err != nil {
			return fmt.Errorf("metric %s: %w", m.Name, err)
		}
		o.Sources = append(o.Sources, source)
	}
	var err error
	r.Compare, err = comparison.New(o)
	return err
}

// source makes the source of a metric.
func (a *App) source(m mishap.CompareMetric, edge *sources.Proxy) (sources.Source, error) {
	if m.Source == sources.FromProxy && edge != nil {
		return edge.Source(), nil
	}
	for _, kind := range a.sources() {
		if kind.Name == m.Source {
			return kind.New(m)
		}
	}
	return nil, fmt.Errorf("there is no source %q", m.Source)
}

// armsReader reads the arms of a run from the proxy at the edge.
type armsReader struct {
	client *proxy.Client
	id     string // of the injection that set them up
}

func (a *App) armsReader(name, id string) (armsReader, error) {
	for _, p := range a.Settings.Proxies {
		if p.Name == name {
			client, err := a.ProxyClient(p.Control)
			return armsReader{client, id}, err
		}
	}
	return armsReader{}, fmt.Errorf("the settings have no proxy %q", name)
}

// Arms gives the closed buckets after a number. What is compared are first
// attempts: what is tried again after a failure is no news.
func (r armsReader) Arms(ctx context.Context, after uint64) (sources.ArmsPage, error) {
	report, err := r.client.Arms(ctx, r.id, after)
	if err != nil {
		return sources.ArmsPage{}, err
	}
	page := sources.ArmsPage{
		Width: time.Duration(report.Width), Delay: proxy.ArmsDelay, Bounds: report.Bounds, More: report.More,
		Units:  mishap.ArmCount{Control: int64(report.Allocation.Control.Units), Experiment: int64(report.Allocation.Experiment.Units)},
		NoKey:  report.Allocation.WithoutKey,
		InArms: report.Allocation.Requests() + report.Allocation.Outside,
	}
	for _, b := range report.Buckets {
		page.Buckets = append(page.Buckets, sources.ArmsBucket{Seq: b.Seq, Start: b.Start, Control: armOf(b.Control, report.Bounds), Experiment: armOf(b.Experiment, report.Bounds)})
	}
	return page, nil
}

func armOf(b proxy.ArmBucket, bounds []float64) analysis.Arm {
	arm := analysis.Arm{
		Requests: int64(b.FirstAttempts), Successes: int64(b.FirstSuccesses), Events: int64(b.Successes),
		Latency: analysis.Histogram{Bounds: bounds, Counts: make([]int64, len(bounds)+1)},
	}
	for i, n := range b.Latency {
		arm.Latency.Counts[i] = int64(n)
	}
	return arm
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
		late := proxy.ArmsDelay
		if m.Source != sources.FromProxy {
			source, err := a.source(m, nil)
			if err != nil {
				continue // said elsewhere
			}
			late = source.Delay()
		}
		lines = append(lines, fmt.Sprintf("%s: numbers of %s are up to %s late", m.Name, m.Source, mishap.Duration(late)))
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
