package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
)

// fault is what is particular to one fault in AWS, over many things at once. What
// all have in common is the injector's: targets, choosing, the checks of account
// and region, undo, resource keys, batches, waiting and settling, reading back.
// Throttling, repeating and what errors say are the client's, see
// [mishap/internal/cloud].
//
// With is what the parameters are read into. The things of one call are in one
// account and region, and at most as many as about.batch says; the configuration
// is for there, and makes the client: newEC2(c). The SDK's client must never become
// a type parameter, nor be handed to what takes an interface, such as a paginator:
// all of its methods would be linked, thousands.
type fault[With any] struct {
	about

	// wrong names what is wrong with parameters that cannot tell themselves, as
	// [problemsOf] asks them; nil: nothing.
	wrong func(With) []error

	// find lists what may fit: all ids, or all that carry the tags. It need not be
	// exact: what is not normal or does not fit the targets is left out afterwards.
	find func(ctx context.Context, c aws.Config, t targets, with With) ([]thing, error)

	// check says why those that were chosen could not be injected, or reverted, and
	// notes what it could not ask. It changes nothing, and makes few calls, however
	// many were chosen: see [asking]. Nil: find has seen it all.
	check func(ctx context.Context, c aws.Config, with With, chosen []thing) (notes []string, err error)

	// inject asks for the fault, once each; what it makes of c repeats nothing. See [each]
	// and [together].
	inject func(ctx context.Context, c aws.Config, on []recorded[With]) []error

	// revert asks for what undoes it, of those that read says are injected. Nil: the
	// fault has no undo. An API that cannot do it yet is no error: it is read and
	// asked again.
	revert func(ctx context.Context, c aws.Config, on []recorded[With]) []error

	// read looks at them as they are now. See [lookEach] and [lookTogether].
	read func(ctx context.Context, c aws.Config, on []recorded[With]) []mishap.Reply[look]
}

// about is what is said of a fault.
type about struct {
	name, summary, doc, example, whenLost string

	symptom     mishap.Symptom
	class       mishap.Class
	batch       int           // most things of one injecting call; 0: 100
	settles     time.Duration // how long the API may show what was before
	revertTakes time.Duration // how long reverting may take, where that is longer than a moment

	do, undo []allow  // permissions of this API, to inject and to revert; reading is of both
	dryRuns  []string // the actions that check asks about by dry runs; IAM is asked about the rest

	noun      string                                // "instance": in texts, in resource keys, and where undo has the id
	kind      string                                // "ec2-instance": of the target
	arn       string                                // "arn:{partition}:ec2:{region}:{account}:instance/{id}"
	attribute string                                // what of it changes: "state"
	normal    string                                // how it is when it can be taken: "running"
	injecting string                                // how it must have become once it was asked for: "stopping"
	id        interface{ MatchString(string) bool } // see [like]
	shape     *pattern                              // see [about.shaped]
	idLike    string                                // an id, as an example
	byName    bool                                  // its name is its id, as far as targets go: not the tag Name
	paths     bool                                  // its id may stand behind a path, which targets do not say
	untold    bool                                  // its policies cannot tell targets by their tags
}

// someEach is the most things of a call where each takes several calls of an API
// whose rates AWS does not write of: more would not be done in the time that a call
// has, beside the looks at those that are in.
const someEach = 25

// thing is something that a fault may be put on.
type thing struct {
	id, name string
	arn      string // where about.arn and the id do not make it
	owner    string // its account, where another account may share it with this one
	tags     map[string]string
	now      look

	// is what targets can tell it by, besides id and tags: "zone", "vpc", "group",
	// and whatever `filters` may name.
	is map[string]string

	before any      // what reverting needs besides the id; nil: nothing
	notes  []string // for the plan
	unfit  error    // why it cannot be taken, if it is chosen
}

// recorded is a thing as its injection has it.
type recorded[With any] struct {
	injection       string // its id: what the fault creates is named after it, so that it is found again
	id, arn         string
	account, region string
	before          json.RawMessage // see [before]
	with            With
	lasts           time.Duration // how long the fault may be in
}

// before is what find recorded of the thing.
func before[B, With any](on recorded[With]) (b B, err error) {
	if err := json.Unmarshal(on.before, &b); err != nil {
		return b, fmt.Errorf("read how %s was before: %w", on.id, err)
	}
	return b, nil
}

// look is how a thing is.
type look struct {
	status status
	word   string // as the API calls it
}

// inForce reports whether the fault is, or was once.
func (l look) inForce() bool {
	return l.status == injecting || l.status == injected || l.status == ended
}

// status is what a look means to a fault.
type status int

const (
	normal    status = iota // as it is without the fault
	changing                // on its way to normal
	injecting               // on its way to injected, and not to be reverted before
	injected                // the fault is in force
	half                    // something of it is there, which is reverted as the whole is, and it is not in force
	ended                   // it was in force, and nothing is to be done: it recovered by itself, or nobody can put it back
	gone                    // it is no more
	foreign                 // somebody else changed it, and what they wrote stays
)
