package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/catalog"
	"mishap/internal/ledger"
	"mishap/internal/notify"
)

func (s *serving) apiHalted(ctx context.Context, _ *struct{}) (*body[api.HaltView], error) {
	h, err := s.book.Halted(ctx)
	if err != nil || h == nil {
		return &body[api.HaltView]{api.HaltView{Ledger: s.Where()}}, err
	}
	return &body[api.HaltView]{api.HaltView{Halted: true, Ledger: s.Where(), By: h.By, Reason: h.Reason, At: h.At.UTC()}}, nil
}

func (s *serving) apiHalt(ctx context.Context, in *struct{ Body api.Because }) (*body[api.HaltView], error) {
	all, err := s.Halt(ctx, callerOf(ctx).name, in.Body.Reason, false)
	for _, one := range all {
		if one.Problem != nil {
			err = one.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	view, err := s.apiHalted(ctx, nil)
	if err == nil {
		own := all[0]
		view.Body.Stopped, view.Body.Servers, view.Body.Late = own.Runs, own.Servers, own.Late
	}
	return view, err
}

func (s *serving) apiResume(ctx context.Context, _ *struct{}) (*body[api.HaltView], error) {
	if err := s.Resume(ctx, callerOf(ctx).name); err != nil {
		return nil, err
	}
	return s.apiHalted(ctx, nil)
}

func (s *serving) apiLocks(ctx context.Context, _ *struct{}) (*body[[]mishap.Lock], error) {
	locks, err := s.book.Locks(ctx)
	return &body[[]mishap.Lock]{append([]mishap.Lock{}, locks...)}, err
}

func (s *serving) apiUnlock(ctx context.Context, in *struct {
	Experiment string `path:"experiment" maxLength:"200"`
	Body       api.Because
}) (*body[[]mishap.Lock], error) {
	if err := s.Unlock(ctx, in.Experiment, callerOf(ctx).name, in.Body.Reason); err != nil {
		if errors.Is(err, ledger.ErrNotLocked) {
			return nil, huma.NewError(http.StatusNotFound, err.Error())
		}
		return nil, err
	}
	return s.apiLocks(ctx, nil)
}

func (s *serving) apiQueue(ctx context.Context, _ *struct{}) (*body[[]mishap.Waiting], error) {
	queue, err := s.book.Queue(ctx, time.Now())
	return &body[[]mishap.Waiting]{append([]mishap.Waiting{}, queue...)}, err
}

func (s *serving) apiSources(ctx context.Context, _ *struct{}) (*body[[]api.SourceView], error) {
	sources, err := s.book.Sources(ctx)
	all := []api.SourceView{}
	for _, src := range sources {
		r := src.Revision
		all = append(all, api.SourceView{Name: src.Name, Commit: r.Commit, Digest: r.Digest, Revision: r.Seq, Since: r.At.UTC(), Looked: src.Looked.UTC(), Problem: src.Problem, Reached: src.Reached, Holds: src.Holds})
	}
	return &body[[]api.SourceView]{all}, err
}

func (s *serving) apiRefresh(ctx context.Context, in *named) (*body[[]api.SourceView], error) {
	if !s.refreshNow(in.Name) {
		return nil, huma.NewError(http.StatusNotFound, "there is no source "+in.Name)
	}
	return s.apiSources(ctx, nil)
}

// refreshNow lets a source be looked at now; false if there is no such one.
func (s *serving) refreshNow(name string) bool {
	ch, ok := s.refresh[name]
	if ok {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	return ok
}

func (s *serving) apiAudit(ctx context.Context, in *struct {
	After int64 `query:"after" minimum:"0" doc:"only acts with a higher id"`
	Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}) (*body[[]ledger.Act], error) {
	acts, err := s.book.Audit(ctx, in.After, in.Limit)
	return &body[[]ledger.Act]{append([]ledger.Act{}, acts...)}, err
}

// eventRoute streams everything that happens. A listener that was cut off, or
// comes again with Last-Event-ID, gets what is remembered.
func (s *serving) eventRoute(to huma.API) {
	op := huma.Operation{OperationID: "events", Method: "GET", Path: "/v1/events", Summary: "Everything that happens, as server-sent events", Security: []map[string][]string{{"token": {}}}}
	sse.Register(to, op, map[string]any{"event": api.Event{}}, func(ctx context.Context, in *struct {
		Last int64 `header:"Last-Event-ID" minimum:"0"`
	}, send sse.Sender) {
		if !callerOf(ctx).role.may(Viewer) {
			return
		}
		events, done := s.hub.listen(in.Last)
		defer done()
		for {
			select {
			case <-ctx.Done():
				return
			case e, ok := <-events:
				if !ok || send(sse.Message{ID: int(e.Seq), Data: e.Event}) != nil {
					return
				}
			}
		}
	})
}

// answerHook lets a git server say that something was pushed. Its signature is
// all that it needs.
func (s *serving) answerHook(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	key, err := catalog.Secret(s.Settings.Server.Webhook.Secret)
	if err == nil && key == "" {
		err = errors.New("no webhook.secret is set")
	}
	const tolerance = 5 * time.Minute
	if err == nil {
		err = notify.Verify(key, r.Header, text, time.Now(), tolerance)
	}
	if err != nil {
		s.denied(w, r, stranger(host(r.RemoteAddr)), http.StatusUnauthorized, "the signature is not right: "+err.Error())
		return
	}
	for name := range s.refresh {
		s.refreshNow(name)
	}
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintln(w, "every source is looked at now")
}
