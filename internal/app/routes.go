package app

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mishap"
	"mishap/internal/api"
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
func route[I, O any](s *serving, to huma.API, needed Role, method, path, id, summary string, handle func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Description: "Needs role " + string(needed) + ".",
		Security: []map[string][]string{{"token": {}}}, Errors: []int{400, 401, 403, 404, 409, 413, 415, 422, 429, 500},
	}
	switch id {
	case "startRun":
		op.DefaultStatus = http.StatusAccepted
	case "getReport":
		op.Responses = map[string]*huma.Response{"200": {Description: "the report", Content: map[string]*huma.MediaType{"text/plain": {}, "application/xml": {}, "text/html": {}}}}
	}
	huma.Register(to, op, func(ctx context.Context, in *I) (*O, error) {
		who := callerOf(ctx)
		if !who.role.may(needed) {
			s.turnAway(ctx, who, method+" "+path+": needs role "+string(needed))
			return nil, huma.NewError(http.StatusForbidden, who.name+" may not do this: it needs role "+string(needed))
		}
		if method != http.MethodGet {
			s.audit(ctx, who.name, id)
		}
		out, err := handle(ctx, in)
		if err != nil {
			return nil, problem(err)
		}
		return out, nil
	})
}

func (s *serving) routes(to huma.API) {
	route(s, to, Viewer, "GET", "/v1/experiments", "listExperiments", "Experiments in force", s.apiExperiments)
	route(s, to, Viewer, "GET", "/v1/experiments/{name}", "getExperiment", "One experiment in force", s.apiExperiment)
	route(s, to, Operator, "POST", "/v1/experiments/{name}/plan", "planExperiment", "What a run would touch, without touching it", s.apiPlan)
	route(s, to, Viewer, "GET", "/v1/schedules", "listSchedules", "The next times, and why each would or would not run", s.apiSchedules)
	route(s, to, Viewer, "GET", "/v1/queue", "listQueue", "Due experiments that wait for their turn, and why", s.apiQueue)
	route(s, to, Operator, "POST", "/v1/runs", "startRun", "Start an experiment in force", s.apiStart)
	route(s, to, Viewer, "GET", "/v1/runs", "listRuns", "The latest runs, newest first", s.apiRuns)
	route(s, to, Viewer, "GET", "/v1/runs/{run}", "getRun", "One run", s.apiRun)
	route(s, to, Viewer, "GET", "/v1/runs/{run}/journal", "getJournal", "Everything that happened in a run", s.apiJournal)
	route(s, to, Viewer, "GET", "/v1/runs/{run}/report", "getReport", "The report of a run", s.apiReport)
	route(s, to, Operator, "POST", "/v1/runs/{run}/abort", "abortRun", "Stop a run; it reverts", s.apiAbort)
	route(s, to, Viewer, "GET", "/v1/halt", "getHalt", "Whether everything is halted", s.apiHalted)
	route(s, to, Operator, "PUT", "/v1/halt", "halt", "Stop everything and start nothing", s.apiHalt)
	route(s, to, Admin, "DELETE", "/v1/halt", "resume", "Let runs start again", s.apiResume)
	route(s, to, Viewer, "GET", "/v1/locks", "listLocks", "Experiments that deviated and were not unlocked", s.apiLocks)
	route(s, to, Admin, "POST", "/v1/locks/{experiment}/unlock", "unlock", "Let an experiment that deviated run by itself again", s.apiUnlock)
	route(s, to, Viewer, "GET", "/v1/approvals", "listApprovals", "Plans that somebody approved", s.apiApprovals)
	route(s, to, Approver, "POST", "/v1/approvals", "approve", "Approve a plan of somebody else", s.apiApprove)
	route(s, to, Approver, "DELETE", "/v1/approvals/{name}", "disapprove", "Take an approval back", s.apiDisapprove)
	route(s, to, Viewer, "GET", "/v1/sources", "listSources", "Where experiments come from, and what is in force", s.apiSources)
	route(s, to, Operator, "POST", "/v1/sources/{name}/refresh", "refreshSource", "Look at a source now", s.apiRefresh)
	route(s, to, Admin, "GET", "/v1/audit", "listAudit", "What was done and refused, oldest first", s.apiAudit)
	s.eventRoute(to)
	nullable(to)
}

func (s *serving) viewOf(h held) api.ExperimentView {
	return api.ExperimentView{Experiment: h.Experiment, From: h.source, Forbidden: s.forbids(h)}
}

func (s *serving) apiExperiments(context.Context, *struct{}) (*body[[]api.ExperimentView], error) {
	all := []api.ExperimentView{}
	for _, h := range s.inForce() {
		all = append(all, s.viewOf(h))
	}
	return &body[[]api.ExperimentView]{all}, nil
}

