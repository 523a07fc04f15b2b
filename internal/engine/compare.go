package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/catalog"
	"mishap/internal/comparison"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/member"
	sources "mishap/internal/metrics"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/runner"
)

// comparer makes what compares the arms of runs, and foretells what it can show.
type comparer struct {
	settings *config.Settings
	catalog  *catalog.Catalog
	member   *member.Member
	log      *slog.Logger

	mu   sync.Mutex
	otlp *sources.Receiver // of metrics, once a run needs it
}

// close lets go of what runs shared.
func (c *comparer) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.otlp != nil {
		_ = c.otlp.Close()
	}
}

// arms makes what sets up the arms of an experiment; nil if nothing has to be.
func (c *comparer) arms(e mishap.Experiment) *runner.Fault {
	if e.Compare == nil || e.Compare.Arms.From != mishap.ArmsFromRequests {
		return nil
	}
	return &runner.Fault{
		Fault:    mishap.Fault{Name: mishap.ArmsFault},
		Injector: c.catalog.RequestArms(e),
		Kind:     mishap.InjectorKind{Keeper: mishap.KeeperProxy},
	}
}

// compare makes what compares the arms of a run, and a function that lets go of
// it.
func (c *comparer) compare(ctx context.Context, book ledger.Ledger, r *runner.Runner, run string, plan mishap.Plan) (done func(), err error) {
	spec := plan.Experiment.Compare
	if spec == nil {
		return func() {}, nil
	}
	o := comparison.Options{Compare: *spec, Horizon: plan.Experiment.Together(), NoFault: plan.NoFault}
	if o.Incident, err = lastIncident(ctx, book, plan.Experiment.Name); err != nil {
		c.log.Warn("look up the last incident", "experiment", plan.Experiment.Name, "error", err) // no reason not to run
	}
	if plan.Experiment.SamplesTargets() {
		o.Targets = len(plan.Arms())
	}
	var edge *sources.Proxy
	if r.Arms = c.arms(plan.Experiment); r.Arms != nil {
		reader, err := c.armsReader(spec.Arms.Proxy, run)
		if err != nil {
			return nil, err
		}
		edge = sources.NewProxy(reader, fault.ArmsDelay)
		o.Assigned, o.Keyless = edge.Assigned, edge.Keyless
		if err := expose(c.catalog, &o, plan.Experiment, reader); err != nil {
			return nil, err
		}
	}
	if o.Compare.Metrics, err = metricsOf(plan); err != nil {
		return nil, err
	}
	receiver, err := c.receiver(o.Compare)
	if err != nil {
		return nil, err
	}
	o.Watched = watched(plan.Experiment)
	if o.Sources, err = c.catalog.MetricSources(o.Compare, sources.Deps{Proxy: edge, Run: run, Receiver: receiver, Targets: o.Targets}); err != nil {
		return nil, err
	}
	o.Books = booksOf(o, edge)
	r.Compare, err = comparison.New(o)
	return func() { c.closeSources(o.Sources) }, err
}

// booksOf are what counts the units behind each metric; nil where only totals
// are known.
func booksOf(o comparison.Options, edge *sources.Proxy) []comparison.Book {
	all := make([]comparison.Book, len(o.Sources))
	for i, m := range o.Compare.Metrics {
		if book, ok := o.Sources[i].(comparison.Book); ok {
			all[i] = book
		}
		if m.Source == sources.FromProxy && edge != nil {
			all[i] = edge
		}
	}
	return all
}

// watched reports whether probes judge what the fault does.
func watched(e mishap.Experiment) bool {
	return slices.ContainsFunc(e.SteadyState, func(p mishap.ProbeSpec) bool { return p.In(mishap.During) })
}

// metricsOf are the metrics of a plan. Where its arms are targets, their sources
// are told which.
func metricsOf(plan mishap.Plan) ([]mishap.CompareMetric, error) {
	all := slices.Clone(plan.Experiment.Compare.Metrics)
	if !plan.Experiment.SamplesTargets() {
		return all, nil
	}
	for i := range all {
		with, err := withTargets(all[i].With, plan.Arms())
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", all[i].Name, err)
		}
		all[i].With = with
	}
	return all, nil
}

// receiver receives metrics of OpenTelemetry for all runs of this process, from
// the first that compares by them; nil if this one does not.
func (c *comparer) receiver(spec mishap.Compare) (*sources.Receiver, error) {
	if !slices.ContainsFunc(spec.Metrics, func(m mishap.CompareMetric) bool { return m.Source == sources.FromOTLP }) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.otlp == nil {
		var err error
		if c.otlp, err = sources.Receive(context.Background(), sources.ReceiverConfig{Listen: c.settings.OTLP}); err != nil {
			return nil, err
		}
	}
	return c.otlp, nil
}

// closeSources lets go of what sources hold.
func (c *comparer) closeSources(all []sources.Source) {
	for _, s := range all {
		if open, ok := s.(io.Closer); ok {
			if err := open.Close(); err != nil {
				c.log.Warn("close source of a metric", "error", err)
			}
		}
	}
}

// armsReader reads the arms of a run from the proxy at the edge.
type armsReader struct {
	client *control.Client
	run    string
	id     string // of the injection that set them up
}

