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

// symptoms are the columns, and which of them an injector is in.
func (d *Desk) symptoms() (names []string, of func(injector string) int) {
	all, kinds := mishap.Symptoms(), d.catalog.Kinds()
	for _, one := range all {
		names = append(names, string(one))
	}
	return names, func(injector string) int {
		if at := slices.Index(all, kinds[injector].Symptom); at >= 0 {
			return at
		}
		return slices.Index(all, mishap.SymptomOther) // this program does not have it
	}
}

// CoverageQuery asks for a page of rows.
type CoverageQuery struct {
	After string `query:"after" maxLength:"500" doc:"only rows behind this thing"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Find  string `query:"find" maxLength:"200" doc:"only rows of things that have this text"`
}

// Coverage is what was tried on what, of the experiments in force, and what of the
// settings nobody has tried anything on.
func (d *Desk) Coverage(ctx context.Context, list []mishap.Experiment, q CoverageQuery) (api.Coverage, error) {
	kinds, kindOf := d.symptoms()
	c := api.Coverage{Kinds: kinds, Rows: []api.CoverageRow{}}
	book, err := d.member.Ledger(ctx)
	if err != nil {
		return c, err
	}
	tried := map[string][][]*mishap.Experiment{} // by thing and kind
	row := func(thing string) [][]*mishap.Experiment {
		if tried[thing] == nil {
			tried[thing] = make([][]*mishap.Experiment, len(kinds))
		}
		return tried[thing]
	}
	for _, p := range d.settings.Proxies {
		row("proxy " + p.Name)
	}
	for i := range list {
		e := &list[i]
		for _, f := range e.Faults {
			for _, thing := range thingsOf(e, f) {
				cell := &row(thing)[kindOf(f.Injector)]
				if n := len(*cell); n == 0 || (*cell)[n-1] != e { // which has several such faults
					*cell = append(*cell, e)
				}
			}
		}
	}
	for _, thing := range slices.Sorted(maps.Keys(tried)) {
		if !strings.Contains(strings.ToLower(thing), strings.ToLower(q.Find)) {
			continue
		}
		c.Of++
		for _, cell := range tried[thing] {
			c.Tried += min(1, len(cell))
		}
		switch {
		case thing <= q.After:
		case len(c.Rows) == q.Limit:
			c.After = c.Rows[q.Limit-1].Thing
		default:
			cells, err := cellsOf(ctx, book, tried[thing])
			if err != nil {
				return c, err
			}
			c.Rows = append(c.Rows, api.CoverageRow{Thing: thing, Cells: cells})
		}
	}
	return c, nil
}

const (
	mostOfCell = 20 // experiments of a cell whose runs are looked at
	lookBack   = 10 // runs of each, of which some may have been refused
)

// cellsOf are the cells of a row, by the experiments of each.
func cellsOf(ctx context.Context, book ledger.Runs, tried [][]*mishap.Experiment) ([]api.CoverageCell, error) {
	cells := make([]api.CoverageCell, len(tried))
	for i, some := range tried {
		cell := &cells[i]
		cell.Experiments = []string{}
		for n, e := range some {
			cell.Experiments = append(cell.Experiments, e.Name)
			if n == 0 {
				cell.Harm = smallestHarm(e)
			}
			if n >= mostOfCell {
				continue
			}
			records, err := book.RunsOf(ctx, e.Name, lookBack)
			if err != nil {
				return nil, err
			}
			at := slices.IndexFunc(records, showed)
			if at < 0 {
				continue
			}
			if view := RunView(records[at]); cell.Last == nil || tellsMore(view, *cell.Last) {
				cell.Last, cell.Harm = &view, smallestHarm(e)
			}
		}
	}
	return cells, nil
}

// tellsMore reports whether a run says more of a cell than the last of another
// experiment: what deviated is not made good by what others show, only by itself. Among
// others the later one does.
func tellsMore(r, than api.RunView) bool {
	deviated := func(r api.RunView) bool { return r.Verdict == mishap.Deviated }
	if deviated(r) != deviated(than) {
		return deviated(r)
	}
	return r.Began.After(than.Began)
}

// showed reports a run that went on for as long as it decided itself. One that was
// refused or stopped from elsewhere says nothing of what it was aimed at, and stands for
// nothing that was shown before.
func showed(r ledger.Record) bool {
	if r.Active() || r.State == mishap.Refused {
		return false
	}
	return r.Verdict != mishap.Inconclusive || !r.Cause.Elsewhere()
}

// smallestHarm is what a run of the experiment can tell from no harm: its margins, or
// what its probes allow.
func smallestHarm(e *mishap.Experiment) string {
	var all []string
	if e.Compare != nil {
		for _, m := range e.Compare.Metrics {
			if m.Guarded() {
				all = append(all, nameOf(m)+" worse by "+marginOf(m))
			}
		}
	}
	if len(all) == 0 {
		for _, p := range e.SteadyState {
			all = append(all, "“"+p.Name+"” unmet "+beyond(p.Allow))
		}
	}
	return strings.Join(all, ", ")
}

// beyond is what a probe does not allow any more.
func beyond(a mishap.Allowance) string {
	if a.Count == 0 {
		return "once"
	}
	return fmt.Sprintf("more than %s in %d", mishap.Plural(a.Count, "time"), a.Window)
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
func thingsOf(e *mishap.Experiment, f mishap.Fault) (all []string) {
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
