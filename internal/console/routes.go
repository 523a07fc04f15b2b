package console

import (
	"crypto/rand"
	"net/http"
	"time"
)

// New makes a console that nobody has signed in to.
func New(o Options) *Console {
	assets := newAssets()
	c := &Console{o: o, templates: newTemplates(assets.named), sessions: sessions{now: time.Now}, blanks: blanks{csrf: rand.Text(), key: rand.Text()}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{file}", assets.serve)
	mux.HandleFunc("GET /signin", c.showSignIn)
	mux.HandleFunc("POST /signin", c.signIn)
	mux.HandleFunc("GET /signin/with", c.signInWith)
	mux.HandleFunc("GET /signin/back", c.signInBack)
	mux.HandleFunc("POST /signout", c.signOut)
	mux.HandleFunc("GET /live", c.follow)
	c.page(mux, "GET /{$}", (*visit).now)
	c.page(mux, "GET /experiments", (*visit).experiments)
	c.page(mux, "GET /experiments/{name}", (*visit).experiment)
	c.page(mux, "GET /experiments/{name}/file", (*visit).file)
	c.act(mux, "POST /experiments/{name}/run", (*visit).doRun)
	c.act(mux, "POST /experiments/{name}/unlock", (*visit).doUnlock)
	c.act(mux, "POST /experiments/{name}/approve", (*visit).doApprove)
	c.asks(mux, "/experiments/{name}/plan", planning())
	c.page(mux, "GET /runs", (*visit).runs)
	c.page(mux, "GET /runs/{run}", (*visit).run)
	c.page(mux, "GET /runs/{run}/file", (*visit).fileOfRun)
	mux.HandleFunc("GET /runs/{run}/journal", c.journal)
	c.page(mux, "GET /calendar", (*visit).calendar)
	c.page(mux, "GET /coverage", (*visit).coverage)
	c.page(mux, "GET /proxies", (*visit).proxies)
	c.asks(mux, "/proxies/{name}/observe", observing())
	c.page(mux, "GET /audit", (*visit).audit)
	c.page(mux, "GET /halt", (*visit).halt)
	c.act(mux, "POST /halt", (*visit).doHalt)
	c.act(mux, "POST /resume", (*visit).doResume)
	c.act(mux, "POST /runs/{run}/abort", (*visit).doAbort)
	c.page(mux, "/", (*visit).nothing)
	foreign := http.NewCrossOriginProtection()
	foreign.SetDenyHandler(http.HandlerFunc(c.denyForeign))
	c.pages = foreign.Handler(mux)
	return c
}
