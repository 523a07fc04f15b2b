package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/config"
	"mishap/internal/desk"
	"mishap/internal/ledger"
	"mishap/internal/report"
	"mishap/internal/report/html"
)

// body is an answer with a JSON body.
type body[T any] struct {
	Body T
}

// route registers an operation that needs a role. Acts, which are not reads, go
// to the audit.
func route[I, O any](a *API, to huma.API, needed config.Role, method, path, id, summary string, handle func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Description: "Needs role " + string(needed) + ".",
		Security: []map[string][]string{{"token": {}}}, Errors: []int{400, 401, 403, 404, 409, 413, 415, 422, 429, 500},
		BodyReadTimeout: -1, // whole has read it: a deadline would end the request
	}
	switch id {
	case "startRun":
		op.DefaultStatus = http.StatusAccepted
	case "getReport":
		op.Responses = map[string]*huma.Response{"200": {Description: "the report", Content: map[string]*huma.MediaType{"text/plain": {}, "application/xml": {}, "text/html": {}}}}
	case "getTrend":
		op.Responses = map[string]*huma.Response{"200": {Description: "the trend", Content: map[string]*huma.MediaType{"application/json": {}, "text/html": {}}}}
	}
	huma.Register(to, op, func(ctx context.Context, in *I) (*O, error) {
		who := callerOf(ctx)
		if !who.role.May(needed) {
			a.audit.turnAway(ctx, who, method+" "+path+": needs role "+string(needed))
			return nil, huma.NewError(http.StatusForbidden, who.name+" may not do this: it needs role "+string(needed))
		}
		if method != http.MethodGet && !recordsItself(id) {
			a.audit.acted(ctx, who.name, spaced(id)+about(in))
		}
		out, err := handle(ctx, in)
		if err != nil {
			if recordsItself(id) {
				a.audit.acted(ctx, who.name, spaced(id)+about(in)+" failed: "+err.Error())
			}
			return nil, problem(err)
		}
		return out, nil
	})
}

