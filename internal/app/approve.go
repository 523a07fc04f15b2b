package app

import (
	"context"
	"fmt"
	"time"

	"mishap"
)

// Approvable is an experiment's plan as it is now, and what an approval of it
// must name.
type Approvable struct {
	Plan   mishap.Plan `json:"plan"`
	Digest string      `json:"digest" doc:"what an approval names: another file or other targets have another one"`
	Needed string      `json:"needed" doc:"why it needs an approval; empty if it does not"`
}

// approvable plans an experiment in force.
func (s *serving) approvable(ctx context.Context, name string) (Approvable, error) {
	h, err := s.named(name)
	if err != nil {
		return Approvable{}, err
	}
	if no := s.forbids(h); no != "" {
		return Approvable{}, refusal{errorText(no)}
	}
	ctx, cancel := context.WithTimeout(ctx, planWithin)
	defer cancel()
	plan, err := s.Plan(ctx, h.Experiment)
	if err != nil {
		return Approvable{}, err
	}
	digest, err := plan.ApprovalDigest()
	return Approvable{Plan: plan, Digest: digest, Needed: s.rules.limits.Approval.Applies(plan)}, err
}

// ApproveRequest is somebody's yes to a plan.
type ApproveRequest struct {
	Experiment string `json:"experiment" minLength:"1" maxLength:"200" doc:"name of an experiment in force"`
	Digest     string `json:"digest" minLength:"1" maxLength:"100" doc:"of the plan that was looked at"`
	Reason     string `json:"reason" minLength:"1" maxLength:"1000" doc:"for the audit"`
}

// approve records the yes, if the plan is still the one that was looked at and
// is somebody else's.
func (s *serving) approve(ctx context.Context, who caller, in ApproveRequest) (mishap.Approval, error) {
	now, err := s.approvable(ctx, in.Experiment)
	if err != nil {
		return mishap.Approval{}, err
	}
	if now.Digest != in.Digest {
		return mishap.Approval{}, refusal{mishap.WithHint(fmt.Errorf("approve %s: its plan is another one now, %s", in.Experiment, now.Digest), "look at it again, and approve what it is now")}
	}
	if author := now.Plan.Experiment.Source.Author; mishap.SamePerson(author, who.person()) {
		return mishap.Approval{}, refusal{mishap.WithHint(fmt.Errorf("approve %s: %s wrote its commit, and nobody approves their own", in.Experiment, author), "ask somebody else")}
	}
	at := time.Now()
	a := mishap.Approval{Experiment: in.Experiment, Digest: in.Digest, By: who.person(), Reason: in.Reason, At: at, Until: at.Add(s.rules.limits.Approval.For.Std())}
	return a, s.book.Approve(ctx, a)
}

func (s *serving) apiApprove(ctx context.Context, in *struct{ Body ApproveRequest }) (*body[mishap.Approval], error) {
	a, err := s.approve(ctx, callerOf(ctx), in.Body)
	return &body[mishap.Approval]{a}, err
}

func (s *serving) apiApprovals(ctx context.Context, _ *struct{}) (*body[[]mishap.Approval], error) {
	all, err := s.book.Approvals(ctx)
	return &body[[]mishap.Approval]{append([]mishap.Approval{}, all...)}, err
}

func (s *serving) apiDisapprove(ctx context.Context, in *named) (*body[[]mishap.Approval], error) {
	if err := s.book.Disapprove(ctx, in.Name, callerOf(ctx).name, time.Now()); err != nil {
		return nil, err
	}
	return s.apiApprovals(ctx, nil)
}

func (s *serving) apiPlan(ctx context.Context, in *named) (*body[Approvable], error) {
	plan, err := s.approvable(ctx, in.Name)
	return &body[Approvable]{plan}, err
}
