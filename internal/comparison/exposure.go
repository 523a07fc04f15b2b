package comparison

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

// ErrOlder is a proxy of a version that cannot tell which requests met a fault.
var ErrOlder = errors.New("the proxy is of an earlier version")

// Dependency is a proxy with a fault, which knows the requests of both arms that
// met it, or would have.
type Dependency interface {
	Name() string
	// Met gives those that came after so many.
	Met(ctx context.Context, after uint64) (Met, error)
}

// Met is what a dependency has seen so far.
type Met struct {
	Since time.Time // when it began to watch: another time has lost what was before
	Seq   uint64    // of the last of IDs
	IDs   []string  // of the requests, by which the edge knows them
	More  bool      // there are others after these
	// Lost are ids that came too fast; NoID requests of an arm that met the fault
	// without an id; Other requests that would have and are in no arm; Left
	// connections that are not watched.
	Lost, NoID, Other uint64
	Left              int
}

// Edge is the proxy of the arms. It joins the requests of its users with what
// they met.
type Edge interface {
	// Meet tells it which requests met the fault, and that all of those which are
	// in buckets up to one are told. It gives what it then knows.
	Meet(ctx context.Context, ids []string, through uint64) (Joined, error)
}

// Joined is what the edge knows of which requests met the fault.
type Joined struct {
	Over uint64 // the requests of buckets up to this one are over
	metrics.Met
	Told, Late uint64 // ids, and of those the ones that met the fault later than patience
	Foreign    uint64 // ids that are none of the edge's
	Failed     string // why it is not known of all requests; it stays so
}

const (
	tellAtOnce = 4096    // ids in one call
	mostUntold = 1 << 18 // ids that the edge was not told yet
	unjoined   = 0.01    // of what met the fault, as much may be unknown
	sureOf     = 20      // requests, until it is said that none is known
	enoughMet  = 50      // of control that should have met the fault, until it is said that much fewer do
)

// exposure carries what dependencies know to the edge.
type exposure struct {
	edge Edge
	all  []*dependency

	mu     sync.Mutex // guards what follows, but is never held across a call
	joined Joined
	failed string // why the last try did not succeed
	lost   string // why it is not known, and never will be
	old    string // a proxy that cannot tell
	untold []string
}

type dependency struct {
	Dependency
	since time.Time
	last  Met // but for its ids
}

func newExposure(edge Edge, all []Dependency) *exposure {
	x := &exposure{edge: edge}
	for _, d := range all {
		x.all = append(x.all, &dependency{Dependency: d})
	}
	return x
}

