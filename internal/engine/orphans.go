package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"mishap"
	"mishap/internal/ledger"
)

// Orphan is a run whose server is gone before its end.
type Orphan struct {
	ledger.Record
	Run  *mishap.Run
	Away bool // something is in another machine itself, which only a server there can reach
}

// Orphans lists the runs whose servers are gone, and those of this one that
// nobody here is on, oldest first.
func (t *Takeover) Orphans(ctx context.Context) ([]Orphan, error) {
	return t.unfinished(ctx, func(r ledger.Record, alive bool) bool { return !alive || t.member.Unattended(r) })
}

// revertible are the orphans, and what is stranded with a server that lives: that
// tries again after minutes, and a person does not wait for it.
func (t *Takeover) revertible(ctx context.Context) ([]Orphan, error) {
	return t.unfinished(ctx, func(r ledger.Record, alive bool) bool {
		return !alive || r.State == mishap.Stranded || t.member.Unattended(r)
	})
}

// unfinished lists the runs that are meant, oldest first.
func (t *Takeover) unfinished(ctx context.Context, meant func(r ledger.Record, alive bool) bool) ([]Orphan, error) {
	if !t.member.HasLedger(ctx) {
		return nil, nil
	}
	book, err := t.member.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	active, err := book.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	var all []Orphan
	for _, r := range active {
		alive, err := book.Alive(ctx, r.Server)
		if err != nil {
			return all, err
		}
		if !meant(r, alive) {
			continue
		}
		entries, err := book.Entries(ctx, r.ID)
		if err != nil {
			return all, err
		}
		run, err := mishap.Replay(entries)
		if err != nil {
			return all, err
		}
		all = append(all, Orphan{r, run, elsewhere(run)})
	}
	return all, nil
}

// Leftovers names what lost servers left: one line per fault that is or may be
// in, or per run that only has to be closed.
func (t *Takeover) Leftovers(ctx context.Context) ([]string, error) {
	if _, err := os.Stat(t.settings.State); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing was ever run
	}
	orphans, err := t.Orphans(ctx)
	unaccounted, unasked, errUndo := t.aid.Unaccounted(ctx)
	var lines []string
	for _, o := range orphans {
		left := o.Run.Outstanding()
		what := "was lost"
		if o.Run.State == mishap.Stranded {
			what = "is stranded"
		}
		if o.Away {
			what += " with machine " + o.Run.Plan.Host
		}
		for _, in := range left {
			lines = append(lines, fmt.Sprintf("run %s of %s %s: %s on %s may still be in force (%s)", o.ID, o.Experiment, what, in.Fault, in.Target.Label(), in.State))
		}
		if len(left) == 0 {
			lines = append(lines, fmt.Sprintf("run %s of %s was lost while %s; nothing is in force", o.ID, o.Experiment, o.Run.State))
		}
	}
	for _, u := range append(unaccounted, unasked...) {
		if !u.Whole() {
			lines = append(lines, fmt.Sprintf("undo file %s cannot be read: %s; what it held may still be in force", u.Path, u.Damage))
		}
		for _, h := range u.Outstanding() {
			lines = append(lines, fmt.Sprintf("run %s, which is not in the ledger: %s on %s may still be in force (%s)", u.Run, h.Fault, h.Target.Label(), h.State))
		}
	}
	return lines, errors.Join(err, errUndo, t.aid.Unsettled())
}

// elsewhere reports whether something of a run is in another machine itself.
func elsewhere(r *mishap.Run) bool {
	host, err := os.Hostname()
	if err != nil || r.Plan.Host == host || r.Plan.Host == "" || !r.State.Touched() {
		return false
	}
	for _, in := range r.Injections {
		if in.Target.Where.Local() {
			return true
		}
	}
	return false
}
