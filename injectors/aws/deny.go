package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/cloud"
)

// denyWith says which calls to a resource fail, and whose.
type denyWith struct {
	Actions    []string `json:"actions,omitempty" jsonschema:"which calls fail, as IAM names them; default all that use its data. Calls that manage it never fail"`
	Principals []string `json:"principals,omitempty" jsonschema:"whose calls fail: ARNs of roles and users, in which * is any text; default everybody's"`
}

// problems names what would deny nobody anything, or everybody all though it asks
// for none.
func (w denyWith) problems() []error {
	all := append(empty("with.actions", w.Actions), empty("with.principals", w.Principals)...)
	for i, p := range w.Principals {
		if !like(principalARN).MatchString(p) {
			all = append(all, &mishap.FieldError{Path: fmt.Sprintf("with.principals[%d]", i), Msg: fmt.Sprintf("%q is not the ARN of a role or user", p),
				Hint: "write it like arn:aws:iam::123456789012:role/checkout, or arn:aws:iam::123456789012:* for all of an account; leave principals out for everybody"})
		}
	}
	return all
}

// empty says that a list is there with nothing in it, which is not the same as none:
// without it all are meant.
func empty(path string, list []string) []error {
	if list == nil || len(list) > 0 {
		return nil
	}
	return []error{&mishap.FieldError{Path: path, Msg: "names nothing", Hint: "name some, or leave it out for all"}}
}

// denying is a service whose resources have policies. What faults in all of them
// share is made by its method fault: a statement is added, and taken out again.
type denying struct {
	about
	resources  string                    // what the tagging API calls them: "sqs"
	actions    []string                  // that use data, as far as their resource's policy can deny them
	covers     func(arn string) []string // what a statement is about; nil: the ARN
	limit      int                       // bytes of a policy
	statements int                       // at most; 0: any number

	get func(ctx context.Context, c aws.Config, of owned) (policied, error)
	put func(ctx context.Context, c aws.Config, of owned, p policied) error // an empty text takes the policy away
}

// owned is a resource that has a policy, and the account that it is in.
type owned struct{ id, arn, account string }

// policied is how a resource is.
type policied struct {
	text     string
	revision string // of the text, where the service tells
	gone     bool
}

func (d denying) fault() fault[denyWith] {
	d.class, d.attribute, d.normal, d.injecting = mishap.Expiring, "policy", "open", "denied"
	d.byName, d.batch = true, someEach
	d.summary = "denies the use of " + d.noun + "s by their policies, and lets them be used again"
	d.doc += " A statement is added that denies until the fault must be over, so that by AWS's own clock it ends though nobody reverts it. " +
		"What else is in the policy, and what others change in it meanwhile, stays. Calls that manage the " + d.noun + " are not denied, mishap's own neither."
	d.whenLost = "from the time at which the fault must be over AWS no longer denies anything; the statement, which then says nothing, stays in the policy until `mishap revert` or `mishap sweep`"
	return fault[denyWith]{
		about: d.about,
		wrong: func(w denyWith) []error { return notAmong(w.Actions, d.actions) },
		find: func(ctx context.Context, c aws.Config, t targets, with denyWith) ([]thing, error) {
			found, err := d.tagged(ctx, c, t, d.resources)
			return lookedAt(found, err, func(one *thing) error {
				p, err := d.get(ctx, c, owned{one.id, one.arn, t.Account})
				if one.now = (look{normal, d.normal}); p.gone {
					one.now = look{gone, "deleted"}
				}
				_, one.unfit = d.denied(c, p, recorded[denyWith]{injection: "xxxxxxxx.10.10", id: one.id, arn: one.arn, with: with})
				return err
			})
		},
		inject: each(func(ctx context.Context, c aws.Config, on recorded[denyWith]) error {
			p, err := d.get(ctx, c, owned{on.id, on.arn, on.account})
			if err == nil {
				p.text, err = d.denied(c, p, on)
			}
			if err != nil {
				return err
			}
			return d.put(ctx, c, owned{on.id, on.arn, on.account}, p)
		}),
		revert: each(func(ctx context.Context, c aws.Config, on recorded[denyWith]) error {
			p, err := d.get(ctx, c, owned{on.id, on.arn, on.account})
			if err != nil || p.gone {
				return err
			}
			policy, err := readPolicy(p.text)
			if err != nil || !policy.without(sidOf(on.injection)) {
				return err
			}
			if p.text, err = policy.text(); err != nil {
				return err
			}
			return d.put(ctx, c, owned{on.id, on.arn, on.account}, p)
		}),
		read: lookEach(func(ctx context.Context, c aws.Config, on recorded[denyWith]) (look, error) {
			p, err := d.get(ctx, c, owned{on.id, on.arn, on.account})
			if err != nil || p.gone {
				return look{gone, "deleted"}, err
			}
			if policy, err := readPolicy(p.text); err != nil || !policy.without(sidOf(on.injection)) {
				return look{normal, d.normal}, err
			}
			return look{injected, d.injecting}, nil
		}),
	}
}

// denied is the policy with the statement of an injection, or why it cannot have it.
func (d denying) denied(c aws.Config, p policied, on recorded[denyWith]) (string, error) {
	policy, err := readPolicy(p.text)
	if err != nil {
		return "", mishap.WithHint(fmt.Errorf("%s %s: %w", d.noun, on.id, err), "correct its policy")
	}
	actions, about := on.with.Actions, []string{on.arn}
	if len(actions) == 0 {
		actions = d.actions
	}
	if d.covers != nil {
		about = d.covers(on.arn)
	}
	s := denies(on.injection, cloud.Now(c).Add(on.lasts), actions, about, on.with.Principals)
	s.Principal = "*"
	if err := policy.with(s); err != nil {
		return "", err
	}
	text, err := policy.text()
	switch {
	case err != nil:
		return "", err
	case len(text) > d.limit:
		return "", mishap.WithHint(fmt.Errorf("the policy of %s %s has %d bytes, and with one statement more %d: at most %d are allowed", d.noun, on.id, len(p.text), len(text), d.limit), "shorten the policy, name fewer `actions` or `principals`, or choose another "+d.noun)
	case d.statements > 0 && len(policy.statements) > d.statements:
		return "", mishap.WithHint(fmt.Errorf("the policy of %s %s has %d statements already, and no more are allowed", d.noun, on.id, d.statements), "join some of its statements, or choose another "+d.noun)
	}
	return text, nil
}

// notAmong says which actions are not among those that use data.
func notAmong(actions, known []string) (all []error) {
	for i, a := range actions {
		if !slices.Contains(known, a) {
			all = append(all, &mishap.FieldError{Path: fmt.Sprintf("with.actions[%d]", i), Msg: fmt.Sprintf("%q is no action that can be denied here", a), Hint: "write some of " + strings.Join(known, ", ")})
		}
	}
	return all
}
