package aws

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

// located is a thing and where it is.
type located struct {
	thing
	place cloud.Place
}

// Prepare finds the targets, and asks whether it could be done and undone.
func (i *injector[With]) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	meant, err := i.meant(ctx)
	if err != nil {
		return nil, err
	}
	var matched []located
	var others []string
	for _, m := range meant {
		m.targets.IDs, m.targets.Names = once(m.targets.IDs), once(m.targets.Names)
		if m.targets, err = i.grouped(ctx, m.place.Config, m.targets); err != nil {
			return nil, err
		}
		found, not, err := i.matched(ctx, m)
		if err != nil {
			return nil, err
		}
		matched, others = append(matched, found...), append(others, not...)
	}
	matched = distinct(matched)
	if len(matched) == 0 {
		return nil, target.None("no %s %s in %s fits the targets of %q%s", i.normal, i.noun, where(meant), req.Fault.Name, butThere(others))
	}
	picked, err := i.choose(req, matched)
	if err != nil {
		return nil, err
	}
	out, err := i.injections(req, picked, len(matched))
	if err != nil {
		return nil, err
	}
	notes, err := i.checked(ctx, req, picked.Chosen)
	if err != nil {
		return nil, err
	}
	out[0].Notes = append(append(out[0].Notes, i.notTaken(meant, matched, others)...), notes...)
	return out, nil
}

// distinct is what matched in the order of its ARNs, each once, however often it was
// named or listed: it counts once.
func distinct(matched []located) []located {
	slices.SortFunc(matched, func(a, b located) int { return cmp.Compare(a.arn, b.arn) })
	return slices.CompactFunc(matched, func(a, b located) bool { return a.arn == b.arn })
}