type named struct {
	Name string `path:"name" maxLength:"200"`
}

func (s *serving) named(name string) (held, error) {
	h, ok := s.experiment(name)
	if !ok {
		return h, huma.NewError(http.StatusNotFound, "no source has experiment "+name+" in force")
	}
	return h, nil
}

func (s *serving) apiExperiment(_ context.Context, in *named) (*body[api.ExperimentView], error) {
	h, err := s.named(in.Name)
	return &body[api.ExperimentView]{s.viewOf(h)}, err
}

// errorText is an error that is only a sentence.
type errorText string

// Error returns it.
func (e errorText) Error() string { return string(e) }

func (s *serving) apiSchedules(ctx context.Context, in *struct {
	Count int `query:"count" minimum:"1" maximum:"1000" default:"5"`
}) (*body[[]api.Scheduled], error) {
	var list []mishap.Experiment
	for _, h := range s.inForce() {
		list = append(list, h.Experiment)
	}
	all, err := s.Schedule(ctx, list, time.Now(), in.Count)
	return &body[[]api.Scheduled]{append([]api.Scheduled{}, all...)}, err
}

func (s *serving) apiStart(ctx context.Context, in *struct {
	Key  string `header:"Idempotency-Key" maxLength:"200" doc:"asking twice with the same key starts one run"`
	Body api.StartRequest
}) (*body[api.StartAnswer], error) {
	got, err := s.ask(ctx, in.Body, callerOf(ctx).name, in.Key)
	if err != nil {
		return nil, err
	}
	if got.Refused != "" {
		return nil, huma.NewError(http.StatusConflict, "run "+got.ID+" did not start ("+string(got.Cause)+"): "+got.Refused)
	}
	return &body[api.StartAnswer]{api.StartAnswer{Run: got.ID, Again: got.Again}}, nil
}

func (s *serving) apiRuns(ctx context.Context, in *struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}) (*body[[]api.RunView], error) {
	records, err := s.book.Runs(ctx, in.Limit)
	all := []api.RunView{}
	for _, r := range records {
		all = append(all, runView(r))
	}
	return &body[[]api.RunView]{all}, err
}

func runView(r ledger.Record) api.RunView {
	v := api.RunView{Run: r.ID, Experiment: r.Experiment, Group: r.Group, State: r.State, Verdict: r.Verdict, Cause: r.Cause, Reason: r.Reason, Trigger: r.Kind, Began: r.Began.UTC()}
	if !r.Active() {
		ended := r.Ended.UTC()
		v.Ended = &ended
	}
	return v
}

type ofRun struct {
	Run string `path:"run" maxLength:"100" doc:"the id of a run, its beginning, or last"`
}

func (s *serving) replay(ctx context.Context, which string) (*mishap.Run, []mishap.Entry, error) {
	record, err := s.book.Find(ctx, which)
	if err != nil {
		return nil, nil, err
	}
	entries, err := s.book.Entries(ctx, record.ID)
	if err != nil {
		return nil, nil, err
	}
	run, err := mishap.Replay(entries)
	return run, entries, err
}

func (s *serving) apiRun(ctx context.Context, in *ofRun) (*body[report.Summary], error) {
	run, _, err := s.replay(ctx, in.Run)
	if err != nil {
		return nil, err
	}
	return &body[report.Summary]{report.Summarize(run)}, nil
}

func (s *serving) apiJournal(ctx context.Context, in *ofRun) (*body[[]mishap.Entry], error) {
	_, entries, err := s.replay(ctx, in.Run)
	return &body[[]mishap.Entry]{entries}, err
}

// document is an answer that is not JSON.
type document struct {
	ContentType string `header:"Content-Type"`
	Body        []byte `contentType:"text/plain"`
}

func (s *serving) apiReport(ctx context.Context, in *struct {
	Run    string `path:"run" maxLength:"100"`
	Format string `query:"format" enum:"text,junit,html" default:"text"`
}) (*document, error) {
	run, entries, err := s.replay(ctx, in.Run)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	switch in.Format {
	case "junit":
		err = report.JUnit(&out, []*mishap.Run{run})
		return &document{"application/xml", out.Bytes()}, err
	case "html":
		err = html.Run(&out, entries, s.version)
		return &document{"text/html; charset=utf-8", out.Bytes()}, err
	}
	err = report.Text(&out, run)
	return &document{"text/plain; charset=utf-8", out.Bytes()}, err
}

func (s *serving) apiAbort(ctx context.Context, in *struct {
	Run  string `path:"run" maxLength:"100"`
	Body api.Because
}) (*body[api.StartAnswer], error) {
	asked, err := s.Abort(ctx, in.Run, callerOf(ctx).name, in.Body.Reason)
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
