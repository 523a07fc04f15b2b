package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/slots"
)

// byUnits counts the units of a source that says of which one its numbers are:
// slots of users, or targets. What it cannot count it leaves out, and says so.
type byUnits struct {
	source  Source
	metric  mishap.CompareMetric
	targets int // in each arm; 0: units are slots of users
	rows    []mishap.CountedRow
	changes []int // per row that of what is slow in either arm, or -1

	mu        sync.Mutex  // guards what follows
	book      *slots.Book // nil before the first bucket
	names     [2]map[string]uint32
	bounds    []float64
	limits    []Threshold
	injecting time.Time // when the faults are put in, as was told
	injected  time.Time // from when on what is counted is of them
	end       time.Time // of the newest bucket
	before    Totals
	since     Totals
	broken    error // why the label names no units
	failed    error // why nothing was counted at last
}

// notUnits is a label whose values are no units.
type notUnits string

func (n notUnits) Error() string { return string(n) }
func (notUnits) Unwrap() error   { return ErrNoUnits }

func countUnits(d Deps, s Source, m mishap.CompareMetric) *byUnits {
	u := &byUnits{source: s, metric: m, targets: d.Targets, rows: m.CountedRows(), names: [2]map[string]uint32{{}, {}}}
	changed := len(u.rows)
	for _, r := range u.rows {
		at := -1
		if r.Of == mishap.CountSlow {
			at, changed = changed, changed+1
		}
		u.changes = append(u.changes, at)
	}
	return u
}

// Closed gives the buckets whose units are counted too.
func (u *byUnits) Closed(ctx context.Context) ([]analysis.Bucket, error) {
	buckets, err := u.source.Closed(ctx)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		u.failed = err
	}
	var all []analysis.Bucket
	for _, b := range buckets {
		if problem := u.take(b); problem != nil {
			err = errors.Join(err, &Gap{Start: b.Start, End: b.Start.Add(b.Width), Err: problem})
			u.failed = problem
			continue
		}
		if name := u.gone(b.Units); name != "" {
			err = errors.Join(err, fmt.Errorf("%w: %s %q is gone: what it no longer does is counted by nobody", ErrMissing, u.metric.Unit, name))
		}
		b.Units = nil
		all = append(all, b)
	}
	return all, err
}

// take counts a bucket, or none of it.
func (u *byUnits) take(b analysis.Bucket) error {
	places, err := u.places(b.Units)
	if err == nil {
		err = u.fits(b)
	}
	if err != nil {
		return err
	}
	if u.book == nil {
		if u.book, err = slots.NewBook(u.size(), u.bookRows(), b.Start); err != nil {
			return err
		}
		u.end = b.Start
	}
	since, neither := u.when(b)
	u.advance(b, since)
	if neither {
		u.book.Miss(b.Width)
		return nil
	}
	came := b.Start.Add(b.Width - 1) // what is baseline ended before the injection
	if since {
		came = b.Start
	}
	for i, unit := range b.Units {
		u.book.Add(places[i], came, u.counts(unit, since)...)
	}
	u.silent(came)
	u.book.Close(u.end)
	u.total(b, since)
	return nil
}

// when says whether a bucket is of the time since the injection, or, because it
// lies across it, of neither time.
func (u *byUnits) when(b analysis.Bucket) (since, neither bool) {
	since = !u.injecting.IsZero() && !b.Start.Before(u.injecting)
	return since, !u.injecting.IsZero() && !since && b.Start.Add(b.Width).After(u.injecting)
}

// advance brings the book to a bucket: what lies between it and the one before
// is missing, and so is one in which a target is gone. The time since the
// injection begins with it, or with the end of the bucket that lies across it.
func (u *byUnits) advance(b analysis.Bucket, since bool) {
	if since && u.injected.IsZero() {
		u.book.Miss(u.injecting.Sub(u.end))
		if u.injecting.After(u.end) {
			u.end = u.injecting
		}
		u.injected = u.book.Inject(u.end)
	}
	u.book.Miss(b.Start.Sub(u.end))
	u.end = b.Start.Add(b.Width)
	if u.gone(b.Units) != "" {
		u.book.Miss(b.Width)
	}
}

// gone is a target that was counted and is told of no more: if it went down, what
// it did not answer is counted by nobody.
func (u *byUnits) gone(units []analysis.Unit) string {
	if u.targets == 0 {
		return ""
	}
	there := [2]map[string]bool{{}, {}}
	for _, unit := range units {
		there[armOf(unit)][unit.Name] = true
	}
	for arm, names := range u.names {
		for name := range names {
			if !there[arm][name] {
				return name
			}
		}
	}
	return ""
}

func armOf(u analysis.Unit) slots.Arm {
	if u.Experiment {
		return slots.Experiment
	}
	return slots.Control
}

