package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/config"
	"mishap/internal/scheduler"
	"mishap/internal/source"
)

// held is an experiment in force.
type held struct {
	mishap.Experiment
	source string
	tree   *source.Tree         // that it is of
	table  *scheduler.Timetable // nil without a schedule
}

// desired are the experiments in force, by the sources that they are of.
type desired struct {
	*shared
	sources []config.Source

	mu       sync.Mutex
	trees    map[string]*source.Tree // by source: what is in force
	problems map[string]string       // by source: why what is there is not in force
	known    map[string]held         // experiments in force, by name
	looked   map[string]time.Time    // by source: when it was looked at last, since the server started
	reached  map[string]time.Time    // by source: when it last answered anybody
	holding  map[string]string       // by source: why none of it runs, as it was told last
}

func newDesired(s *shared, sources []config.Source) *desired {
	return &desired{
		shared: s, sources: sources, trees: map[string]*source.Tree{}, problems: map[string]string{}, known: map[string]held{},
		looked: map[string]time.Time{}, reached: map[string]time.Time{}, holding: map[string]string{},
	}
}

// put puts a tree in force, in place of the one before.
func (d *desired) put(t *source.Tree, known map[string]held) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.known, func(_ string, h held) bool { return h.source == t.Source })
	maps.Copy(d.known, known)
	d.trees[t.Source] = t
}

// elsewhere is another source that has an experiment of that name.
func (d *desired) elsewhere(name, source string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h, ok := d.known[name]; ok && h.source != source {
		return h.source
	}
	return ""
}

func (d *desired) problemOf(source string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.problems[source]
}

func (d *desired) tree(source string) *source.Tree {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trees[source]
}

// inForce lists the experiments in force by name.
func (d *desired) inForce() []held {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]held, 0, len(d.known))
	for _, h := range d.known {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b held) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// experiment is the one of that name, if it is in force.
func (d *desired) experiment(name string) (held, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h, ok := d.known[name]
	return h, ok
}

// missing is the error of asking for an experiment that is not in force, with the nearest
// name that is.
func (d *desired) missing(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := fmt.Sprintf("no source has experiment %q in force", name)
	if hint := mishap.Suggest(name, slices.Sorted(maps.Keys(d.known))); hint != "" {
		text += "; " + hint
	}
	return api.NotFound(text)
}

// holds says why none of a source's experiments may run here now; empty if they
// may. What was withdrawn while nobody served must not run, and only a look can
// tell.
func (d *desired) holds(src config.Source, now time.Time) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch age := now.Sub(d.reached[src.Name]); {
	case !d.looked[src.Name].IsZero() && d.trees[src.Name] == nil:
		return "nothing of it is in force on this server: " + firstLine(d.problems[src.Name])
	case !d.looked[src.Name].IsZero():
		return ""
	case d.reached[src.Name].IsZero():
		return "it has not been looked at since the server started"
	case src.StaleFor == 0 || age > src.StaleFor.Std():
		return fmt.Sprintf("it has not been looked at since the server started; what is known of it is %s old (staleFor allows %s)", mishap.Duration(age.Round(time.Second)), src.StaleFor)
	}
	return ""
}

// stale says that what runs of a source is not of a look since the start.
func (d *desired) stale(src config.Source) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if src.StaleFor == 0 || !d.looked[src.Name].IsZero() || d.trees[src.Name] == nil {
		return ""
	}
	at := d.reached[src.Name]
	return fmt.Sprintf("; what was read at %s runs until %s (staleFor: %s)", mishap.Moment(at), mishap.Moment(at.Add(src.StaleFor.Std())), src.StaleFor)
}

// sawSource remembers that a source answered.
func (d *desired) sawSource(name string, answered bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if answered {
		d.looked[name] = time.Now()
	}
}

// remember says when a source last answered anybody, as the ledger has it.
func (d *desired) remember(source string, reached time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reached[source] = reached
}

// sinceReached is how long ago a source last answered anybody.
func (d *desired) sinceReached(source string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.reached[source])
}

// standing is how a source stands, as it is about to be told: why none of it runs,
// and when it last answered this server.
func (d *desired) standing(src config.Source) (holds string, reached time.Time) {
	holds = d.holds(src, time.Now())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holding[src.Name] = holds
	if reached = d.looked[src.Name]; !reached.IsZero() {
		d.reached[src.Name] = reached
	}
	return holds, reached
}

// setProblem says why what is in a source is not in force. It answers that of
// before, and why none of it ran, as it was told last.
func (d *desired) setProblem(source, problem string) (was, held string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	was, held = d.problems[source], d.holding[source]
	d.problems[source] = problem
	return was, held
}

// sourceNamed is a source of this server.
func (d *desired) sourceNamed(name string) config.Source {
	for _, src := range d.sources {
		if src.Name == name {
			return src
		}
	}
	return config.Source{Name: name}
}

// forbids says why the settings, as they are now, do not allow an experiment;
// empty if they do. It is asked whenever a run begins, and never remembered.
func (d *desired) forbids(h held) string {
	if h.tree != nil && h.tree.Signed != nil {
		if err := h.tree.Signed(d.sourceNamed(h.source).SignedBy); err != nil {
			return err.Error()
		}
	}
	return d.catalog.Policy(d.sources).Forbidden(h.Experiment)
}

// stands says why an experiment that was looked up before must not begin now;
// nil if it may. It only computes.
func (d *desired) stands(h held) *mishap.Denial {
	now, ok := d.experiment(h.Name)
	if !ok || now.source != h.source || now.Source.Digest != h.Source.Digest {
		return &mishap.Denial{Cause: mishap.CausePolicy, Passing: ok, Reason: "its source has changed or withdrawn it since it was looked at"}
	}
	if why := d.holds(d.sourceNamed(h.source), time.Now()); why != "" {
		return &mishap.Denial{Cause: mishap.CausePolicy, Reason: "source " + h.source + ": " + why}
	}
	if why := d.forbids(h); why != "" {
		return &mishap.Denial{Cause: mishap.CausePolicy, Reason: why}
	}
	return nil
}

// current are the sources that may run here: looked at, with the tree that all
// servers run.
func (d *desired) current(ctx context.Context) (map[string]bool, error) {
	current := map[string]bool{}
	for _, src := range d.sources {
		r, err := d.book.Revision(ctx, src.Name)
		if err != nil {
			return nil, err
		}
		t := d.tree(src.Name)
		current[src.Name] = t != nil && t.Seq == r.Seq && d.holds(src, time.Now()) == ""
	}
	return current, nil
}
