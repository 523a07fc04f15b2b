package vault

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mishap"
)

// Sweeping says what a sweep does.
type Sweeping struct {
	Places []mishap.Place
	// Runs are meant by name, also what is held of them; none: everything that is past
	// its hold.
	Runs []string
	// Skip leaves out runs that are somebody's to revert; nil: none.
	Skip func(run string) bool
	// Begun is told of each record that is about to be reverted, of several places at
	// once; nil: nobody.
	Begun func(Found)
	// Revert reverts the injections of one record, and says of each what became of
	// it, in their order. Nil: nothing is reverted.
	Revert func(ctx context.Context, all []mishap.Injection) []Ended
}

// Ended is what became of an injection.
type Ended struct {
	State  mishap.InjectionState
	Detail string
}

// Swept is what a sweep found.
type Swept struct {
	Places  []SweptPlace
	Records []Found // by place, run and name
}

// SweptPlace is a vault that was looked into.
type SweptPlace struct {
	Where mishap.Place
	Err   error // why not all of it could be read, or tidied
}

// Found is a record, and what became of it.
type Found struct {
	Where     mishap.Place
	Name      string // below the path of the vault
	Run       string
	By        string
	HeldUntil time.Time // by the clock of its vault
	Held      bool      // by its owner, when it was read
	Swept     bool      // it was reverted, or that was tried
	Problem   error     // why it cannot be read, or removed
	Left      []Left
}

// Left is an injection of a record, and what became of it.
type Left struct {
	mishap.Injection
	Ended
}

// Out reports whether nothing of the record is or may still be in force.
func (f Found) Out() bool {
	return f.Swept && !slices.ContainsFunc(f.Left, func(l Left) bool { return !l.State.Settled() })
}

// sweep is a sweep of one place. Its list is appended to by the one that reads the
// vault, and what is found is changed by the one that reverts it.
type sweep struct {
	*Vaults
	Sweeping
	where mishap.Place
	store Store
	holds map[string]time.Time // by run: until when its owner holds it
	now   time.Time            // by the clock of the vault, when it was read last
	found []*Found
	side  sync.WaitGroup
	owned map[string]func() // by run: ends the renewals of this sweep
}

// Sweep looks into the vaults, side by side, and reverts what is meant as soon as it
// is read, each record beside the others. What is out it removes, and with the last
// record of a run what else it left.
func (v *Vaults) Sweep(ctx context.Context, o Sweeping) Swept {
	all := make([]*sweep, len(o.Places))
	swept := Swept{Places: make([]SweptPlace, len(o.Places))}
	var side sync.WaitGroup
	for i, where := range o.Places {
		s := &sweep{Vaults: v, Sweeping: o, where: where, owned: map[string]func(){}}
		all[i] = s
		side.Go(func() { swept.Places[i] = SweptPlace{Where: where, Err: s.sweep(ctx)} })
	}
	side.Wait()
	for _, s := range all {
		slices.SortFunc(s.found, func(a, b *Found) int { return cmp.Or(strings.Compare(a.Run, b.Run), strings.Compare(a.Name, b.Name)) })
		for _, f := range s.found {
			swept.Records = append(swept.Records, *f)
		}
	}
	return swept
}

