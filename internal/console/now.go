package console

import (
	"html/template"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/report"
	"mishap/internal/report/html"
	"mishap/internal/report/words"
)

// nowPage is what went on lately, and what waits. What goes on now is around every page.
type nowPage struct {
	Going   []goingView
	Recent  []api.RunView
	Waiting []mishap.Waiting
	Locks   []mishap.Lock
	Broken  []api.SourceView
	Looked  []lookedAt // plans and observations, for who may ask for them
}

// goingView is a run that goes on, as a card.
type goingView struct {
	api.Going
	Mark     mark
	Elapsed  float64 // of how much, in seconds: a bar
	Total    float64
	Progress string
	Forest   template.HTML
	Waits    []string
	Outside  int // faults that are not settled
}

func (v *visit) now() (shown, error) {
	var runs []api.RunView
	p := nowPage{}
	if err := v.broken(&p.Broken); err != nil {
		return shown{}, err
	}
	now, err := v.goingOn()
	if err != nil {
		return shown{}, err
	}
	for _, g := range now.Going {
		p.Going = append(p.Going, viewGoing(g, now.At))
	}
	if err := v.get("/v1/runs?limit=20", &runs); err != nil {
		return shown{}, err
	}
	for _, r := range runs {
		if r.Ended != nil && len(p.Recent) < 10 {
			p.Recent = append(p.Recent, r)
		}
	}
	if err := v.get("/v1/queue", &p.Waiting); err != nil {
		return shown{}, err
	}
	if v.may("operator") {
		p.Looked = v.c.results.latest("", time.Now(), mostLooked)
	}
	err = v.get("/v1/locks", &p.Locks)
	return shown{template: "now", title: "Now", at: "now", data: p}, err
}

func viewGoing(g api.Going, now time.Time) goingView {
	c := goingView{Going: g, Mark: markOf(string(g.State))} // whatever it has shown, it is not over
	elapsed := max(0, now.Sub(g.Since))
	switch {
	case g.Until != nil:
		total := g.Until.Sub(g.Since)
		c.Elapsed, c.Total = min(elapsed, total).Seconds(), total.Seconds()
		bound := "at most"
		if g.State == mishap.Baseline {
			bound = "at least"
		}
		c.Progress = words.Took(elapsed.Truncate(time.Second)) + " of " + bound + " " + words.Took(total)
	default:
		c.Progress = "for " + words.Took(elapsed.Truncate(time.Second))
	}
	for _, f := range g.Faults {
		if !f.State.Settled() {
			c.Outside++
		}
	}
	if g.Compared != nil {
		c.Forest, c.Waits = html.Forest("forest-"+g.Run, g.Compared), g.Compared.Waits
	}
	return c
}

// experimentsPage is a page of the experiments in force.
type experimentsPage struct {
	api.Overview
	Find, Next string
	Shown      int
	Now        time.Time
	Broken     []api.SourceView
}

func (v *visit) experiments() (shown, error) {
	q := v.r.URL.Query()
	p := experimentsPage{Find: q.Get("find"), Now: time.Now()}
	if err := v.get(with("/v1/overview", "find", p.Find, "after", q.Get("after")), &p.Overview); err != nil {
		return shown{}, err
	}
	if err := v.broken(&p.Broken); err != nil {
		return shown{}, err
	}
	p.Shown = len(p.Rows)
	if p.After != "" {
		p.Next = with("/experiments", "find", p.Find, "after", p.After)
	}
	return shown{template: "experiments", title: "Experiments", at: "experiments", data: p}, nil
}

// broken finds the sources that do not have in force what they hold, or of which
// nothing runs.
func (v *visit) broken(found *[]api.SourceView) error {
	var all []api.SourceView
	if err := v.get("/v1/sources", &all); err != nil {
		return err
	}
	for _, src := range all {
		if src.Problem != "" || src.Holds != "" {
			*found = append(*found, src)
		}
	}
	return nil
}

// seen is what a probe saw last.
func seen(o *mishap.Observation) string { return words.Clean(report.Seen(", ", *o)) }
