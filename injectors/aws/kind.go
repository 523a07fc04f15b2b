package aws

import (
	"context"
	"errors"

	"mishap"
	"mishap/internal/cloud"
)

// Deps is what these injectors need from the rest of the program.
type Deps struct {
	// Place is where faults may be: an account and a region that the settings list.
	// Empty is what they list alone, or what the AWS configuration says.
	Place func(ctx context.Context, account, region string) (cloud.Place, error)
	// Recorded is where an injection is, whatever the settings list today.
	Recorded func(ctx context.Context, at cloud.At) (cloud.Place, error)
	// Vault is what the vault of a place needs, beside the fault; nil if there is none.
	Vault func(at mishap.Place) []mishap.Statement
}

// defaultBatch is the most things of one injecting call: what one record of undo
// has room for.
const defaultBatch = 100

// injector is any fault in AWS.
type injector[With any] struct {
	fault[With]
	deps    Deps
	targets targets
	with    With
	asked   *asked
}

// injectorKind is the fault in the catalog.
func (f fault[With]) injectorKind(d Deps) mishap.InjectorKind {
	var none With
	memory := &asked{}
	f.about = f.shaped()
	if f.batch == 0 {
		f.batch = defaultBatch
	}
	f.do = append(f.do, reading(identity), allow{actions: []string{simulate}, on: "arn:{partition}:iam::{account}:*", plan: true})
	if f.kind == instanceKind {
		f.do = append(f.do, allow{actions: []string{groupsRead, hooksRead}, on: "*", plan: true})
	}
	f.undo = append(f.undo, reading(identity))
	return mishap.InjectorKind{
		Kind:    mishap.Kind{Name: f.name, Summary: f.summary, Doc: f.doc, Params: none, Example: f.example},
		Targets: targets{}, Symptom: f.symptom, Keeper: mishap.KeeperProcess, Samples: true, Class: f.class,
		Batch: f.batch, Settles: f.settles, RevertTakes: f.revertTakes,
		Do: words(f.do), Undo: words(f.undo), Permits: f.permits, WhenLost: f.whenLost,
		Needs: func(m mishap.Fault, places []mishap.Place, tags map[string]string) (mishap.Permissions, error) {
			t, _, err := parameters[With](m)
			return f.finding(t).needs(t, places, tags), err
		},
		New: func(m mishap.Fault) (mishap.Injector, error) {
			t, with, err := parameters[With](m)
			return &injector[With]{fault: f.finding(t), deps: d, targets: t, with: with, asked: memory}, errors.Join(err, f.problems(t), f.problemsOf(with))
		},
		Restore: func(mishap.Injection) (mishap.Injector, error) {
			return &injector[With]{fault: f, deps: d, asked: memory}, nil
		},
		Uses: func(m mishap.Fault) (mishap.Uses, error) { // AWS is reached where the settings list the place
			t, with, err := parameters[With](m)
			return mishap.UsesOf(t, with), err
		},
	}
}

func parameters[With any](m mishap.Fault) (t targets, with With, err error) {
	err = errors.Join(mishap.Decode("targets", m.Targets, &t), mishap.Decode("with", m.With, &with))
	return t, with, err
}

// problemsOf names what is wrong with the parameters.
func (f fault[With]) problemsOf(with With) error {
	var all []error
	if w, tells := any(with).(interface{ problems() []error }); tells {
		all = w.problems()
	}
	if f.wrong != nil {
		all = append(all, f.wrong(with)...)
	}
	return errors.Join(all...)
}
