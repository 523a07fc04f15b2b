package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/ledger"
)

func (a *API) apiHalted(ctx context.Context, _ *struct{}) (*body[api.HaltView], error) {
	h, err := a.book.Halted(ctx)
	if err != nil || h == nil {
		return &body[api.HaltView]{api.HaltView{Ledger: a.member.Where()}}, err
	}
	return &body[api.HaltView]{api.HaltView{Halted: true, Ledger: a.member.Where(), By: h.By, Reason: h.Reason, At: h.At.UTC()}}, nil
}

func (a *API) apiHalt(ctx context.Context, in *struct{ Body api.Because }) (*body[api.HaltView], error) {
	all, err := a.member.Halt(ctx, callerOf(ctx).name, in.Body.Reason, false)
	for _, one := range all {
		if one.Problem != nil {
			err = one.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	view, err := a.apiHalted(ctx, nil)
	if err == nil {
		own := all[0]
		view.Body.Stopped, view.Body.Servers, view.Body.Late, view.Body.Already = own.Runs, own.Servers, own.Late, own.Before != nil
	}
	return view, err
}

func (a *API) apiResume(ctx context.Context, in *struct {
	Reason string `query:"reason" maxLength:"1000" doc:"why, for the audit"`
}) (*body[api.HaltView], error) {
	if err := a.desk.Resume(ctx, callerOf(ctx).name, in.Reason); err != nil {
		return nil, err
	}
	return a.apiHalted(ctx, nil)
}

func (a *API) apiLocks(ctx context.Context, _ *struct{}) (*body[[]mishap.Lock], error) {
	locks, err := a.book.Locks(ctx)
	return &body[[]mishap.Lock]{append([]mishap.Lock{}, locks...)}, err
}

func (a *API) apiUnlock(ctx context.Context, in *struct {
	Experiment string `path:"experiment" maxLength:"200"`
	Body       api.Because
}) (*body[[]mishap.Lock], error) {
	if err := a.desk.Unlock(ctx, in.Experiment, callerOf(ctx).name, in.Body.Reason); err != nil {
		if errors.Is(err, ledger.ErrNotLocked) {
			return nil, huma.NewError(http.StatusNotFound, err.Error())
		}
		return nil, err
	}
	return a.apiLocks(ctx, nil)
}

func (a *API) apiQueue(ctx context.Context, _ *struct{}) (*body[[]mishap.Waiting], error) {
	queue, err := a.book.Queue(ctx, time.Now())
	return &body[[]mishap.Waiting]{append([]mishap.Waiting{}, queue...)}, err
}

func (a *API) apiSources(ctx context.Context, _ *struct{}) (*body[[]api.SourceView], error) {
	sources, err := a.book.Sources(ctx)
	all := []api.SourceView{}
	for _, src := range sources {
		r := src.Revision
		all = append(all, api.SourceView{Name: src.Name, Commit: r.Commit, Digest: r.Digest, Revision: r.Seq, Since: r.At.UTC(), Looked: src.Looked.UTC(), Problem: src.Problem, Reached: src.Reached, Holds: src.Holds})
	}
	return &body[[]api.SourceView]{all}, err
}

func (a *API) apiRefresh(ctx context.Context, in *named) (*body[[]api.SourceView], error) {
	if !a.server.Refresh(in.Name) {
		return nil, huma.NewError(http.StatusNotFound, "there is no source "+in.Name)
	}
	return a.apiSources(ctx, nil)
}

func (a *API) apiAudit(ctx context.Context, in *struct {
	After  int64 `query:"after" minimum:"0" doc:"only acts with a higher id"`
	Before int64 `query:"before" minimum:"0" doc:"only acts with a lower id, and the newest first"`
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}) (*body[[]ledger.Act], error) {
	acts, err := a.book.Audit(ctx, in.After, in.Before, in.Limit)
	return &body[[]ledger.Act]{append([]ledger.Act{}, acts...)}, err
}