// spaced is the name of an operation as people read it: startRun is "start run".
func spaced(id string) string {
	var b strings.Builder
	for _, r := range id {
		if unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// about is what an operation is of, for the audit: what its path names, or the
// experiment of its body.
func about(in any) (text string) {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		switch f := v.Type().Field(i); {
		case f.Tag.Get("path") != "":
			text += " " + field.String()
		case f.Name == "Body" && field.Kind() == reflect.Struct:
			if of := field.FieldByName("Experiment"); of.IsValid() {
				text += " " + of.String()
			}
		}
	}
	return text
}

// recordsItself reports an act that is written to the audit with what it changes, and
// why, so that the route writes only that it failed.
func recordsItself(id string) bool {
	return slices.Contains([]string{"abortRun", "halt", "resume", "unlock", "approve", "disapprove"}, id)
}

func (a *API) routes(to huma.API) {
	a.viewRoutes(to)
	route(a, to, config.Viewer, "GET", "/v1/experiments", "listExperiments", "Experiments in force", a.apiExperiments)
	route(a, to, config.Viewer, "GET", "/v1/experiments/{name}", "getExperiment", "One experiment in force", a.apiExperiment)
	route(a, to, config.Operator, "POST", "/v1/experiments/{name}/plan", "planExperiment", "What a run would touch, without touching it", a.apiPlan)
	route(a, to, config.Viewer, "GET", "/v1/schedules", "listSchedules", "The next times, and why each would or would not run", a.apiSchedules)
	route(a, to, config.Viewer, "GET", "/v1/queue", "listQueue", "Due experiments that wait for their turn, and why", a.apiQueue)
	route(a, to, config.Operator, "POST", "/v1/runs", "startRun", "Start an experiment in force", a.apiStart)
	route(a, to, config.Viewer, "GET", "/v1/runs", "listRuns", "The latest runs, newest first", a.apiRuns)
	route(a, to, config.Viewer, "GET", "/v1/runs/{run}", "getRun", "One run", a.apiRun)
	route(a, to, config.Viewer, "GET", "/v1/runs/{run}/journal", "getJournal", "Everything that happened in a run", a.apiJournal)
	route(a, to, config.Viewer, "GET", "/v1/runs/{run}/report", "getReport", "The report of a run", a.apiReport)
	route(a, to, config.Operator, "POST", "/v1/runs/{run}/abort", "abortRun", "Stop a run; it reverts", a.apiAbort)
	route(a, to, config.Viewer, "GET", "/v1/halt", "getHalt", "Whether everything is halted", a.apiHalted)
	route(a, to, config.Operator, "PUT", "/v1/halt", "halt", "Stop everything and start nothing", a.apiHalt)
	route(a, to, config.Admin, "DELETE", "/v1/halt", "resume", "Let runs start again", a.apiResume)
	route(a, to, config.Viewer, "GET", "/v1/locks", "listLocks", "Experiments that deviated and were not unlocked", a.apiLocks)
	route(a, to, config.Admin, "POST", "/v1/locks/{experiment}/unlock", "unlock", "Let an experiment that deviated run by itself again", a.apiUnlock)
	route(a, to, config.Viewer, "GET", "/v1/approvals", "listApprovals", "Plans that somebody approved", a.apiApprovals)
	route(a, to, config.Approver, "POST", "/v1/approvals", "approve", "Approve a plan of somebody else", a.apiApprove)
	route(a, to, config.Approver, "DELETE", "/v1/approvals/{name}", "disapprove", "Take an approval back", a.apiDisapprove)
	route(a, to, config.Viewer, "GET", "/v1/sources", "listSources", "Where experiments come from, and what is in force", a.apiSources)
	route(a, to, config.Operator, "POST", "/v1/sources/{name}/refresh", "refreshSource", "Look at a source now", a.apiRefresh)
	route(a, to, config.Admin, "GET", "/v1/audit", "listAudit", "What was done and refused, oldest first", a.apiAudit)
	a.eventRoute(to)
	nullable(to)
}

func (a *API) apiExperiments(context.Context, *struct{}) (*body[[]api.ExperimentView], error) {
	return &body[[]api.ExperimentView]{a.server.Experiments()}, nil
}

type named struct {
	Name string `path:"name" maxLength:"200"`
}

func (a *API) apiExperiment(_ context.Context, in *named) (*body[api.ExperimentView], error) {
	one, ok := a.server.Experiment(in.Name)
	if !ok {
		return nil, huma.NewError(http.StatusNotFound, "no source has experiment "+in.Name+" in force")
	}
	return &body[api.ExperimentView]{one}, nil
}

func (a *API) apiSchedules(ctx context.Context, in *struct {
	Count int `query:"count" minimum:"1" maximum:"1000" default:"5"`
}) (*body[[]api.Scheduled], error) {
	all, err := a.desk.Schedule(ctx, a.server.InForce(), time.Now(), in.Count)
	return &body[[]api.Scheduled]{append([]api.Scheduled{}, all...)}, err
}

func (a *API) apiStart(ctx context.Context, in *struct {
	Key  string `header:"Idempotency-Key" maxLength:"200" doc:"asking twice with the same key starts one run"`
	Body api.StartRequest
}) (*body[api.StartAnswer], error) {
	got, err := a.server.Start(ctx, in.Body, callerOf(ctx).name, in.Key)
	return &body[api.StartAnswer]{got}, err
}

func (a *API) apiRuns(ctx context.Context, in *struct {
	Limit      int       `query:"limit" minimum:"1" maximum:"1000" default:"50"`
	Before     time.Time `query:"before" doc:"only runs that began before it; the began of the last run of a page asks for the next"`
	Experiment string    `query:"experiment" maxLength:"200" doc:"only runs of it"`
}) (*body[[]api.RunView], error) {
	if in.Before.IsZero() {
		in.Before = time.Now().AddDate(1, 0, 0) // clocks differ
	}
	records, err := a.book.RunsBefore(ctx, in.Before, in.Experiment, in.Limit)
	all := []api.RunView{}
	for _, r := range records {
		all = append(all, desk.RunView(r))
	}
	return &body[[]api.RunView]{all}, err
}

type ofRun struct {
	Run string `path:"run" maxLength:"100" doc:"the id of a run, its beginning, or last"`
}

func (a *API) replay(ctx context.Context, which string) (*mishap.Run, []mishap.Entry, error) {
	record, err := a.book.Find(ctx, which)
	if err != nil {
		return nil, nil, err
	}
	entries, err := a.book.Entries(ctx, record.ID)
	if err != nil {
		return nil, nil, err
	}
	run, err := mishap.Replay(entries)
	return run, entries, err
}

func (a *API) apiRun(ctx context.Context, in *ofRun) (*body[report.Summary], error) {
	run, _, err := a.replay(ctx, in.Run)
	if err != nil {
		return nil, err
	}
	summary := report.Summarize(run)
	summary.URL = a.settings.PageOf(run.ID)
	return &body[report.Summary]{summary}, nil
}

func (a *API) apiJournal(ctx context.Context, in *ofRun) (*body[[]mishap.Entry], error) {
	_, entries, err := a.replay(ctx, in.Run)
	return &body[[]mishap.Entry]{entries}, err
}

// document is an answer that is not JSON.
type document struct {
	ContentType string `header:"Content-Type"`
	Body        []byte `contentType:"text/plain"`
}

func (a *API) apiReport(ctx context.Context, in *struct {
	Run    string `path:"run" maxLength:"100"`
	Format string `query:"format" enum:"text,junit,html,markdown,part" default:"text" doc:"part: what stands on the page, for a page around it"`
}) (*document, error) {
	if in.Format == "part" {
		return a.runPart(ctx, in.Run)
	}
	run, entries, err := a.replay(ctx, in.Run)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	switch in.Format {
	case "junit":
		err = report.Suite{Runs: []*mishap.Run{run}, Page: a.settings.PageOf}.JUnit(&out)
		return &document{"application/xml", out.Bytes()}, err
	case "markdown":
		err = report.Markdown(&out, run, a.settings.PageOf(run.ID))
		return &document{"text/markdown; charset=utf-8", out.Bytes()}, err
	case "html":
		err = html.Run(&out, entries, a.version)
		return &document{"text/html; charset=utf-8", out.Bytes()}, err
	}
	err = report.Text(&out, run)
	return &document{"text/plain; charset=utf-8", out.Bytes()}, err
}

func (a *API) apiAbort(ctx context.Context, in *struct {
	Run  string `path:"run" maxLength:"100"`
	Body api.Because
}) (*body[api.StartAnswer], error) {
	who := callerOf(ctx).name
	asked, err := a.desk.Abort(ctx, in.Run, who, in.Body.Reason)
	if err == nil && !ledger.IsPostgres(asked.Ledger) { // there the server of the run is asked through the ledger, which writes it
		a.audit.acted(ctx, who, "abort run "+asked.Run+": "+in.Body.Reason)
	}
	return &body[api.StartAnswer]{api.StartAnswer{Run: asked.Run, Ledger: asked.Ledger, Server: asked.Server}}, err
}

// nullable says in the document which parts of an answer may be null: structs
// behind a pointer that are always there.
func nullable(to huma.API) {
	registry := to.OpenAPI().Components.Schemas
	for name, schema := range registry.Map() {
		t := registry.TypeFromRef("#/components/schemas/" + name)
		for t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		for i := range t.NumField() {
			f := t.Field(i)
			key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			of := schema.Properties[key]
			if f.Type.Kind() == reflect.Pointer && options == "" && of != nil && of.Ref != "" {
				schema.Properties[key] = &huma.Schema{AnyOf: []*huma.Schema{{Ref: of.Ref}, {Type: "null"}}}
			}
		}
	}
}
