package console_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/console"
	"mishap/internal/desk"
	"mishap/internal/httpapi"
	"mishap/internal/httpapi/apitest"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/report"
	"mishap/internal/report/reporttest"
	"mishap/internal/source"
)

// world is a server over TCP with the real API and ledger, and made-up experiments and
// runs.
type world struct {
	t        testing.TB
	settings *config.Settings
	book     ledger.Ledger
	url      string
	server   *httptest.Server

	mu          sync.Mutex
	experiments []api.ExperimentView
	going       []*mishap.Run
	files       map[string]string // by commit and path
	events      int64
	started     []api.StartRequest
	begun       map[string]string // runs by who asked with which key
	catalog     *catalog.Catalog
	approved    []api.ApproveRequest
}

// roles have tokens of these names.
func roles() []string { return []string{"viewer", "operator", "approver", "admin"} }

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, ledger.NewMemory())
}

func newWorldOn(t testing.TB, book ledger.Ledger) *world {
	t.Helper()
	settings := &config.Settings{}
	settings.Put(new(config.Live))
	for _, role := range roles() {
		settings.Live().Tokens = append(settings.Live().Tokens, config.Token{Name: role + "-ann", Role: role, Hash: apitest.HashOf(role)})
	}
	w := &world{t: t, settings: settings, book: book, begun: map[string]string{}}
	log := slog.New(slog.DiscardHandler)
	m := member.New(member.Options{Book: w.book, Log: log})
	c := catalog.New(catalog.Options{Settings: settings, Halted: m.HaltedBy, Others: m.Others})
	w.catalog = c
	d := desk.New(desk.Options{Settings: settings, Member: m, Catalog: c})
	a := httpapi.New(httpapi.Options{Settings: settings, Server: w, Desk: d, Member: m, Book: w.book, Version: "v1.2.3", Log: log, FileAt: w.fileAt})
	a.Show(console.New(console.Options{
		API: a.Inner(), Admit: a.Admit, WhileIn: a.WhileIn, NeedsSignIn: a.NeedsSignIn, Provider: a.SignIn(), Events: func() int64 { _, n := w.Going(); return n }, Version: "v1.2.3", Log: log,
	}))
	w.server = httptest.NewServer(a.Handler())
	t.Cleanup(w.server.Close)
	w.url = w.server.URL
	return w
}

// change puts other settings in force.
func (w *world) change(f func(*config.Live)) {
	l := *w.settings.Live()
	l.Tokens = slices.Clone(l.Tokens)
	f(&l)
	w.settings.Put(&l)
}

// The server that the API asks.

func (w *world) Ready() bool { return true }
func (w *world) InForce() (all []mishap.Experiment) {
	for _, e := range w.Experiments() {
		all = append(all, e.Experiment)
	}
	return all
}

func (w *world) Experiments() []api.ExperimentView {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.experiments)
}

func (w *world) Experiment(name string) (api.ExperimentView, bool) {
	for _, e := range w.Experiments() {
		if e.Name == name {
			return e, true
		}
	}
	return api.ExperimentView{}, false
}

func (w *world) Start(_ context.Context, want api.StartRequest, by, key string) (api.StartAnswer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if want.Experiment == "refuses" {
		return api.StartAnswer{}, mishap.Refusal(errors.New("run 1 did not start (safeguard): it is outside of the window"))
	}
	asked := by + " " + want.Experiment + " " + key
	if id := w.begun[asked]; id != "" && key != "" {
		return api.StartAnswer{Run: id, Again: true}, nil
	}
	w.started = append(w.started, want)
	w.begun[asked] = fmt.Sprintf("started-%d-by-%s", len(w.started), strings.Fields(by)[0])
	return api.StartAnswer{Run: w.begun[asked]}, nil
}

func (w *world) Approvable(_ context.Context, name string) (api.Approvable, error) {
	e, ok := w.Experiment(name)
	if !ok {
		return api.Approvable{}, api.NotFound("no source has experiment " + name + " in force")
	}
	p := reporttest.CheckoutPlan()
	probes := p.Experiment.SteadyState
	p.Experiment = e.Experiment
	p.Experiment.SteadyState = probes
	got := api.Approvable{Plan: p, Digest: "sha256:plan-of-" + name, Needed: "it touches 2 targets, more than 1"}
	checks := []mishap.Check{{Safeguard: "governor", Answer: mishap.Yes}, {Safeguard: "window", Answer: mishap.No, Reason: "it is <b>Sunday</b>"}}
	got.Sheet = report.PlanSheet(p, w.catalog.Kinds(), checks, nil)
	got.Against = []string{"a run of " + name + " would not begin now: window refused: it is <b>Sunday</b>"}
	return got, nil
}

func (w *world) Approve(_ context.Context, in api.ApproveRequest, by, through string) (mishap.Approval, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.approved = append(w.approved, in)
	return mishap.Approval{Experiment: in.Experiment, Digest: in.Digest, By: by, Through: through, Reason: in.Reason}, nil
}

func (w *world) Approvals(ctx context.Context) ([]mishap.Approval, error) {
	return w.book.Approvals(ctx)
}
func (w *world) Refresh(string) bool { return true }
func (w *world) RefreshAll()         {}
func (w *world) Events(context.Context, int64) iter.Seq[api.Event] {
	return func(func(api.Event) bool) {}
}
func (w *world) Metrics() http.Handler { return http.NotFoundHandler() }
func (w *world) Going() ([]*mishap.Run, int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.going), w.events
}

