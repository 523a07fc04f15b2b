package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/config"
)

// approvals are plans that somebody has said yes to.
type approvals struct {
	*shared
	desired *desired
}

// approvable plans an experiment in force.
func (a *approvals) approvable(ctx context.Context, name string) (api.Approvable, error) {
	h, ok := a.desired.experiment(name)
	if !ok {
		return api.Approvable{}, a.desired.missing(name)
	}
	if no := a.desired.forbids(h); no != "" {
		return api.Approvable{}, mishap.Refusal(errors.New(no))
	}
	ctx, cancel := context.WithTimeout(ctx, planWithin)
	defer cancel()
	plan, err := a.engine.Plan(ctx, h.Experiment)
	if err != nil {
		return api.Approvable{}, err
	}
	digest, err := plan.ApprovalDigest()
	return api.Approvable{Plan: plan, Digest: digest, Needed: a.rules().Limits.Approval.Applies(plan)}, err
}

// described is what an experiment in force would touch now, for a person to look at.
func (a *approvals) described(ctx context.Context, name string) (api.Approvable, error) {
	found, err := a.approvable(ctx, name)
	if err != nil {
		return found, err
	}
	ctx, cancel := context.WithTimeout(ctx, planWithin)
	defer cancel()
	sheet, refused, err := a.engine.Describe(ctx, found.Plan)
	found.Sheet = sheet
	if refused != nil {
		found.Against = strings.Split(refused.Error(), "\n")
	}
	if hint := mishap.HintOf(refused); hint != "" {
		found.Against = append(found.Against, hint)
	}
	return found, err
}

// approve records the yes of somebody, and what gives them their role, if the plan is
// still the one that was looked at and is somebody else's.
func (a *approvals) approve(ctx context.Context, in api.ApproveRequest, by, through string) (mishap.Approval, error) {
	now, err := a.approvable(ctx, in.Experiment)
	if err != nil {
		return mishap.Approval{}, err
	}
	if now.Digest != in.Digest {
		return mishap.Approval{}, mishap.Refusal(mishap.WithHint(fmt.Errorf("approve %s: its plan is another one now, %s", in.Experiment, now.Digest), "look at it again, and approve what it is now"))
	}
	if author := now.Plan.Experiment.Source.Author; mishap.SamePerson(author, by) {
		return mishap.Approval{}, mishap.Refusal(mishap.WithHint(fmt.Errorf("approve %s: %s wrote its commit, and nobody approves their own", in.Experiment, author), "ask somebody else"))
	}
	at := time.Now()
	given := mishap.Approval{Experiment: in.Experiment, Digest: in.Digest, By: by, Through: through, Reason: in.Reason, At: at, Until: at.Add(a.rules().Limits.Approval.For.Std())}
	return given, a.book.Approve(ctx, given)
}

// judge says of each whether who gave it may still approve, by the settings of this
// moment: an approval must be good when a run begins, and not only when it was given.
func (a *approvals) judge(all []mishap.Approval) []mishap.Approval {
	judged := slices.Clone(all)
	for i := range judged {
		judged[i].Withdrawn = a.withdrawn(judged[i].Through)
	}
	return judged
}

// withdrawn says why what let somebody approve does so no more; empty if it does.
func (a *approvals) withdrawn(through string) string {
	kind, of, _ := strings.Cut(through, " ")
	switch kind {
	case "socket":
		return ""
	case "token":
		return a.tokenWithdrawn(of)
	case "oidc":
		issuer, value, _ := strings.Cut(of, " ")
		if !a.settings.Live().OIDC.On() || issuer != a.settings.Live().OIDC.Issuer {
			return issuer + " lets nobody in any more"
		}
		if role, _ := a.settings.Live().OIDC.Role(value); !role.May(config.Approver) {
			return fmt.Sprintf("%s of %s gives no role that approves any more", value, issuer)
		}
		return ""
	}
	return "it does not say what let them approve"
}

func (a *approvals) tokenWithdrawn(name string) string {
	for _, t := range a.settings.Live().Tokens {
		switch {
		case t.Name != name:
		case !config.Role(t.Role).May(config.Approver):
			return fmt.Sprintf("token %s has role %s", name, t.Role)
		case t.Expired(time.Now()):
			return fmt.Sprintf("token %s expired at %s", name, mishap.Moment(t.Expires))
		default:
			return ""
		}
	}
	return "token " + name + " is no longer in the settings"
}
