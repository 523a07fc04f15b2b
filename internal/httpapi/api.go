package httpapi

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/config"
	"mishap/internal/desk"
	"mishap/internal/ledger"
	"mishap/internal/member"
)

// Server is what the API asks of who runs the experiments.
type Server interface {
	Ready() bool
	InForce() []mishap.Experiment
	Experiments() []api.ExperimentView
	Experiment(name string) (api.ExperimentView, bool)
	Start(ctx context.Context, want api.StartRequest, by, key string) (api.StartAnswer, error)
	Approvable(ctx context.Context, experiment string) (api.Approvable, error)
	Approve(ctx context.Context, in api.ApproveRequest, by, through string) (mishap.Approval, error)
	Approvals(ctx context.Context) ([]mishap.Approval, error)
	Refresh(source string) bool
	RefreshAll()
	Events(ctx context.Context, after int64) iter.Seq[api.Event]
	Going() (runs []*mishap.Run, events int64)
	Metrics() http.Handler
}

// Options say what the API is of.
type Options struct {
	Settings *config.Settings // as they are at the moment of a request
	Server   Server
	Desk     *desk.Desk
	Member   *member.Member
	Book     ledger.Ledger
	Version  string // of this program, for reports
	// FileAt is the text of an experiment's file as its commit has it, or why it is not
	// kept; nil: nothing is.
	FileAt func(context.Context, mishap.Source) (string, error)
	Log    *slog.Logger
}

// API answers over HTTP.
type API struct {
	settings *config.Settings
	server   Server
	desk     *desk.Desk
	member   *member.Member
	book     ledger.Ledger
	version  string
	fileAt   func(context.Context, mishap.Source) (string, error)
	access   *access
	standing *standing
	parts    parts
	audit    *audit
	all      http.Handler // whoever asks
	pages    http.Handler // for people; nil: none
}

// New answers nobody yet.
func New(o Options) *API {
	audit := &audit{book: o.Book, log: o.Log}
	a := &API{
		settings: o.Settings, server: o.Server, desk: o.Desk, member: o.Member, book: o.Book, version: o.Version, fileAt: o.FileAt,
		access: newAccess(o.Settings, audit), audit: audit, standing: &standing{server: o.Server, desk: o.Desk, book: o.Book},
	}
	a.all = a.handler()
	return a
}

// Handler answers whoever comes over the network: it finds out who asks.
func (a *API) Handler() http.Handler {
	api := a.access.authenticate(a.all)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.pages == nil || ofAPI(r.URL.Path) {
			api.ServeHTTP(w, r)
			return
		}
		a.pages.ServeHTTP(w, r)
	})
}

// OwnHandler answers the server's own user.
func (a *API) OwnHandler() http.Handler { return owner(a.all) }

// handler is the whole API.
func (a *API) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.server.Metrics())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", a.answerReady)
	mux.HandleFunc("POST /hooks/refresh", a.answerHook)
	about := huma.DefaultConfig("mishap", "1")
	about.DocsPath = ""
	about.CreateHooks = nil // no $schema in answers
	about.RejectUnknownQueryParameters = true
	about.Info.Description = "Controlled chaos experiments: what is in force, what ran, and what stops it."
	about.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	a.routes(humago.New(mux, about))
	return whole(once(mux))
}
