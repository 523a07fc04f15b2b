package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/ledger"
)

// kindsOfFault are what faults do to whoever depends on what they are in, and how the
// names of injectors tell.
func kindsOfFault() (kinds []string, of func(injector string) int) {
	marks := [][]string{
		{"latency", "bandwidth", "delay", "slow", "slicer", "throttle"},
		{"error", "abort", "body", "header", "deny"},
		{"refuse", "reset", "timeout", "limit", "loss", "isolate", "blackhole", "cut", "pause"},
		{"stop", "kill", "terminate", "reboot", "standby", "suspend", "unhealthy", "zone", "failover"},
	}
	return []string{"slow", "answers wrongly", "cannot be reached", "is gone", "other"}, func(injector string) int {
		for i, some := range marks {
			if slices.ContainsFunc(some, func(mark string) bool { return strings.Contains(injector, mark) }) {
				return i
			}
		}
		return len(marks)
	}
}

// Coverage is what was tried on what, of the experiments in force, and what of the
// settings nobody has tried anything on.
func (d *Desk) Coverage(ctx context.Context, list []mishap.Experiment) (api.Coverage, error) {
	kinds, kindOf := kindsOfFault()
	c := api.Coverage{Kinds: kinds, Rows: []api.CoverageRow{}}
	book, err := d.member.Ledger(ctx)
	if err != nil {
		return c, err
	}
	records, err := book.Latest(ctx)
	if err != nil {
		return c, err
	}
	latest := map[string]ledger.Record{}
	for _, r := range records {
		latest[r.Experiment] = r
	}
	cells := map[string][]api.CoverageCell{}
	row := func(thing string) []api.CoverageCell {
		if cells[thing] == nil {
			cells[thing] = make([]api.CoverageCell, len(kinds))
			for i := range kinds {
				cells[thing][i].Experiments = []string{}
			}
		}
		return cells[thing]
	}
	for _, p := range d.settings.Proxies {
		row("proxy " + p.Name)
	}
	for _, e := range list {
		for _, f := range e.Faults {
			for _, thing := range thingsOf(e, f) {
				covers(&row(thing)[kindOf(f.Injector)], e, latest)
			}
		}
	}
	for _, thing := range slices.Sorted(maps.Keys(cells)) {
		c.Rows = append(c.Rows, api.CoverageRow{Thing: thing, Cells: cells[thing]})
	}
	return c, nil
}

// covers adds an experiment to a cell.
func covers(cell *api.CoverageCell, e mishap.Experiment, latest map[string]ledger.Record) {
	if slices.Contains(cell.Experiments, e.Name) {
		return
	}
	cell.Experiments = append(cell.Experiments, e.Name)
	r, ran := latest[e.Name]
	if len(cell.Experiments) == 1 || ran && (cell.Last == nil || r.Began.After(cell.Last.Began)) {
		cell.Harm = smallestHarm(e)
		if ran {
			view := RunView(r)
			cell.Last = &view
		}
	}
}

// smallestHarm is what a run of the experiment can tell from no harm: its margins, or
// what its probes allow.
func smallestHarm(e mishap.Experiment) string {
	var all []string
	if e.Compare != nil {
		for _, m := range e.Compare.Metrics {
			if m.Guarded() {
				all = append(all, marginOf(m)+" of "+nameOf(m))
			}
		}
	}
	if len(all) == 0 {
		for _, p := range e.SteadyState {
			all = append(all, fmt.Sprintf("more than %s of %s", p.Allow, p.Name))
		}
	}
	return strings.Join(all, ", ")
}

func marginOf(m mishap.CompareMetric) string {
	switch {
	case m.Margin.Ratio != 0:
		return fmt.Sprintf("%.3g %%", 100*math.Abs(m.Margin.Ratio-1))
	case m.Metric == mishap.Gauge:
		return fmt.Sprintf("%.3g", m.Margin.Difference)
	}
	return fmt.Sprintf("%.3g pp", 100*m.Margin.Difference)
}

func nameOf(m mishap.CompareMetric) string {
	if m.Name != "" {
		return m.Name
	}
	return string(m.Metric)
}

// thingsOf are what a fault is aimed at: a proxy, what tags or names say, or what the
// experiment says that it is about.
func thingsOf(e mishap.Experiment, f mishap.Fault) (all []string) {
	var aim struct {
		Proxy string            `json:"proxy"`
		Tags  map[string]string `json:"tags"`
	}
	_ = json.Unmarshal(f.Targets, &aim) // what is of another form is aimed at nothing of these
	if aim.Proxy != "" {
		return []string{"proxy " + aim.Proxy}
	}
	for _, key := range []string{"dependency", "service"} {
		if value := e.Tags[key]; value != "" {
			all = append(all, key+" "+value)
		}
	}
	if len(all) > 0 {
		return all
	}
	for _, key := range slices.Sorted(maps.Keys(aim.Tags)) {
		all = append(all, key+"="+aim.Tags[key])
	}
	if len(all) == 0 {
		all = []string{"group " + e.Group}
	}
	return all
}