func (s *sweep) sweep(ctx context.Context) (err error) {
	if s.store, err = s.Vaults.store(ctx, s.where); err != nil {
		return fmt.Errorf("%s: %w", inPlace(s.where), err)
	}
	// Before the records: those of a run that begins meanwhile are held by themselves.
	if err = s.readHolds(ctx); err == nil {
		err = s.store.List(ctx, recordsFolder, func(items []Item, now time.Time) error {
			for _, item := range items {
				s.take(ctx, item, now)
			}
			return nil
		})
	}
	s.side.Wait()
	for _, stop := range s.owned {
		stop()
	}
	if err == nil && s.Revert != nil {
		err = s.tidy(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", inPlace(s.where), err)
	}
	return nil
}

func (s *sweep) readHolds(ctx context.Context) error {
	s.holds = map[string]time.Time{}
	err := s.store.List(ctx, holdsFolder, func(items []Item, now time.Time) error {
		s.now = now
		for _, item := range items {
			if m, err := parseMark(item.Text); err == nil && item.Name == holdName(m.Run) {
				s.holds[m.Run] = item.Written.Add(m.Held.Std())
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list holds: %w", err)
	}
	return nil
}

// until is when the hold on a text of a run is over.
func (s *sweep) until(run string, item Item, held mishap.Duration) time.Time {
	own := item.Written.Add(held.Std())
	if prolonged := s.holds[run]; prolonged.After(own) {
		return prolonged
	}
	return own
}

// take decides about one record, and begins to revert it.
func (s *sweep) take(ctx context.Context, item Item, now time.Time) {
	f := &Found{Where: s.where, Name: item.Name, Run: runOf(item.Name)}
	if !s.named(f.Run) || s.skipped(f.Run) {
		return
	}
	s.found = append(s.found, f)
	r, err := parseRecord(item.Text)
	if err == nil && (r.Run != f.Run || r.Where != s.where) {
		err = fmt.Errorf("it is of run %s in %s %s, and does not belong there", r.Run, r.Where.Account, r.Where.Region)
	}
	if err != nil {
		f.Problem = err
		return
	}
	f.By, f.HeldUntil = r.By, s.until(f.Run, item, r.Held)
	f.Held = now.Before(f.HeldUntil)
	for _, in := range r.whole() {
		f.Left = append(f.Left, Left{Injection: in})
	}
	if s.Revert == nil || f.Held && len(s.Runs) == 0 {
		return
	}
	if s.Begun != nil {
		s.Begun(*f)
	}
	f.Swept = true
	if s.owned[f.Run] == nil { // so that no other sweep does the same
		s.owned[f.Run] = s.renew(s.where, f.Run, 0, nil)
	}
	s.side.Go(func() { s.revert(ctx, f, r.whole()) })
}

// runOf is the run that the name of a record says.
func runOf(name string) string {
	run, _, _ := strings.Cut(strings.TrimPrefix(name, recordsFolder+"/"), "/")
	return run
}

// named reports whether a run is meant.
func (s *sweep) named(run string) bool {
	return len(s.Runs) == 0 || slices.Contains(s.Runs, run)
}

func (s *sweep) skipped(run string) bool { return s.Skip != nil && s.Skip(run) }

// revert reverts a record and removes it.
func (s *sweep) revert(ctx context.Context, f *Found, all []mishap.Injection) {
	for i, ended := range s.Revert(ctx, all) {
		f.Left[i].Ended = ended
	}
	if f.Out() {
		f.Problem = s.store.Delete(ctx, f.Name)
	}
}

// tidy removes the marks of runs that have no record left here: of what was swept, and
// what is past its hold. Holds are read anew: reverting takes its time.
func (s *sweep) tidy(ctx context.Context) error {
	if err := s.readHolds(ctx); err != nil {
		return err
	}
	left, over := map[string]bool{}, map[string]bool{} // runs of which something is left, and of which all was swept
	for _, f := range s.found {
		out := f.Out() && f.Problem == nil
		left[f.Run], over[f.Run] = left[f.Run] || !out, true
	}
	may := func(run string, past bool) bool {
		return !left[run] && s.named(run) && !s.skipped(run) && (over[run] || past)
	}
	var claims []Item
	err := s.store.List(ctx, claimsFolder, func(items []Item, now time.Time) error {
		for _, item := range items {
			m, err := parseMark(item.Text)
			if err == nil && item.Name == claimName(m.Thing) && may(m.Run, now.After(s.until(m.Run, item, m.Held))) {
				claims = append(claims, item)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list claims: %w", err)
	}
	if err := s.release(ctx, claims); err != nil {
		return err
	}
	var gone []string
	for run, until := range s.holds {
		if s.owned[run] == nil && may(run, s.now.After(until)) {
			gone = append(gone, holdName(run))
		}
	}
	for run := range s.owned { // this sweep's own, which may not be seen yet
		if again := len(s.Runs) == 0; again || may(run, false) { // what is left may be tried again at once
			gone = append(gone, holdName(run))
		}
	}
	if err := s.store.Delete(ctx, gone...); err != nil {
		return fmt.Errorf("remove holds: %w", err)
	}
	return nil
}

// release removes claims, a few at a time, and each only if it is still the one that
// was listed: another sweep may have removed it, and another run have claimed the thing.
func (s *sweep) release(ctx context.Context, claims []Item) error {
	for some := range slices.Chunk(claims, releasedAtOnce) {
		var names []string
		for _, listed := range some {
			if is, err := s.store.Get(ctx, listed.Name); err == nil && is.Text == listed.Text {
				names = append(names, listed.Name)
			}
		}
		if err := s.store.Delete(ctx, names...); err != nil {
			return fmt.Errorf("remove claims: %w", err)
		}
	}
	return nil
}

// releasedAtOnce is how many claims are looked at before they are removed in one call.
const releasedAtOnce = 10
