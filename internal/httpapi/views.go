package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/config"
	"mishap/internal/desk"
	"mishap/internal/ledger"
	"mishap/internal/report"
	"mishap/internal/report/html"
)

// viewRoutes are what people look at: much at once, in pages.
func (a *API) viewRoutes(to huma.API) {
	route(a, to, config.Viewer, "GET", "/v1/me", "whoAmI", "Who asks, and what they may", a.apiWho)
	route(a, to, config.Viewer, "GET", "/v1/now", "getNow", "The runs that are not over, as they stand", a.apiNow)
	route(a, to, config.Viewer, "GET", "/v1/experiments/{name}/trend", "getTrend", "What came out of an experiment from run to run", a.apiTrend)
	route(a, to, config.Viewer, "GET", "/v1/experiments/{name}/file", "getFile", "The file of an experiment in force, as its commit has it", a.apiFile)
	route(a, to, config.Viewer, "GET", "/v1/runs/{run}/file", "getFileOfRun", "The file of a run's experiment, as the run's commit has it", a.apiFileOfRun)
	route(a, to, config.Viewer, "GET", "/v1/latest", "listLatest", "What ran last of each experiment that is known, and when it is due", a.apiLatest)
	route(a, to, config.Viewer, "GET", "/v1/overview", "getOverview", "Experiments in force with all that decides whether they run, in pages", a.apiOverview)
	route(a, to, config.Viewer, "GET", "/v1/calendar", "getCalendar", "What ran and what is due in a stretch of time", a.apiCalendar)
	route(a, to, config.Viewer, "GET", "/v1/coverage", "getCoverage", "Which kinds of fault were tried on what, and what came out", a.apiCoverage)
	route(a, to, config.Viewer, "GET", "/v1/proxies", "listProxies", "The proxies of the server's settings, and how each is", a.apiProxies)
	route(a, to, config.Operator, "POST", "/v1/proxies/{name}/observe", "observeProxy", "What callers do on the live traffic of a proxy, without a fault", a.apiObserve)
}

func (a *API) apiWho(ctx context.Context, _ *struct{}) (*body[api.Who], error) {
	who := callerOf(ctx)
	return &body[api.Who]{api.Who{Name: who.name, Role: string(who.role), Pages: a.settings.Live().PublicURL}}, nil
}

func (a *API) apiNow(ctx context.Context, _ *struct{}) (*body[api.Now], error) {
	now, err := a.standing.now(ctx, time.Now())
	return &body[api.Now]{now}, err
}

func (a *API) apiLatest(ctx context.Context, _ *struct{}) (*body[[]report.ExperimentStanding], error) {
	all, err := a.desk.Latest(ctx)
	return &body[[]report.ExperimentStanding]{append([]report.ExperimentStanding{}, all...)}, err
}

func (a *API) apiOverview(ctx context.Context, in *desk.OverviewQuery) (*body[api.Overview], error) {
	page, err := a.desk.Overview(ctx, a.server.Experiments(), *in, time.Now())
	return &body[api.Overview]{page}, err
}

func (a *API) apiFile(ctx context.Context, in *named) (*body[api.FileView], error) {
	one, ok := a.server.Experiment(in.Name)
	if !ok {
		return nil, huma.NewError(http.StatusNotFound, "no source has experiment "+in.Name+" in force")
	}
	return &body[api.FileView]{a.file(ctx, one.Experiment)}, nil
}

func (a *API) apiFileOfRun(ctx context.Context, in *ofRun) (*body[api.FileView], error) {
	run, _, err := a.replay(ctx, in.Run)
	if err != nil {
		return nil, err
	}
	return &body[api.FileView]{a.file(ctx, run.Plan.Experiment)}, nil
}

// file is the file of an experiment, if it is kept. Who asks names no path: that and
// the commit are those of what was loaded.
func (a *API) file(ctx context.Context, e mishap.Experiment) api.FileView {
	view := api.FileView{Experiment: e.Name, Source: e.Source}
	if e.Source.Commit == "" || a.fileAt == nil {
		view.Missing = "it is not from git, so no commit has it"
		return view
	}
	var err error
	if view.Text, err = a.fileAt(ctx, e.Source); err != nil {
		view.Missing = err.Error()
	}
	return view
}

// mostCalendar is the longest stretch of a calendar.
const mostCalendar = 62 * 24 * time.Hour

func (a *API) apiCalendar(ctx context.Context, in *struct {
	From time.Time `query:"from" required:"true"`
	To   time.Time `query:"to" required:"true"`
}) (*body[api.Calendar], error) {
	if span := in.To.Sub(in.From); span <= 0 || span > mostCalendar {
		return nil, huma.NewError(http.StatusUnprocessableEntity, "from must be before to, by at most 62 days")
	}
	c, err := a.desk.Calendar(ctx, a.server.InForce(), in.From, in.To, time.Now())
	return &body[api.Calendar]{c}, err
}

func (a *API) apiCoverage(ctx context.Context, in *desk.CoverageQuery) (*body[api.Coverage], error) {
	c, err := a.desk.Coverage(ctx, a.server.InForce(), *in)
	return &body[api.Coverage]{c}, err
}

func (a *API) apiProxies(ctx context.Context, _ *struct{}) (*body[[]api.ProxyView], error) {
	return &body[[]api.ProxyView]{a.desk.Proxies(ctx)}, nil
}