// fileAt is what a source keeps.
func (w *world) fileAt(_ context.Context, s mishap.Source) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text, ok := w.files[s.Commit+" "+s.Path]
	if !ok {
		return "", source.ErrNotKept
	}
	return text, nil
}

// keep lets a source keep a file of a commit.
func (w *world) keep(commit, path, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.files == nil {
		w.files = map[string]string{}
	}
	w.files[commit+" "+path] = text
}

// happens lets whoever follows know that something did.
func (w *world) happens() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events++
}

// only puts these experiments in force, and takes out all others.
func (w *world) only(all ...api.ExperimentView) {
	w.mu.Lock()
	w.experiments = all
	w.mu.Unlock()
	w.happens()
}

// declare puts an experiment in force.
func (w *world) declare(change func(*mishap.Experiment)) mishap.Experiment {
	e := reporttest.CheckoutPlan().Experiment
	e.SteadyState, e.Safeguards, e.Schedule = nil, nil, &mishap.Schedule{Cron: "0 10 * * MON-FRI", Timezone: "Europe/London"}
	change(&e)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.experiments = append(w.experiments, api.ExperimentView{Experiment: e, From: "shop"})
	slices.SortFunc(w.experiments, func(a, b api.ExperimentView) int { return strings.Compare(a.Name, b.Name) })
	return e
}

// ran puts a run into the ledger, the last entry of which is so long ago. A run that is
// not over goes on.
func (w *world) ran(id string, s *reporttest.Story, name string, ago time.Duration) *mishap.Run {
	w.t.Helper()
	entries := slices.Clone(s.Entries)
	shift := time.Since(entries[len(entries)-1].At) - ago
	for i := range entries {
		e := &entries[i]
		e.Run, e.At = id, e.At.Add(shift)
		if e.Planned != nil {
			plan := *e.Planned
			plan.Experiment.Name, plan.Experiment.Group = name, name+" "+id
			e.Planned = &plan
		}
		if e.Injection != nil {
			c := *e.Injection
			c.ID = strings.Replace(c.ID, "7f3a91c2", id, 1)
			if c.Injection != nil {
				in := *c.Injection
				in.Run, in.ID, in.Keys = id, c.ID, []mishap.Key{{Thing: "thing of " + c.ID}}
				c.Injection = &in
			}
			e.Injection = &c
		}
		if e.Observation != nil && !e.Observation.Start.IsZero() {
			o := *e.Observation
			o.Start = o.Start.Add(shift)
			e.Observation = &o
		}
		if e.Comparison != nil {
			look := *e.Comparison
			look.Start = look.Start.Add(shift)
			e.Comparison = &look
		}
		if e.Effect != nil {
			effect := *e.Effect
			effect.Injection = strings.Replace(effect.Injection, "7f3a91c2", id, 1)
			e.Effect = &effect
		}
	}
	run, err := mishap.Replay(entries)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx := w.t.Context()
	lease, err := w.book.Begin(ctx, ledger.Start{Server: "test", First: entries[0]})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries[1:] {
		if e.Injection != nil && e.Injection.Injection != nil {
			if err := w.book.Prepare(ctx, lease, e, *e.Injection.Injection); err != nil {
				w.t.Fatal(err)
			}
			continue
		}
		if err := w.book.Append(ctx, lease, e); err != nil {
			w.t.Fatal(err)
		}
	}
	if !run.State.Ended() {
		w.mu.Lock()
		w.going = append(w.going, run)
		w.mu.Unlock()
	}
	w.happens()
	return run
}

// until is a story up to where it comes to a state, with so many entries of it.
func until(s *reporttest.Story, state mishap.State, more int) *reporttest.Story {
	for i, e := range s.Entries {
		if e.State != nil && e.State.To == state {
			end := min(i+1+more, len(s.Entries))
			return &reporttest.Story{At: s.Entries[end-1].At, Entries: s.Entries[:end]}
		}
	}
	panic("it never is " + state)
}

// person is somebody at a browser without script.
type person struct {
	t testing.TB
	w *world
	*http.Client
}

func (w *world) person() *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &person{w.t, w, &http.Client{Jar: jar, Timeout: time.Minute}}
}

// signedIn is somebody with a role.
func (w *world) signedIn(role string) *person {
	p := w.person()
	status, at, _ := p.post("/signin", "token", role, "next", "/")
	if status != http.StatusOK || at != "/" {
		w.t.Fatalf("sign in as %s: %d at %s", role, status, at)
	}
	return p
}

// got is the page that an answer leads to.
func (p *person) got(r *http.Response, err error) (status int, at, text string) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.StatusCode, r.Request.URL.RequestURI(), string(body)
}

func (p *person) get(path string) (status int, at, text string) {
	p.t.Helper()
	return p.got(p.Get(p.w.url + path))
}

// post sends a form as somebody would who saw none.
func (p *person) post(path string, pairs ...string) (status int, at, text string) {
	p.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return p.got(p.PostForm(p.w.url+path, form))
}

var csrf = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

var runKey = regexp.MustCompile(`name="key" value="([^"]+)"`)

// send sends a form that stands on a page.
func (p *person) send(page, path string, pairs ...string) (status int, at, text string) {
	p.t.Helper()
	_, _, html := p.get(page)
	found := csrf.FindStringSubmatch(html)
	if found == nil || !strings.Contains(html, fmt.Sprintf("action=%q", path)) {
		p.t.Fatalf("%s has no form for %s", page, path)
	}
	return p.post(path, append(pairs, "csrf", found[1])...)
}
