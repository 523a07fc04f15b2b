package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/target"
)

// injector is any fault in AWS.
type injector[Client, With any] struct {
	fault[Client, With]
	deps    Deps
	targets targets
	with    With
}

// Prepare finds the targets, and asks whether it could be done and undone.
func (i *injector[Client, With]) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	place, err := i.deps.Place(ctx, i.targets.Region)
	if err != nil {
		return nil, err
	}
	client := i.connect(place.Config)
	matched, err := i.matched(ctx, client)
	if err != nil {
		return nil, err
	}
	if len(matched) == 0 {
		return nil, target.None("no %s %s in %s %s fits the targets of %q", i.normal, i.noun, place.Account, place.Region, req.Fault.Name)
	}
	picked, err := target.Choose(i.targets.Selection, req, matched)
	if err != nil {
		return nil, err
	}
	var out []mishap.Injection
	for n, one := range picked.Chosen {
		if one.unfit != nil {
			return nil, one.unfit
		}
		in, err := i.injection(req, place, one)
		if err != nil {
			return nil, err
		}
		in.Matched = len(matched)
		if picked.Control != nil {
			like := i.target(place, picked.Control[n])
			in.Control = &like
			in.Keys = append(in.Keys, i.key(place, like.ID, mishap.ControlAttribute))
		}
		if picked.Note != "" {
			in.Notes = append(in.Notes, picked.Note)
		}
		out = append(out, in)
	}
	out[0].Notes = append(out[0].Notes, i.notTaken(matched)...)
	if err := i.check(ctx, client, i.with, picked.Chosen); err != nil {
		return nil, err
	}
	return out, nil
}

// matched lists what fits exactly, by id.
func (i *injector[Client, With]) matched(ctx context.Context, client Client) ([]thing, error) {
	found, err := i.find(ctx, client, i.targets, i.with)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(t thing) bool { return t.now.status != normal || !carries(t.tags, i.targets.Tags) })
	slices.SortFunc(found, func(a, b thing) int { return strings.Compare(a.id, b.id) })
	return found, nil
}

// carries compares tags exactly: AWS's filters read * and ? as wildcards, and
// would match more than the experiment says.
func carries(have, want map[string]string) bool {
	for key, value := range want {
		if got, ok := have[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// notTaken says which of those that were asked for did not match.
func (i *injector[Client, With]) notTaken(matched []thing) (notes []string) {
	for _, id := range i.targets.IDs {
		if !slices.ContainsFunc(matched, func(t thing) bool { return t.id == id }) {
			notes = append(notes, fmt.Sprintf("%s %s is not taken: it is not %s, or lacks the tags", i.noun, id, i.normal))
		}
	}
	return notes
}

func (i *injector[Client, With]) injection(req mishap.Request, place Place, one thing) (mishap.Injection, error) {
	undo, err := i.writeUndo(place, one)
	return mishap.Injection{
		Injector: req.Fault.Injector, With: req.Fault.With, Undo: undo, Notes: one.notes,
		Keys: []mishap.Key{i.key(place, one.id, i.attribute)}, Target: i.target(place, one),
	}, err
}

func (i *injector[Client, With]) target(place Place, one thing) mishap.Target {
	return mishap.Target{ID: one.id, Kind: i.kind, Name: one.name, Tags: one.tags, Where: mishap.Place{Account: place.Account, Region: place.Region}}
}

// key is a resource key of a target.
func (i *injector[Client, With]) key(place Place, id, attribute string) mishap.Key {
	return mishap.Key{Thing: fmt.Sprintf("aws/%s/%s/%s/%s", place.Account, place.Region, i.noun, id), Attribute: attribute}
}

// The fields of undo; the id is in one that is called as the noun.
const (
	undoAccount = "account"
	undoRegion  = "region"
	undoBefore  = "before"
)

func (i *injector[Client, With]) writeUndo(place Place, one thing) (json.RawMessage, error) {
	undo := map[string]any{undoAccount: place.Account, undoRegion: place.Region, i.noun: one.id}
	if one.before != nil {
		undo[undoBefore] = one.before
	}
	text, err := json.Marshal(undo)
	if err != nil {
		return nil, fmt.Errorf("write undo: %w", err)
	}
	return text, nil
}

// readUndo is where the target of an injection is, and what it was.
func (i *injector[Client, With]) readUndo(in mishap.Injection) (account, region string, on recorded[With], err error) {
	on.injection = in.ID
	var undo map[string]json.RawMessage
	text := func(key string) (s string) {
		if err == nil && undo[key] != nil {
			err = json.Unmarshal(undo[key], &s)
		}
		return s
	}
	err = json.Unmarshal(in.Undo, &undo)
	account, region, on.id, on.before = text(undoAccount), text(undoRegion), text(i.noun), undo[undoBefore]
	if err != nil || on.id == "" || region == "" {
		return "", "", on, fmt.Errorf("read undo of %s: it names no %s", in.ID, i.noun)
	}
	if err := mishap.Decode("with", in.With, &on.with); err != nil {
		return "", "", on, fmt.Errorf("read parameters of %s: %w", in.ID, err)
	}
	return account, region, on, nil
}
