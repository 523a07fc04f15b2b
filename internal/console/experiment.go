package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/report/words"
)

// mostRuns are those of one page of a list of runs.
const mostRuns = 30

// experimentPage is an experiment, whether a source has it in force or only its runs
// are known.
type experimentPage struct {
	Name   string
	Row    *api.OverviewRow // nil: it is not in force
	Source mishap.Source
	Text   string // as it is in force
	Trend  template.HTML
	Going  []goingView
	Latest []lookedAt // plans of it
}

func (v *visit) experiment() (shown, error) {
	p := experimentPage{Name: v.r.PathValue("name")}
	var page api.Overview
	if err := v.get(with("/v1/overview", "name", p.Name), &page); err != nil {
		return shown{}, err
	}
	if len(page.Rows) == 1 {
		var text json.RawMessage
		if err := v.get(path("/v1/experiments", p.Name), &text); err != nil {
			return shown{}, err
		}
		var of struct{ Source mishap.Source }
		if err := json.Unmarshal(text, &of); err != nil {
			return shown{}, err
		}
		p.Row, p.Source, p.Text = &page.Rows[0], of.Source, pretty(text)
	}
	var runs []api.RunView
	if err := v.get(with("/v1/runs", "experiment", p.Name, "limit", "1"), &runs); err != nil {
		return shown{}, err
	}
	if p.Row == nil && len(runs) == 0 {
		return shown{}, &refusal{Status: http.StatusNotFound, Detail: "No source has an experiment " + p.Name + " in force, and no run of one is known."}
	}
	if len(runs) > 0 {
		if err := v.get(path("/v1/experiments", p.Name, "trend")+"?format=part", &p.Trend); err != nil {
			return shown{}, err
		}
	}
	going, err := v.goingOf(func(g api.Going) bool { return g.Experiment == p.Name })
	p.Going, p.Latest = going, v.c.results.latest(planning().title(p.Name), time.Now(), 1)
	return shown{template: "experiment-page", title: p.Name, at: "experiments", data: p}, err
}

// goingOf are the runs that go on, of those that somebody wants.
func (v *visit) goingOf(wanted func(api.Going) bool) (all []goingView, _ error) {
	now, err := v.goingOn()
	if err != nil {
		return nil, err
	}
	for _, g := range now.Going {
		if wanted(g) {
			all = append(all, viewGoing(g, now.At))
		}
	}
	return all, nil
}

// pretty is JSON as a person reads it, free of what would act on a page's text.
func pretty(text json.RawMessage) string {
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return err.Error()
	}
	return cleanLines(out.String())
}

func cleanLines(text string) string {
	var out bytes.Buffer
	for line := range bytes.Lines([]byte(text)) {
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		out.Write(line[:indent])
		out.WriteString(words.Clean(string(bytes.TrimRight(line[indent:], "\n"))))
		out.WriteByte('\n')
	}
	return out.String()
}

// planPage is what a run would touch.
type planPage struct {
	api.Approvable
	Changed []string // beside the plan of the last run
	Last    *api.RunView
}

func (v *visit) plan(name string) (any, error) {
	p := planPage{}
	if err := v.ask(http.MethodPost, path("/v1/experiments", name, "plan"), nil, &p.Approvable); err != nil {
		return nil, err
	}
	var runs []api.RunView
	if err := v.get(with("/v1/runs", "experiment", name, "limit", "10"), &runs); err != nil {
		return nil, err
	}
	for _, r := range runs {
		if r.State == mishap.Refused {
			continue // it may not have been planned
		}
		var journal []mishap.Entry
		if err := v.get(path("/v1/runs", r.Run, "journal"), &journal); err != nil {
			return nil, err
		}
		if len(journal) > 0 && journal[0].Planned != nil {
			p.Last, p.Changed = &r, journal[0].Planned.Drift(p.Plan)
		}
		break
	}
	p.Plan = mishap.Plan{} // the sheet says it; this is kept for a while
	return p, nil
}

func (v *visit) doRun() (outcome, error) {
	name := v.r.PathValue("name")
	out := outcome{to: path("/experiments", name)}
	want := api.StartRequest{Experiment: name, NoFault: v.r.PostFormValue("noFault") != ""}
	var got api.StartAnswer
	key := v.r.PostFormValue("key")
	if err := v.ask(http.MethodPost, "/v1/runs", want, &got, func(r *http.Request) { r.Header.Set("Idempotency-Key", key) }); err != nil {
		return out, err
	}
	out.to = path("/runs", got.Run)
	out.lines = []string{"Run " + got.Run + " of " + name + " has begun."}
	if got.Again {
		out.lines = []string{"The same was asked before: this is run " + got.Run + "."}
	}
	return out, nil
}

func (v *visit) doUnlock() (outcome, error) {
	name, why := v.r.PathValue("name"), v.because()
	out := outcome{to: path("/experiments", name), lines: []string{name + " is unlocked: it runs by itself again."}}
	if err := needsReason(why); err != nil {
		return out, err
	}
	return out, v.ask(http.MethodPost, path("/v1/locks", name, "unlock"), why, nil)
}

func (v *visit) doApprove() (outcome, error) {
	name, why := v.r.PathValue("name"), v.because()
	out := outcome{to: path("/experiments", name)}
	if err := needsReason(why); err != nil {
		return out, err
	}
	var given mishap.Approval
	if err := v.ask(http.MethodPost, "/v1/approvals", api.ApproveRequest{Experiment: name, Digest: v.r.PostFormValue("digest"), Reason: why.Reason}, &given); err != nil {
		return out, err
	}
	out.lines = []string{fmt.Sprintf("The plan of %s is approved until %s, by %s.", name, words.Moment(given.Until), given.By)}
	return out, nil
}

// runsPage is a page of all runs, or of those of an experiment.
type runsPage struct {
	Runs       []api.RunView
	Experiment string
	Next       string
	Now        time.Time
}

func (v *visit) runs() (shown, error) {
	q := v.r.URL.Query()
	p := runsPage{Experiment: q.Get("experiment"), Now: time.Now()}
	err := v.get(with("/v1/runs", "experiment", p.Experiment, "before", q.Get("before"), "limit", fmt.Sprint(mostRuns)), &p.Runs)
	if err != nil {
		return shown{}, err
	}
	if len(p.Runs) == mostRuns {
		p.Next = with("/runs", "experiment", p.Experiment, "before", p.Runs[mostRuns-1].Began.Format(time.RFC3339Nano))
	}
	return shown{template: "runs", title: "Runs", at: "runs", data: p}, nil
}

// runPage is the report of a run, and while it goes on what can be done about it.
type runPage struct {
	Run, Experiment string
	Source          mishap.Source
	Going           []goingView
	Report          template.HTML
}

func (v *visit) run() (shown, error) {
	id := v.r.PathValue("run")
	p := runPage{Run: id}
	if err := v.get(path("/v1/runs", id, "report")+"?format=part", &p.Report); err != nil {
		var no *refusal
		if errors.As(err, &no) && no.Status == http.StatusNotFound {
			no.Detail = "No run " + id + " is known: it never was, or it was retired from the ledger."
		}
		return shown{}, err
	}
	var about struct {
		Run, Experiment string
		Source          mishap.Source
	}
	if err := v.get(path("/v1/runs", id), &about); err != nil {
		return shown{}, err
	}
	p.Run, p.Experiment, p.Source = about.Run, about.Experiment, about.Source
	going, err := v.goingOf(func(g api.Going) bool { return g.Run == p.Run })
	p.Going = going
	return shown{template: "run", title: "Run of " + words.Clean(p.Experiment), at: "runs", data: p}, err
}
