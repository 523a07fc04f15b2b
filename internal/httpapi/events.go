package httpapi

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"mishap/internal/api"
	"mishap/internal/config"
)

// eventRoute streams everything that happens. A listener that was cut off, or
// comes again with Last-Event-ID, gets what is remembered.
func (a *API) eventRoute(to huma.API) {
	op := huma.Operation{OperationID: "events", Method: "GET", Path: "/v1/events", Summary: "Everything that happens, as server-sent events", Security: []map[string][]string{{"token": {}}}}
	sse.Register(to, op, map[string]any{"event": api.Event{}}, func(ctx context.Context, in *struct {
		Last int64 `header:"Last-Event-ID" minimum:"0"`
	}, send sse.Sender) {
		if !callerOf(ctx).role.May(config.Viewer) {
			return
		}
		ctx, done := a.access.whileIn(ctx)
		defer done()
		for e := range a.server.Events(ctx, in.Last) {
			if send(sse.Message{ID: int(e.Seq), Data: e}) != nil {
				return
			}
		}
	})
}