func (a *API) apiObserve(ctx context.Context, in *struct {
	Name string `path:"name" maxLength:"200"`
	Body api.ObserveRequest
}) (*body[report.Observed], error) {
	seen, err := a.desk.Observe(ctx, in.Name, in.Body.ID, time.Duration(in.Body.Seconds)*time.Second)
	return &body[report.Observed]{seen}, err
}

const (
	sameNow  = 400 * time.Millisecond // for whoever asks within it, how many they are
	sameAway = 3 * time.Second        // of runs of other servers, whose journals are read
)

// standing is how the runs stand that are not over, found once for all who ask at
// about the same time.
type standing struct {
	server Server
	desk   *desk.Desk
	book   ledger.Ledger

	mu   sync.Mutex
	last api.Now
	away map[string]seenAway
}

// seenAway is a run of another server, as its journal had it.
type seenAway struct {
	at  time.Time
	run *mishap.Run
}

func (s *standing) now(ctx context.Context, now time.Time) (api.Now, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := now.Sub(s.last.At); age >= 0 && age < sameNow {
		return s.last, nil
	}
	active, err := s.book.Unfinished(ctx)
	if err != nil {
		return api.Now{}, err
	}
	here, events := s.server.Going()
	runs := map[string]*mishap.Run{}
	for _, r := range here {
		runs[r.ID] = r
	}
	found := api.Now{At: now.UTC(), Events: events, Going: []api.Going{}}
	away := map[string]seenAway{}
	for _, record := range active {
		run := runs[record.ID]
		if run == nil {
			if run, err = s.elsewhere(ctx, record.ID, now, away); err != nil {
				return api.Now{}, err
			}
		}
		found.Going = append(found.Going, s.desk.Going(run))
	}
	s.last, s.away = found, away
	return found, nil
}

// elsewhere replays a run that goes on in another server, or in none.
func (s *standing) elsewhere(ctx context.Context, id string, now time.Time, keep map[string]seenAway) (*mishap.Run, error) {
	known, ok := s.away[id]
	if age := now.Sub(known.at); !ok || age < 0 || age > sameAway {
		entries, err := s.book.Entries(ctx, id)
		if err != nil {
			return nil, err
		}
		if known.run, err = mishap.Replay(entries); err != nil {
			return nil, err
		}
		known.at = now
	}
	keep[id] = known
	return known.run, nil
}

// mostTrend is how many runs a trend has at most.
const mostTrend = 20

func (a *API) apiTrend(ctx context.Context, in *struct {
	Name   string `path:"name" maxLength:"200"`
	Format string `query:"format" enum:"json,html,part" default:"json" doc:"part: what stands on the page, for a page around it"`
}) (*document, error) {
	records, err := a.book.RunsOf(ctx, in.Name, mostTrend)
	if err != nil {
		return nil, err
	}
	last := ""
	for _, r := range records {
		last += fmt.Sprintf("%s %s ", r.ID, r.State)
	}
	return a.parts.get("trend "+in.Format+" of "+in.Name, last, func() (*document, error) {
		runs, err := mishap.ReplayAll(records, func(r ledger.Record) ([]mishap.Entry, error) { return a.book.Entries(ctx, r.ID) })
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		trend := report.TrendOf(in.Name, runs)
		switch in.Format {
		case "html":
			err = html.Trend(&out, trend, a.version)
		case "part":
			var part template.HTML
			part, err = html.TrendPart(trend, a.version, pageOf)
			out.WriteString(string(part))
		default:
			err = trend.JSON(&out)
			return &document{"application/json", out.Bytes()}, err
		}
		return &document{"text/html; charset=utf-8", out.Bytes()}, err
	})
}

// runPart is the inside of a run's page. Of a run that goes on it is made anew after
// a while, however many look.
func (a *API) runPart(ctx context.Context, which string) (*document, error) {
	record, err := a.book.Find(ctx, which)
	if err != nil {
		return nil, err
	}
	stands := string(record.State)
	if record.Active() {
		stands += fmt.Sprint(time.Now().UnixNano() / int64(samePart))
	}
	return a.parts.get("run "+record.ID, stands, func() (*document, error) {
		entries, err := a.book.Entries(ctx, record.ID)
		if err != nil {
			return nil, err
		}
		part, err := html.RunPart(entries, a.version, pageOf(record.ID)+"/journal")
		return &document{"text/html; charset=utf-8", []byte(part)}, err
	})
}

// pageOf is the path of a run's page, which the console has.
func pageOf(run string) string { return "/runs/" + url.PathEscape(run) }

const (
	samePart  = 2 * time.Second
	mostParts = 32
)

// parts are pages that were made for somebody who looked lately, one at a time: to
// make one takes what runs need too.
type parts struct {
	mu   sync.Mutex
	made map[string]part
}

type part struct {
	of  string // how things stood when it was made
	at  time.Time
	doc *document
}

// get is a page as it was made for how things stand, or makes it.
func (p *parts) get(name, stands string, make func() (*document, error)) (*document, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if had, ok := p.made[name]; ok && had.of == stands {
		return had.doc, nil
	}
	doc, err := make()
	if err != nil {
		return nil, err
	}
	if p.made == nil {
		p.made = map[string]part{}
	}
	for len(p.made) >= mostParts {
		oldest := ""
		for key, one := range p.made {
			if oldest == "" || one.at.Before(p.made[oldest].at) {
				oldest = key
			}
		}
		delete(p.made, oldest)
	}
	p.made[name] = part{stands, time.Now(), doc}
	return doc, nil
}