// once is each of a list once, in its order; nil stays nil.
func once(list []string) (out []string) {
	for _, one := range list {
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}

// meaning is what the targets say of one place.
type meaning struct {
	place   cloud.Place
	targets targets
}

// meant is where the targets are. ARNs say it themselves.
func (i *injector[With]) meant(ctx context.Context) (all []meaning, err error) {
	arns := i.targets.ARNs
	if len(arns) == 0 {
		place, err := i.deps.Place(ctx, i.targets.Account, i.targets.Region)
		return []meaning{{place, i.targets.in(place)}}, err
	}
	for _, text := range arns {
		id, account, region, _ := i.named(text)
		place, err := i.deps.Place(ctx, cmp.Or(account, i.targets.Account), cmp.Or(region, i.targets.Region))
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(all, func(m meaning) bool { return m.place.At == place.At })
		if at < 0 {
			at, all = len(all), append(all, meaning{place, i.targets.in(place)})
		}
		all[at].targets.IDs = append(all[at].targets.IDs, id)
	}
	return all, nil
}

func where(meant []meaning) (text string) {
	for n, m := range meant {
		if n > 0 {
			text += ", "
		}
		text += m.place.Account + " " + m.place.Region
	}
	return text
}

// matched lists what fits exactly in one place, and says how the others are that
// would, if they were normal.
func (i *injector[With]) matched(ctx context.Context, m meaning) (out []located, not []string, err error) {
	found, err := i.find(ctx, m.place.Config, m.targets, i.with)
	if err != nil {
		return nil, nil, err
	}
	if err := m.targets.unknown(found); err != nil {
		return nil, nil, err
	}
	not = i.absent(m, found)
	for _, one := range found {
		if !m.targets.fits(one) {
			continue
		}
		if one.now.status != normal {
			not = append(not, fmt.Sprintf("%s %s is %s", i.noun, one.id, one.now.word))
			continue
		}
		if one.owner = cmp.Or(one.owner, m.place.Account); one.owner != m.place.Account {
			one.unfit = i.shared(one)
		}
		one.arn = cmp.Or(one.arn, fill(i.arn, one.owner, m.place.Region, one.id))
		out = append(out, located{one, m.place})
	}
	return out, not, nil
}

// absent says which of those that were named nobody found.
func (i *injector[With]) absent(m meaning, found []thing) (not []string) {
	for _, id := range m.targets.IDs {
		if !slices.ContainsFunc(found, func(one thing) bool { return one.id == id }) {
			not = append(not, i.isNone(m, id))
		}
	}
	for _, name := range m.targets.Names {
		if !slices.ContainsFunc(found, func(one thing) bool { return one.name == name }) && !slices.Contains(m.targets.IDs, name) {
			not = append(not, i.isNone(m, name))
		}
	}
	return not
}

// isNone says that there is no such thing. What is not found by its name alone may be
// there, and not be meant.
func (a about) isNone(m meaning, named string) string {
	if a.byName {
		return fmt.Sprintf("there is no %s %s in %s", a.noun, named, where([]meaning{m}))
	}
	text := fmt.Sprintf("there is no %s %s %s in %s", a.normal, a.noun, named, where([]meaning{m}))
	if t := m.targets; len(t.Tags)+len(t.Zones) > 0 || t.Group+t.VPC+t.Stack != "" || len(t.IDs) > 0 && len(t.Names) > 0 {
		text += " that fits the rest of the targets"
	}
	return text
}

// butThere says how some are that would fit otherwise.
func butThere(others []string) string {
	const most = 3
	if len(others) == 0 {
		return ""
	}
	others = slices.Sorted(slices.Values(others))
	text := ": " + strings.Join(others[:min(len(others), most)], ", ")
	if more := len(others) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// shared says that what another account owns can be changed there alone.
func (a about) shared(one thing) error {
	return mishap.WithHint(fmt.Errorf("%s %s belongs to account %s, which only shares it with this one", a.noun, one.id, one.owner),
		"take it there: list account "+one.owner+" in the settings, and give its ARN; or choose others")
}

func (i *injector[With]) choose(req mishap.Request, matched []located) (target.Sample[located], error) {
	if !i.targets.PerZone {
		return target.Choose(i.targets.Selection, req, matched)
	}
	return target.ChooseOfEach(i.targets.Selection, req, matched, func(l located) string { return l.is[inZone] })
}

// checked asks in each place whether it could be done and undone, and whether the
// credentials are good for as long as that takes.
func (i *injector[With]) checked(ctx context.Context, req mishap.Request, chosen []located) (notes []string, err error) {
	for len(chosen) > 0 {
		place, here := chosen[0].place, []thing{}
		chosen = slices.DeleteFunc(slices.Clone(chosen), func(l located) bool {
			if l.place.At == place.At {
				here = append(here, l.thing)
			}
			return l.place.At == place.At
		})
		if i.check != nil {
			said, err := i.check(ctx, place.Config, i.with, here)
			if err != nil {
				return nil, err
			}
			notes = append(notes, said...)
		}
		var vault []mishap.Statement
		if i.deps.Vault != nil {
			vault = i.deps.Vault(mishap.Place{Account: place.Account, Region: place.Region})
		}
		said, err := i.permitted(ctx, place, here, vault)
		if err != nil {
			return nil, err
		}
		notes = append(notes, said...)
		if i.kind == instanceKind {
			notes = append(notes, remaining(ctx, place.Config, here)...)
		}
		if err := place.Outlasts(ctx, i.over(req.Fault)); err != nil {
			return nil, err
		}
	}
	return notes, nil
}

// notTaken says which of those that were asked for by id or name did not match. A
// name may be of things in any of the places.
func (i *injector[With]) notTaken(meant []meaning, matched []located, others []string) (notes []string) {
	note := func(at []meaning, asked []string, found func(text string, l located) bool) {
		for _, text := range once(asked) {
			if slices.ContainsFunc(matched, func(l located) bool { return found(text, l) }) {
				continue
			}
			why := fmt.Sprintf("it is not %s, or does not fit the rest of the targets", i.normal)
			if none := i.isNone(at[0], text); len(at) == 1 && slices.Contains(others, none) {
				why = none
			}
			notes = append(notes, fmt.Sprintf("%s %s is not taken: %s", i.noun, text, why))
		}
	}
	for _, m := range meant {
		note([]meaning{m}, m.targets.IDs, func(id string, l located) bool { return l.id == id && l.place.At == m.place.At })
	}
	note(meant, i.targets.Names, func(name string, l located) bool { return l.name == name })
	return notes
}

// injections are those of what was chosen.
func (i *injector[With]) injections(req mishap.Request, picked target.Sample[located], matched int) (out []mishap.Injection, err error) {
	for n, one := range picked.Chosen {
		if one.unfit != nil {
			return nil, one.unfit
		}
		undo, err := i.writeUndo(one.place, one.thing)
		if err != nil {
			return nil, err
		}
		in := mishap.Injection{
			Injector: req.Fault.Injector, With: req.Fault.With, Undo: undo, Notes: one.notes, Matched: matched,
			Keys: []mishap.Key{i.key(one, i.attribute)}, Target: i.target(one),
		}
		if picked.Control != nil {
			like := i.target(picked.Control[n])
			in.Control = &like
			in.Keys = append(in.Keys, i.key(picked.Control[n], mishap.ControlAttribute))
		}
		if picked.Note != "" {
			in.Notes = append(in.Notes, picked.Note)
		}
		out = append(out, in)
	}
	return out, nil
}

func (a about) target(one located) mishap.Target {
	return mishap.Target{ID: one.arn, Kind: a.kind, Name: one.name, Tags: one.tags, State: one.now.word,
		Where: mishap.Place{Account: one.place.Account, Region: one.place.Region}}
}

// key is a resource key of a target.
func (a about) key(one located, attribute string) mishap.Key {
	return mishap.Key{Thing: fmt.Sprintf("aws/%s/%s/%s/%s", one.place.Account, one.place.Region, a.noun, one.id), Attribute: attribute}
}

// over is when the fault's last revert is over at the latest, if it began now.
func (a about) over(f mishap.Fault) time.Time {
	return time.Now().Add(f.Lasts() + a.settles + a.revertTakes)
}
