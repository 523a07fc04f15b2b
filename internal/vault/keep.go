package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mishap"
)

// Keep is what one run has in the vaults. Hold, Adopt and Settle come one after
// another; the others may be called by many, in between.
type Keep struct {
	vaults *Vaults
	run    string
	mu     sync.Mutex
	parts  []*part
}

// part is what it has in one of them.
type part struct {
	where   mishap.Place
	records map[string][]string // by name: which injections are in it; also of those that may not be written
	claims  map[string]string   // by name: the thing
	unsure  []string            // claims of which it is not known whether they were made
	adopted bool                // another process wrote it: what there is must be read
	stop    func()              // ends the renewals
	lapse   lapse
}

// Keep is that of a run, which has nothing in any vault yet, or is taken over with
// [Keep.Adopt].
func (v *Vaults) Keep(run string) *Keep { return &Keep{vaults: v, run: run} }

// settleWithin bounds what a run waits for at its end. What it does not come to,
// a sweep does.
const settleWithin = 2 * time.Minute

// Hold makes durable what reverts the injections, each in the vault of its place,
// and lets the run be the only one that changes these things; on an error nothing
// may be injected. An error that wraps [mishap.ErrTaken] is that a run of another
// ledger changes one of them. Whatever it answers, [Keep.Settle] must follow.
func (k *Keep) Hold(ctx context.Context, all []mishap.Injection) error {
	for _, in := range all {
		if Keeps(in) {
			k.part(in.Target.Where)
		}
	}
	return everywhere(k.all(), func(p *part) error {
		if err := k.hold(ctx, p, within(all, p.where)); err != nil {
			return fmt.Errorf("%s: %w", inPlace(p.where), err)
		}
		return nil
	})
}

// part is what the run has in a place, from now on.
func (k *Keep) part(where mishap.Place) *part {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.parts {
		if p.where == where {
			return p
		}
	}
	p := &part{where: where, records: map[string][]string{}, claims: map[string]string{}, stop: func() {}}
	k.parts = append(k.parts, p)
	return p
}

func (k *Keep) all() []*part {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.parts)
}

// within are the injections of a place that belong in a vault.
func within(all []mishap.Injection, where mishap.Place) []mishap.Injection {
	return slices.DeleteFunc(slices.Clone(all), func(in mishap.Injection) bool { return in.Target.Where != where || !Keeps(in) })
}