// size is how many slots an arm has.
func (u *byUnits) size() int {
	if u.targets > 0 {
		return u.targets
	}
	return slots.Labels
}

func (u *byUnits) bookRows() (rows []slots.Row) {
	for _, r := range u.rows {
		rows = append(rows, slots.Row{Name: r.Name, PerUnit: r.Of == mishap.CountEvents})
	}
	for i, at := range u.changes {
		if at >= 0 {
			rows = append(rows, slots.Row{Name: u.rows[i].Name + slots.Changed, Whole: true})
		}
	}
	return rows
}

// places are where units are counted, or why one is none.
func (u *byUnits) places(units []analysis.Unit) ([]slots.Place, error) {
	if u.broken != nil {
		return nil, u.broken
	}
	var all []slots.Place
	for _, unit := range units {
		slot, err := u.slot(armOf(unit), unit.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, slots.Place{Arm: armOf(unit), Slot: slot})
	}
	return all, nil
}

// slot is that of a label's value. A target is in one arm, and one of as many as
// there are.
func (u *byUnits) slot(arm slots.Arm, name string) (uint32, error) {
	label := u.metric.Unit
	if u.targets == 0 {
		n, err := strconv.ParseUint(name, 10, 32)
		if err != nil || n >= slots.Labels || strconv.FormatUint(n, 10) != name {
			return 0, fmt.Errorf("%w: %s is %q, and mishap.slot is a number from 0 to %d", ErrMissing, label, name, slots.Labels-1)
		}
		return uint32(n), nil
	}
	if at, known := u.names[arm][name]; known {
		return at, nil
	}
	n := len(u.names[arm])
	switch _, other := u.names[1-arm][name]; {
	case other:
		u.broken = notUnits(fmt.Sprintf("%s %q is in both arms, and so is no unit; write as unit a label that names a target", label, name))
	case n >= u.targets:
		u.broken = notUnits(fmt.Sprintf("%s has more values in %s than there are targets, which are %d; write as unit a label that a target keeps, such as instance", label, armName(arm), u.targets))
	}
	if u.broken != nil {
		return 0, u.broken
	}
	u.names[arm][name] = uint32(n)
	return uint32(n), nil
}

func armName(a slots.Arm) string {
	if a == slots.Control {
		return "control"
	}
	return "the experiment"
}

func (u *byUnits) total(b analysis.Bucket, since bool) {
	sum := &u.before
	if since {
		sum = &u.since
	}
	c, e := b.Control, b.Experiment
	sum.Requests = plus(sum.Requests, mishap.ArmCount{Control: c.Requests, Experiment: e.Requests})
	sum.Failed = plus(sum.Failed, mishap.ArmCount{Control: c.Requests - c.Successes, Experiment: e.Requests - e.Successes})
}

// Counted gives what is counted of the units.
func (u *byUnits) Counted() (Counts, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.broken != nil:
		return Counts{}, u.broken
	case u.book == nil && u.failed != nil:
		return Counts{}, u.failed
	case u.book == nil:
		return Counts{}, fmt.Errorf("%w: nothing was read of units yet", ErrUnavailable)
	}
	return Counts{Sums: u.book.Snapshot(0), Thresholds: slices.Clone(u.limits), Before: u.before, Since: u.since}, nil
}

// Binned says that thresholds must be bounds of the histograms, since nothing is
// known of what lies between.
func (u *byUnits) Binned() bool { return true }

// SetThresholds fixes beyond what answers are slow. They are counted from the
// next bucket on.
func (u *byUnits) SetThresholds(_ context.Context, all []Threshold) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range all {
		if u.bound(t.Control) < 0 || u.bound(t.Experiment) < 0 {
			return fmt.Errorf("%s: %s and %s are no bounds of the histogram", t.Row, t.Control, t.Experiment)
		}
	}
	if u.limits != nil && !slices.Equal(u.limits, all) {
		return fmt.Errorf("the thresholds of %s are fixed already", u.metric.Name)
	}
	u.limits = slices.Clone(all)
	return nil
}

// Injecting says that the faults are put in from a time on. A bucket that lies
// across it is counted nowhere.
func (u *byUnits) Injecting(_ context.Context, at time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.injecting.IsZero() {
		u.injecting = at.Round(0)
	}
	return nil
}

// Delay is the source's.
func (u *byUnits) Delay() time.Duration { return u.source.Delay() }

// Width is the source's.
func (u *byUnits) Width() time.Duration { return widthOf(u.source) }

// Prepare prepares the source.
func (u *byUnits) Prepare(ctx context.Context) error { return prepare(ctx, u.source) }

// Close closes the source.
func (u *byUnits) Close() error { return closeSource(u.source) }
