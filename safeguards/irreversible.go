package safeguards

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"mishap"
)

type irreversibleWith struct {
	Allow bool `json:"allow" jsonschema:"true allows faults that mishap cannot undo"`
}

func irreversibleKind(d Deps) mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "irreversible",
			Summary: "faults without an undo need an explicit yes",
			Doc: "Refuses a fault that mishap cannot undo, such as process-kill, unless the experiment itself says that this is meant. " +
				"Always on.",
			Params:  irreversibleWith{},
			Example: "safeguard: irreversible\nwith: {allow: true}\n",
		},
		Always: true,
		New: func(with json.RawMessage) (mishap.Safeguard, error) {
			w, err := readIrreversible(with)
			if err != nil {
				return nil, err
			}
			return checkFunc(func(_ context.Context, s mishap.Situation) error { return d.checkIrreversible(w, s) }), nil
		},
		Uses: func(with json.RawMessage) (mishap.Uses, error) {
			w, err := readIrreversible(with)
			return mishap.UsesOf(w), err
		},
	}
}

func readIrreversible(with json.RawMessage) (w irreversibleWith, err error) {
	err = mishap.Decode("with", with, &w)
	return w, err
}

func (d Deps) checkIrreversible(w irreversibleWith, s mishap.Situation) error {
	if d.Irreversible == nil {
		return missing("which faults have no undo")
	}
	var names []string
	for _, f := range s.Plan.Experiment.Faults {
		if d.Irreversible(f.Injector) && !slices.Contains(names, f.Injector) {
			names = append(names, f.Injector)
		}
	}
	if names == nil || w.Allow {
		return nil
	}
	return &mishap.Veto{
		Safeguard: "irreversible",
		Reason:    strings.Join(names, ", ") + " cannot be undone",
		Hint:      "if that is meant, add to safeguards: {safeguard: irreversible, with: {allow: true}}",
	}
}
