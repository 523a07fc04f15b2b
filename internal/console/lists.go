package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mishap/internal/api"
	"mishap/internal/report"
)

// coveragePage is what was tried on what.
type coveragePage struct {
	api.Coverage
	Now        time.Time
	Find, Next string
	Empty      int // cells
}

func (v *visit) coverage() (shown, error) {
	q := v.r.URL.Query()
	p := coveragePage{Now: time.Now(), Find: q.Get("find")}
	if err := v.get(with("/v1/coverage", "find", p.Find, "after", q.Get("after")), &p.Coverage); err != nil {
		return shown{}, err
	}
	p.Empty = p.Of*len(p.Kinds) - p.Tried
	if p.After != "" {
		p.Next = with("/coverage", "find", p.Find, "after", p.After)
	}
	return shown{template: "coverage", title: "Coverage", at: "coverage", data: p}, nil
}

// proxyView is a proxy, and what came of observing it.
type proxyView struct {
	api.ProxyView
	Latest []lookedAt
}

func (v *visit) proxies() (shown, error) {
	var all []proxyView
	err := v.get("/v1/proxies", &all)
	for i := range all {
		all[i].Latest = v.c.results.latest(observing().title(all[i].Name), time.Now(), 1)
	}
	return shown{template: "proxies", title: "Proxies", at: "proxies", data: all}, err
}

// hasProxy says that the settings have no proxy of a name.
func (v *visit) hasProxy(name string) error {
	var all []api.ProxyView
	err := v.get("/v1/proxies", &all)
	if err != nil || slices.ContainsFunc(all, func(p api.ProxyView) bool { return p.Name == name }) {
		return err
	}
	return &refusal{Status: http.StatusNotFound, Detail: "The settings have no proxy " + name + "."}
}

// watches is how long a proxy is watched from a page, in seconds.
const watches = 10

// observe is what callers do while somebody watches.
func (v *visit) observe(name string) (any, error) {
	var seen report.Observed
	err := v.ask(http.MethodPost, path("/v1/proxies", name, "observe"), api.ObserveRequest{Seconds: watches, ID: strings.TrimSpace(v.r.PostFormValue("id"))}, &seen)
	return report.ObserveSheet(seen), err
}

// act is one line of the audit.
type act struct {
	ID   int64     `json:"id"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	What string    `json:"what"`
}

type auditPage struct {
	Acts []act
	Next string
}

// mostActs are those of one page.
const mostActs = 100

func (v *visit) audit() (shown, error) {
	before := v.r.URL.Query().Get("before")
	if _, err := strconv.ParseInt(before, 10, 64); err != nil {
		before = strconv.FormatInt(1<<62, 10)
	}
	p := auditPage{}
	if err := v.get(with("/v1/audit", "before", before, "limit", fmt.Sprint(mostActs)), &p.Acts); err != nil {
		return shown{}, err
	}
	if len(p.Acts) == mostActs {
		p.Next = with("/audit", "before", strconv.FormatInt(p.Acts[mostActs-1].ID, 10))
	}
	return shown{template: "audit", title: "Audit", at: "audit", data: p}, nil
}