// watch joins until ctx ends.
func (x *exposure) watch(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if more := x.join(ctx); more {
			x.join(ctx) // what was over at the last call is known now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// join asks all dependencies, and tells the edge: of the buckets that it said
// were over before they were asked, all is known then. It says whether others
// are over now.
func (x *exposure) join(ctx context.Context) (more bool) {
	ctx, cancel := context.WithTimeout(ctx, pollWithin)
	defer cancel()
	over := x.state().joined.Over
	err := x.ask(ctx)
	if err != nil {
		over = 0 // not all is known
	}
	joined, wrong := x.tell(ctx, over)
	err = errors.Join(err, wrong)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failed = ""
	if err != nil && ctx.Err() == nil {
		x.failed = err.Error()
	}
	if wrong != nil {
		return false
	}
	more = joined.Over > over && err == nil
	x.joined = joined
	if joined.Failed != "" {
		x.lose("%s", joined.Failed)
	}
	return more
}

// ask takes what dependencies have seen.
func (x *exposure) ask(ctx context.Context) error {
	var problems []error
	for _, d := range x.all {
		for more := true; more; {
			got, err := d.Met(ctx, d.last.Seq)
			if err != nil {
				problems = append(problems, fmt.Errorf("which requests met the fault at proxy %s is not known: %w", d.Name(), err))
				x.older(d, err)
				break
			}
			more = x.take(d, got)
		}
	}
	return errors.Join(problems...)
}

// older notes a proxy that will never tell.
func (x *exposure) older(d *dependency, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if errors.Is(err, ErrOlder) && x.old == "" {
		x.old = fmt.Sprintf("which requests met the fault is not known: proxy %s is of an earlier version of mishap; let it start anew", d.Name())
	}
}

// take takes in a page.
func (x *exposure) take(d *dependency, got Met) (more bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if d.since.IsZero() {
		d.since = got.Since
	}
	switch {
	case !got.Since.Equal(d.since):
		x.lose("which requests met the fault is not known of all: proxy %s began to watch anew at %s", d.Name(), got.Since.Format(time.TimeOnly))
		d.since = got.Since
	case got.Lost > 0:
		x.lose("which requests met the fault is not known of all: at proxy %s they came too fast, and %d were lost", d.Name(), got.Lost)
	case got.Left > 0:
		x.lose("which requests met the fault is not known of all: a restart of proxy %s left %s in the process before; wait until none is left, or end it", d.Name(), mishap.Plural(got.Left, "connection"))
	}
	x.untold = append(x.untold, got.IDs...)
	if len(x.untold) > mostUntold {
		x.lose("which requests met the fault is not known of all: the proxy of the arms could not be told of %d", len(x.untold))
		x.untold = nil
	}
	got.IDs = nil
	d.last = got
	return got.More
}

// lose is for callers that hold the lock.
func (x *exposure) lose(format string, args ...any) {
	if x.lost == "" {
		x.lost = fmt.Sprintf(format, args...)
	}
}

// tell tells the edge what it was not told yet.
func (x *exposure) tell(ctx context.Context, through uint64) (Joined, error) {
	for {
		untold := x.state().untold
		page := untold[:min(len(untold), tellAtOnce)]
		last := len(page) == len(untold)
		upTo := uint64(0)
		if last {
			upTo = through
		}
		joined, err := x.edge.Meet(ctx, page, upTo)
		if err != nil {
			return joined, fmt.Errorf("tell the proxy of the arms which requests met the fault: %w", err)
		}
		x.mu.Lock()
		x.untold = x.untold[min(len(page), len(x.untold)):]
		x.mu.Unlock()
		if last {
			return joined, nil
		}
	}
}

// known is a copy of what is known.
type known struct {
	joined      Joined
	untold      []string
	failed      string
	lost, old   string
	noID, other uint64
	names       string
}

func (x *exposure) state() known {
	x.mu.Lock()
	defer x.mu.Unlock()
	k := known{joined: x.joined, untold: x.untold, failed: x.failed, lost: x.lost, old: x.old}
	for i, d := range x.all {
		if i > 0 {
			k.names += ", "
		}
		k.names += d.Name()
		k.noID, k.other = k.noID+d.last.NoID, k.other+d.last.Other
	}
	return k
}

// doubts are what keeps a run from being held, whatever its intervals say.
func (k *known) doubts() (all []analysis.Doubt) {
	if none(k.joined.Since) && k.joined.Since.Of != (mishap.ArmCount{}) {
		all = append(all, analysis.Doubt{Kind: analysis.NotMetDoubt, Text: k.nothing()})
	}
	if text := k.kept(); text != "" {
		all = append(all, analysis.Doubt{Kind: analysis.KeptDoubt, Text: text})
	}
	if n := k.noID + k.joined.Foreign; float64(n) > unjoined*float64(k.joined.Told+k.noID) {
		all = append(all, analysis.Doubt{Kind: analysis.UnjoinedDoubt, Text: fmt.Sprintf(
			"of %s that met the fault it is not known which: there was no mishap.req in the baggage, or that of somebody else", mishap.Plural(n, "request"))})
	}
	return all
}

// kept says that much fewer of control's requests would have met the fault than
// in the baseline: what it does keeps them from the dependency, and what then
// becomes of them is in no row of those that met it.
func (k *known) kept() string {
	before, since := k.joined.Before, k.joined.Since
	if before.Of.Control == 0 || since.Of.Control == 0 {
		return ""
	}
	was, is := float64(before.Met.Control)/float64(before.Of.Control), float64(since.Met.Control)/float64(since.Of.Control)
	if was*float64(since.Of.Control) < enoughMet || before.Met.Control < sureOf || is > was/2 {
		return ""
	}
	return fmt.Sprintf("%s of control's requests would have met the fault, and %s in the baseline: it keeps others from %s, as a circuit does that is open in both arms", percent(is), percent(was), k.names)
}

func none(m metrics.MetOf) bool { return m.Met == mishap.ArmCount{} }

// nothing says that no request met the fault, and what may be the reason.
func (k *known) nothing() string {
	text := fmt.Sprintf("none of %s of both arms met the fault", mishap.Plural(k.joined.Since.Of.Control+k.joined.Since.Of.Experiment, "request"))
	switch {
	case k.joined.Late > 0:
		text += fmt.Sprintf(" in time: %d met it later than patience", k.joined.Late)
	case k.other > 0:
		text += fmt.Sprintf("; %s that came to %s would have, and none said that it is in an arm: if it should be, its baggage is lost on the way", mishap.Plural(k.other, "other"), k.names)
	default:
		text += fmt.Sprintf("; nothing that the fault hits came to %s", k.names)
	}
	return text
}

// cut says that requests in arms met the fault, and that none had an id: it is
// lost on the way.
func (k *known) cut() string {
	if k.noID < sureOf || k.joined.Told > 0 {
		return ""
	}
	return fmt.Sprintf("which requests met the fault is not known: %d came to %s that say their arm, and none has mishap.req in its baggage; pass all members on", k.noID, k.names)
}

// told is what is said of the join beside its rows.
func (k *known) told() (all []string) {
	if k.failed != "" {
		all = append(all, k.failed)
	}
	if n := k.joined.Late; n > 0 && !none(k.joined.Since) {
		all = append(all, mishap.Plural(n, "call")+" met the fault later than patience after the request came, and so counted as not having met it")
	}
	return all
}