func (k *Keep) hold(ctx context.Context, p *part, all []mishap.Injection) error {
	records, texts, err := pack(k.run, k.vaults.By, all)
	if err != nil {
		return err
	}
	s, err := k.vaults.store(ctx, p.where)
	if err != nil {
		return err
	}
	p.lapse.prolonged(time.Now()) // by what is written next
	p.stop = k.vaults.renew(p.where, k.run, renewEvery, p.lapse.prolonged)
	if err := s.Delete(ctx, holdName(k.run)); err != nil { // who could not remove what it writes must not write it
		return err
	}
	mine := things(all)
	for _, thing := range mine {
		if err := k.claim(ctx, s, p, thing); err != nil {
			return err
		}
	}
	if err := k.yield(ctx, s, mine); err != nil {
		return err
	}
	for n, r := range records {
		name := recordName(k.run, n+1)
		p.records[name] = idsOf(r.Injections)
		if err := s.Put(ctx, name, texts[n]); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	switch item, err := read(ctx, s, recordName(k.run, 1)); { // what may be encrypted may not be read for that
	case err != nil:
		return fmt.Errorf("read back what was written: %w", err)
	case item.Text != texts[0]:
		return errors.New("what is read back is not what was written")
	}
	return nil
}

func idsOf(all []mishap.Injection) (ids []string) {
	for _, in := range all {
		ids = append(ids, in.ID)
	}
	return ids
}

// claim makes the thing this run's, or says whose it is.
func (k *Keep) claim(ctx context.Context, s Store, p *part, thing string) error {
	name := claimName(thing)
	text, err := mark{Run: k.run, By: k.vaults.By, Thing: thing}.text()
	if err != nil {
		return err
	}
	switch err := s.Create(ctx, name, text); {
	case errors.Is(err, ErrExists):
		item, err := read(ctx, s, name)
		if err != nil {
			return fmt.Errorf("see who claimed %s: %w", thing, err)
		}
		by, err := parseMark(item.Text)
		if err != nil {
			return fmt.Errorf("%s is claimed (%w), and who did cannot be read: %w", thing, mishap.ErrTaken, err)
		}
		if by.Run != k.run { // else the answer was lost, and the call was made again
			return taken(thing, by.Run, by.By)
		}
	case err != nil:
		p.unsure = append(p.unsure, name)
		return fmt.Errorf("claim %s: %w", thing, err)
	}
	p.claims[name] = thing
	return nil
}

// read reads what is there. What has just been written may not be seen yet.
func read(ctx context.Context, s Store, name string) (item Item, err error) {
	const tries = 10
	for range tries {
		if item, err = s.Get(ctx, name); !errors.Is(err, ErrAbsent) {
			return item, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return item, ctx.Err()
		}
	}
	return item, err
}

func taken(thing, run, by string) error {
	return mishap.WithHint(fmt.Errorf("%s is changed by run %s of %s: %w", thing, run, by, mishap.ErrTaken),
		"wait until that is over; if it was lost, `mishap sweep` reverts what it left")
}

// yield says which of the things the record of another run is about: its claim may
// have been removed. What cannot be read keeps its claims.
func (k *Keep) yield(ctx context.Context, s Store, mine []string) error {
	var found error
	err := s.List(ctx, recordsFolder, func(items []Item, _ time.Time) error {
		for _, item := range items {
			r, err := parseRecord(item.Text)
			if err != nil || r.Run == k.run {
				continue
			}
			for _, thing := range things(r.Injections) {
				if _, same := slices.BinarySearch(mine, thing); same {
					found = taken(thing, r.Run, r.By)
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for what other runs change: %w", err)
	}
	return found
}

// Adopt keeps others from what a run of a lost server left, while it is reverted.
// It waits for nothing.
func (k *Keep) Adopt(all []mishap.Injection) {
	for _, in := range all {
		if Keeps(in) {
			k.part(in.Target.Where).adopted = true
		}
	}
	for _, p := range k.all() {
		p.stop = k.vaults.renew(p.where, k.run, 0, p.lapse.prolonged)
	}
}

// Settle ends it: what is about none of the injections that are left is removed.
// The rest is anybody's to sweep once its hold is over.
func (k *Keep) Settle(ctx context.Context, left []mishap.Injection) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
	defer cancel()
	return everywhere(k.all(), func(p *part) error {
		p.stop()
		if err := k.settle(ctx, p, within(left, p.where)); err != nil {
			return fmt.Errorf("%s: %w", inPlace(p.where), err)
		}
		return nil
	})
}

// settle removes records first: without them nobody reverts; and the hold last.
func (k *Keep) settle(ctx context.Context, p *part, left []mishap.Injection) error {
	s, err := k.vaults.store(ctx, p.where)
	if err != nil {
		return err
	}
	if p.adopted || p.lapse.lapsed() { // what it claimed may be another run's by now
		if err := k.find(ctx, s, p); err != nil {
			return err
		}
	}
	ids, kept := idsOf(left), things(left)
	var records, claims []string
	for name, of := range p.records {
		if !slices.ContainsFunc(of, func(id string) bool { return slices.Contains(ids, id) }) {
			records = append(records, name)
		}
	}
	for name, thing := range p.claims {
		if _, keep := slices.BinarySearch(kept, thing); !keep {
			claims = append(claims, name)
		}
	}
	if err := s.Delete(ctx, records...); err != nil {
		return fmt.Errorf("remove records: %w", err)
	}
	for _, name := range p.unsure { // it may be another run's
		if item, err := s.Get(ctx, name); err == nil {
			if m, err := parseMark(item.Text); err == nil && m.Run == k.run {
				claims = append(claims, name)
			}
		}
	}
	if len(left) == 0 {
		claims = append(claims, holdName(k.run))
	}
	if err := s.Delete(ctx, claims...); err != nil {
		return fmt.Errorf("remove claims: %w", err)
	}
	return nil
}

// find lists what there is of the run, which another process may have written or
// swept. A record that cannot be read stays, for a person.
func (k *Keep) find(ctx context.Context, s Store, p *part) error {
	p.claims = map[string]string{}
	err := s.List(ctx, recordsFolder+"/"+k.run, func(items []Item, _ time.Time) error {
		for _, item := range items {
			if r, err := parseRecord(item.Text); err == nil {
				p.records[item.Name] = idsOf(r.Injections)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list records: %w", err)
	}
	err = s.List(ctx, claimsFolder, func(items []Item, _ time.Time) error {
		for _, item := range items {
			if m, err := parseMark(item.Text); err == nil && m.Run == k.run {
				p.claims[item.Name] = m.Thing
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list claims: %w", err)
	}
	return nil
}
