package injectortest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"mishap"
	"mishap/internal/usestest"
)

// usesWhatItDeclares: policies ask what a fault declares, and nothing else.
func usesWhatItDeclares(t *testing.T, w World, _ mishap.Fault) {
	if w.Untraced != "" {
		t.Skip(w.Untraced)
	}
	faults := map[string]mishap.Fault{"fault": w.Fault(t)}
	if w.More != nil {
		maps.Copy(faults, w.More(t))
	}
	if w.Kind.Keeper != mishap.KeeperProxy { // which reads the parameters itself
		var with, targets []json.RawMessage
		for _, f := range faults {
			with, targets = append(with, f.With), append(targets, f.Targets)
		}
		usestest.Covers(t, "with", w.Kind.Params, with)
		usestest.Covers(t, "targets", w.Kind.Targets, targets)
	}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		t.Run(name, func(t *testing.T) {
			c := usestest.Case{Kind: "injector " + w.Kind.Name, Work: func() { lifetime(t, w, faults[name]) }}
			if w.Kind.Uses != nil {
				declared, err := w.Kind.Uses(faults[name])
				if err != nil {
					t.Fatalf("declare: %v", err)
				}
				c.Declared = declared
			}
			if w.Granted != nil {
				c.Granted = w.Granted()
			}
			usestest.Check(t, c)
		})
	}
}

// lifetime is all that is ever done with a fault.
func lifetime(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	own, owns := injector.(owner)
	for _, in := range all {
		if owns {
			must(t, "own", own.Own(callContext(t), in))
		}
		must(t, "inject", injector.Inject(callContext(t), in))
		mustVerify(t, injector, []mishap.Injection{in}, mishap.Yes)
		if r, ok := injector.(renewer); ok {
			must(t, "renew", r.Renew(callContext(t), in))
		}
		if owns {
			_, err := own.Disturbed(callContext(t), in)
			must(t, "disturbed", err)
		}
		other, err := w.Kind.Restore(throughJSON(t, in))
		must(t, "restore", err)
		_, err = other.Revert(callContext(t), in)
		must(t, "revert", err)
		_, err = other.Verify(callContext(t), in)
		must(t, "verify", err)
		if owns {
			must(t, "disown", own.Disown(callContext(t), in))
		}
	}
}

// owner and renewer are what an injector may be besides.
type (
	owner interface {
		Own(ctx context.Context, in mishap.Injection) error
		Disturbed(ctx context.Context, in mishap.Injection) ([]mishap.Disturbance, error)
		Disown(ctx context.Context, in mishap.Injection) error
	}
	renewer interface {
		Renew(ctx context.Context, in mishap.Injection) error
	}
)

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
