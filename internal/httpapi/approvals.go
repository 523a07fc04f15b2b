package httpapi

import (
	"context"
	"time"

	"mishap"
	"mishap/internal/api"
)

func (a *API) apiPlan(ctx context.Context, in *named) (*body[api.Approvable], error) {
	plan, err := a.server.Approvable(ctx, in.Name)
	return &body[api.Approvable]{plan}, err
}

func (a *API) apiApprovals(ctx context.Context, _ *struct{}) (*body[[]mishap.Approval], error) {
	all, err := a.server.Approvals(ctx)
	return &body[[]mishap.Approval]{all}, err
}

func (a *API) apiApprove(ctx context.Context, in *struct{ Body api.ApproveRequest }) (*body[mishap.Approval], error) {
	who := callerOf(ctx)
	given, err := a.server.Approve(ctx, in.Body, who.person(), who.through)
	return &body[mishap.Approval]{given}, err
}

func (a *API) apiDisapprove(ctx context.Context, in *named) (*body[[]mishap.Approval], error) {
	if err := a.book.Disapprove(ctx, in.Name, callerOf(ctx).name, time.Now()); err != nil {
		return nil, err
	}
	return a.apiApprovals(ctx, nil)
}
