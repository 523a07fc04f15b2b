package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/api"
)

// approvable plans an experiment in force.
func (s *serving) approvable(ctx context.Context, name string) (api.Approvable, error) {
	h, err := s.named(name)
	if err != nil {
		return api.Approvable{}, err
	}
	if no := s.forbids(h); no != "" {
		return api.Approvable{}, mishap.Refusal(errorText(no))
	}
	ctx, cancel := context.WithTimeout(ctx, planWithin)
	defer cancel()
	plan, err := s.Plan(ctx, h.Experiment)
	if err != nil {
		return api.Approvable{}, err
	}
	digest, err := plan.ApprovalDigest()
	return api.Approvable{Plan: plan, Digest: digest, Needed: s.rules.Limits.Approval.Applies(plan)}, err
}

// approve records the yes, if the plan is still the one that was looked at and
// is somebody else's.
func (s *serving) approve(ctx context.Context, who caller, in api.ApproveRequest) (mishap.Approval, error) {
	now, err := s.approvable(ctx, in.Experiment)
	if err != nil {
		return mishap.Approval{}, err
	}
	if now.Digest != in.Digest {
		return mishap.Approval{}, mishap.Refusal(mishap.WithHint(fmt.Errorf("approve %s: its plan is another one now, %s", in.Experiment, now.Digest), "look at it again, and approve what it is now"))
	}
	if author := now.Plan.Experiment.Source.Author; mishap.SamePerson(author, who.person()) {
		return mishap.Approval{}, mishap.Refusal(mishap.WithHint(fmt.Errorf("approve %s: %s wrote its commit, and nobody approves their own", in.Experiment, author), "ask somebody else"))
	}
	at := time.Now()
	a := mishap.Approval{Experiment: in.Experiment, Digest: in.Digest, By: who.person(), Through: who.through, Reason: in.Reason, At: at, Until: at.Add(s.rules.Limits.Approval.For.Std())}
	return a, s.book.Approve(ctx, a)
}

func (s *serving) apiApprove(ctx context.Context, in *struct{ Body api.ApproveRequest }) (*body[mishap.Approval], error) {
	a, err := s.approve(ctx, callerOf(ctx), in.Body)
	return &body[mishap.Approval]{a}, err
}

func (s *serving) apiApprovals(ctx context.Context, _ *struct{}) (*body[[]mishap.Approval], error) {
	all, err := s.book.Approvals(ctx)
	return &body[[]mishap.Approval]{append([]mishap.Approval{}, s.judgeApprovals(all)...)}, err
}

// judgeApprovals says of each whether who gave it may still approve, by the
// settings of this moment: an approval must be good when a run begins, and not
// only when it was given.
func (s *serving) judgeApprovals(all []mishap.Approval) []mishap.Approval {
	judged := slices.Clone(all)
	for i := range judged {
		judged[i].Withdrawn = s.withdrawn(judged[i].Through)
	}
	return judged
}

// withdrawn says why what let somebody approve does so no more; empty if it does.
func (s *serving) withdrawn(through string) string {
	kind, of, _ := strings.Cut(through, " ")
	switch kind {
	case "socket":
		return ""
	case "token":
		return s.tokenWithdrawn(of)
	case "oidc":
		issuer, value, _ := strings.Cut(of, " ")
		if !s.Settings.Server.OIDC.On() || issuer != s.Settings.Server.OIDC.Issuer {
			return issuer + " lets nobody in any more"
		}
		if role, _ := s.provider.role(value); !role.may(Approver) {
			return fmt.Sprintf("%s of %s gives no role that approves any more", value, issuer)
		}
		return ""
	}
	return "it does not say what let them approve"
}

func (s *serving) tokenWithdrawn(name string) string {
	for _, t := range s.tokens() {
		switch {
		case t.Name != name:
		case !Role(t.Role).may(Approver):
			return fmt.Sprintf("token %s has role %s", name, t.Role)
		case t.Expired(time.Now()):
			return fmt.Sprintf("token %s expired at %s", name, t.Expires.UTC().Format(time.RFC3339))
		default:
			return ""
		}
	}
	return "token " + name + " is no longer in the settings"
}

func (s *serving) apiDisapprove(ctx context.Context, in *named) (*body[[]mishap.Approval], error) {
	if err := s.book.Disapprove(ctx, in.Name, callerOf(ctx).name, time.Now()); err != nil {
		return nil, err
	}
	return s.apiApprovals(ctx, nil)
}

func (s *serving) apiPlan(ctx context.Context, in *named) (*body[api.Approvable], error) {
	plan, err := s.approvable(ctx, in.Name)
	return &body[api.Approvable]{plan}, err
}