func (c *comparer) armsReader(name, run string) (armsReader, error) {
	for _, p := range c.settings.Proxies {
		if p.Name == name {
			client, err := c.catalog.ProxyClient(p.Control)
			return armsReader{client, run, runner.InjectionID(run, 0, 0)}, err
		}
	}
	return armsReader{}, fmt.Errorf("the settings have no proxy %q", name)
}

// foretellFor is how long the traffic of the edge is watched for a forecast.
const foretellFor = 2 * time.Second

// foretell says what the traffic of the moment can show of a plan, and how late
// each source is. It is a forecast: what it cannot know it leaves out. Short is
// why no baseline would be long enough; empty if one may.
func (c *comparer) foretell(ctx context.Context, e mishap.Experiment) (lines []string, short string) {
	if e.Compare == nil {
		return nil, ""
	}
	lines, late, _ := c.lateness(ctx, *e.Compare)
	if why, write := e.Compare.Tight(e.Together(), late); why != "" {
		lines = append(lines, why+"; "+write)
	}
	if c.member.HasLedger(ctx) {
		book, err := c.member.Ledger(ctx)
		var last comparison.Incident
		if err == nil {
			last, err = lastIncident(ctx, book, e.Name)
		}
		if err != nil {
			lines = append(lines, "the last incident could not be looked up: "+err.Error())
		}
		lines = append(lines, last.Foretell(e.Compare.Filled().AtLeast.Std())...)
	}
	lines = append(lines, undecided(e)...)
	if e.Compare.Arms.From != mishap.ArmsFromRequests {
		return lines, ""
	}
	edge, meets, err := c.rates(ctx, e)
	if err != nil {
		return append(lines, "the traffic of "+e.Compare.Arms.Proxy+" could not be watched: "+err.Error()), ""
	}
	if edge == 0 {
		return append(lines, "no requests pass "+e.Compare.Arms.Proxy+" now: a run would be inconclusive"), ""
	}
	share := float64(e.Compare.Arms.Share)
	traffic := comparison.Traffic{PerArm: edge * share, Failures: usualFailures}
	all := comparison.Forecast(*e.Compare, e.Together(), traffic)
	if traffic.PerArm = meets * share; meets == 0 {
		return append(lines, "no requests reach the proxy of the fault now: a run would be inconclusive"), all.Short
	}
	f := comparison.Forecast(*e.Compare, e.Together(), traffic)
	if f.Hopeless != "" {
		return append(lines, f.Hopeless), all.Short
	}
	return append(lines, f.Lines...), all.Short
}

// undecided says what a comparison cannot show, whatever the traffic.
func undecided(e mishap.Experiment) (lines []string) {
	c := e.Compare
	for _, m := range c.Metrics {
		if why, write := c.Arms.Undecided(m); why != "" {
			lines = append(lines, fmt.Sprintf("%s is shown and decides nothing: %s; %s", m.Name, why, write))
		}
	}
	if key := c.Arms.Key; key == "request" || key == "connection" {
		return lines
	}
	unit := "users"
	if e.SamplesTargets() {
		unit = "targets"
	}
	return append(lines, fmt.Sprintf("with fewer than 7 %s per arm a comparison cannot decide, and with fewer than 20 nothing is cleared", unit))
}

// lateness says how late the numbers of each metric are, and those of the latest,
// and of which there are none because their source does not answer.
func (c *comparer) lateness(ctx context.Context, spec mishap.Compare) (lines []string, most time.Duration, gone []error) {
	all, err := c.catalog.MetricSources(spec, sources.Deps{Proxy: sources.NewProxy(nil, fault.ArmsDelay)})
	if err != nil {
		return []string{err.Error()}, 0, []error{err}
	}
	defer c.closeSources(all)
	for i, m := range spec.Metrics {
		delay, width, err := sources.Pace(ctx, all[i])
		most = max(most, delay+width)
		switch late := mishap.Duration((delay + width).Round(100 * time.Millisecond)); {
		case err != nil:
			lines = append(lines, fmt.Sprintf("%s: %s", m.Name, err))
			gone = append(gone, fmt.Errorf("metric %s: %w", m.Name, err))
		case late > 0:
			lines = append(lines, fmt.Sprintf("%s: the source %s says up to %s later what has happened", m.Name, m.Source, late))
		}
	}
	return lines, most, gone
}

// usualFailures is the share of requests that a forecast takes to fail before
// anything is known.
const usualFailures = 0.005

// passed is how many requests a proxy has answered since its start.
func (c *comparer) passed(ctx context.Context, name string) (uint64, error) {
	for _, p := range c.settings.Proxies {
		if p.Name != name {
			continue
		}
		client, err := c.catalog.ProxyClient(p.Control)
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

// lastIncident is the last run of an experiment that deviated, with a fault, among
// its latest; none if there is none.
func lastIncident(ctx context.Context, book ledger.Ledger, experiment string) (none comparison.Incident, err error) {
	records, err := book.RunsOf(ctx, experiment, api.MostRuns)
	for _, r := range records {
		if r.Verdict != mishap.Deviated {
			continue
		}
		entries, err := book.Entries(ctx, r.ID)
		if err != nil {
			return none, err
		}
		run, err := mishap.Replay(entries)
		if err != nil {
			return none, err
		}
		if after := run.Showed(); after > 0 && !run.Plan.NoFault {
			return comparison.Incident{Run: r.ID, After: after}, nil
		}
	}
	return none, err
}
