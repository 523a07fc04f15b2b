package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/target"
)

// fault is what is particular to one fault in AWS. What all have in common is
// the injector's: choosing, checks of the account, undo, resource keys, waiting,
// reading back, and what errors say.
//
// Client is the SDK's, of one service. It must stay what it is: converted to an
// interface, all of its methods are linked. With is what the parameters are read
// into.
type fault[Client, With any] struct {
	name, summary, doc, example, whenLost string

	do, undo []string // permissions of this API, to inject and to revert

	noun      string // "instance": in texts, in resource keys, and where undo has the id
	kind      string // "ec2-instance": of the target
	attribute string // what of it changes: "state"
	normal    string // how it is when it can be taken: "running"
	injecting string // how it must have become once it was asked for: "stopping"
	id        *regexp.Regexp
	idLike    string // an id, as an example

	connect func(aws.Config) Client

	// find lists what may fit: all ids, or all that carry the tags. It need not
	// be exact: what is not normal, or lacks a tag, is left out afterwards.
	find func(ctx context.Context, client Client, t targets, with With) ([]thing, error)

	// check says why those that were chosen could not be injected, or reverted.
	// It changes nothing.
	check func(ctx context.Context, client Client, with With, chosen []thing) error

	// inject asks for the fault, once: a call that is repeated behind our back
	// may act after its injection was reverted.
	inject func(ctx context.Context, client Client, on recorded[With]) error

	// revert asks for what undoes it, only where read says that it is injected.
	// An API that cannot do it yet is no error: it is read and asked again.
	revert func(ctx context.Context, client Client, on recorded[With]) error

	// read looks at it as it is now.
	read func(ctx context.Context, client Client, on recorded[With]) (look, error)
}

// thing is something that a fault may be put on.
type thing struct {
	id, name string
	tags     map[string]string
	now      look
	before   any      // what reverting needs besides the id; nil: nothing
	notes    []string // for the plan
	unfit    error    // why it cannot be taken, if it is chosen
}

// recorded is a thing as its injection has it.
type recorded[With any] struct {
	injection, id string
	before        json.RawMessage
	with          With
}

// look is how a thing is.
type look struct {
	status status
	word   string // as the API calls it
}

// status is what a look means to a fault.
type status int

const (
	normal    status = iota // as it is without the fault
	changing                // on its way to normal
	injecting               // on its way to injected, and not to be reverted before
	injected                // the fault is in force
	gone                    // it is no more
	foreign                 // somebody else changed it, and what they wrote stays
)

// targets says which things are meant, in words that all faults share.
type targets struct {
	Region string            `json:"region,omitempty" jsonschema:"AWS region, default that of the AWS configuration"`
	IDs    []string          `json:"ids,omitempty" jsonschema:"their ids in AWS"`
	Tags   map[string]string `json:"tags,omitempty" jsonschema:"tags that each must carry, all of them; case-sensitive, without wildcards"`
	target.Selection
}

// injectorKind is the fault in the catalog.
func (f fault[Client, With]) injectorKind(d Deps) mishap.InjectorKind {
	var none With
	const identity = "sts:GetCallerIdentity"
	return mishap.InjectorKind{
		Kind:    mishap.Kind{Name: f.name, Summary: f.summary, Doc: f.doc, Params: none, Example: f.example},
		Targets: targets{}, Keeper: mishap.KeeperProcess, Samples: true,
		Do: append(slices.Clone(f.do), identity), Undo: append(slices.Clone(f.undo), identity), WhenLost: f.whenLost,
		New: func(m mishap.Fault) (mishap.Injector, error) {
			t, with, err := f.parameters(m)
			return &injector[Client, With]{fault: f, deps: d, targets: t, with: with}, errors.Join(err, f.problems(t), problemsOf(with))
		},
		Restore: func(mishap.Injection) (mishap.Injector, error) {
			return &injector[Client, With]{fault: f, deps: d}, nil
		},
		Uses: func(m mishap.Fault) (mishap.Uses, error) { // AWS is reached where the settings list the place
			t, with, err := f.parameters(m)
			return mishap.UsesOf(t, with), err
		},
	}
}

func (f fault[Client, With]) parameters(m mishap.Fault) (t targets, with With, err error) {
	err = errors.Join(mishap.Decode("targets", m.Targets, &t), mishap.Decode("with", m.With, &with))
	return t, with, err
}

// problems names what is wrong with the targets.
func (f fault[Client, With]) problems(t targets) error {
	problems := []error{t.CheckSelection()}
	if len(t.IDs) == 0 && len(t.Tags) == 0 {
		problems = append(problems, &mishap.FieldError{Path: "targets", Msg: "name no " + f.noun, Hint: "give tags or ids"})
	}
	for i, id := range t.IDs {
		if !f.id.MatchString(id) {
			problems = append(problems, &mishap.FieldError{Path: fmt.Sprintf("targets.ids[%d]", i), Msg: fmt.Sprintf("%q is not %s id", id, withArticle(f.noun)), Hint: "write it like " + f.idLike})
		}
	}
	return errors.Join(problems...)
}

func withArticle(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// problemsOf names what is wrong with the parameters, if they can tell.
func problemsOf(with any) error {
	if w, tells := with.(interface{ problems() []error }); tells {
		return errors.Join(w.problems()...)
	}
	return nil
}
