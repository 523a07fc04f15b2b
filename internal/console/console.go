package console

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mishap/internal/api"
)

// Options say what the console is of.
type Options struct {
	// API is the server's own, for whoever Admit let in.
	API http.Handler
	// Admit finds out whose a token is: a request that is of them, or why they are not
	// let in. Without a token it lets in whoever the API does.
	Admit func(r *http.Request, token string) (of *http.Request, status int, why string)
	// WhileIn is a context that ends as soon as whoever was let in is let in no more.
	WhileIn func(context.Context) (context.Context, context.CancelFunc)
	// NeedsSignIn reports whether tokens say who somebody is.
	NeedsSignIn func() bool
	// Provider signs people in elsewhere.
	Provider Provider
	// Events counts what happened in the server: while it stays, nothing did.
	Events  func() int64
	Version string // of this program
	Log     *slog.Logger
}

// Console answers with pages.
type Console struct {
	o         Options
	sessions  sessions
	live      listeners
	recent    recent[made]
	going     recent[api.Now]
	results   results
	blanks    blanks
	templates *template.Template
	pages     http.Handler
}

// ServeHTTP answers with a page, an asset or what changed.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", policy(""))
	h.Set("Cache-Control", "no-store")
	c.pages.ServeHTTP(w, r)
}

// policy lets a page use what the console has, and styles with a nonce.
func policy(nonce string) string {
	styles := "'self'"
	if nonce != "" {
		styles += " 'nonce-" + nonce + "'"
	}
	return "default-src 'none'; script-src 'self'; style-src " + styles + "; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// visit is somebody at a page.
type visit struct {
	c       *Console
	w       http.ResponseWriter
	r       *http.Request
	name    string   // of the session
	session *session // nil: nobody signed in, and nobody needs to
	framed  *frame   // what is around the page, once it is known
}

// may reports whether who visits a page may do what needs a role.
func (v *visit) may(needed string) bool { return v.framed != nil && v.framed.May(needed) }

// shown is a page: which of the templates, and what it is filled with.
type shown struct {
	template, title, at string
	status              int
	data                any
}

func (v *visit) ask(method, path string, in, out any, change ...func(*http.Request)) error {
	return v.c.ask(v.r.Context(), method, path, in, out, change...)
}

func (v *visit) get(path string, out any) error { return v.ask(http.MethodGet, path, nil, out) }

// enter finds out who looks. Whoever is nobody is led to the sign-in.
func (c *Console) enter(w http.ResponseWriter, r *http.Request) (*visit, bool) {
	name := named(r)
	session := c.lasting(r.Context(), name)
	token := ""
	if session != nil {
		token = session.token
	}
	of, status, why := c.o.Admit(r, token)
	switch {
	case status == 0:
		return &visit{c: c, w: w, r: of, name: name, session: session}, true
	case status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
		c.writePage(w, r, shown{template: "sorry", title: "Too fast", status: status, data: why}, nil)
		return nil, false
	case cameFromElsewhere(r):
		// A cookie of SameSite=Strict does not come along with a link of another site; with
		// one of the console's own it does.
		c.goOn(w, r.URL.RequestURI())
		return nil, false
	}
	code := ""
	if session != nil {
		c.sessions.end(name)
		code = whyRefused
	} else if name != "" {
		code = whyEnded
	}
	c.leadToSignIn(w, r, code, why)
	return nil, false
}

// cameFromElsewhere reports a page that a link on another site led to.
func cameFromElsewhere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Method == http.MethodGet && (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// page registers a page, which is made once for all who look at about the same time and
// may do the same.
func (c *Console) page(mux *http.ServeMux, pattern string, make func(*visit) (shown, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, ok := c.enter(w, r)
		if !ok {
			return
		}
		f, err := v.frame()
		if err != nil {
			v.sorry(err)
			return
		}
		m, err := c.recent.get(f.Who.Role+" "+r.URL.RequestURI(), time.Now(), func() (*made, error) {
			p, err := make(v)
			if err != nil {
				return nil, err
			}
			return c.fill(p, f)
		})
		if err != nil {
			v.sorry(err)
			return
		}
		c.send(w, m, f)
	})
}

// form registers what a form asks for. Forms of others are refused.
func (c *Console) form(mux *http.ServeMux, pattern string, do func(*visit)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		switch v, ok := c.enter(w, r); {
		case !ok:
		case !v.session.may(v.r.PostFormValue("csrf")):
			v.sorry(foreignForm())
		default:
			do(v)
		}
	})
}

// denyForeign answers what a page of another site sends. Whose browser it is decides
// nothing here, so nobody is looked for.
func (c *Console) denyForeign(w http.ResponseWriter, r *http.Request) {
	c.writePage(w, r, shown{template: "sorry", title: "Not allowed", status: http.StatusForbidden, data: "Nothing was done: this form came from another site, and only forms of mishap's own pages are taken."}, nil)
}

func foreignForm() error {
	return &refusal{Status: http.StatusForbidden, Detail: "This form is not one that you were shown since you signed in. Go back, load the page again, and send it from there."}
}

// outcome is where an act leads, and what it came to.
type outcome struct {
	to    string
	lines []string
	bad   bool
}

// act registers what a form does.
func (c *Console) act(mux *http.ServeMux, pattern string, do func(*visit) (outcome, error)) {
	c.form(mux, pattern, func(v *visit) {
		out, err := do(v)
		c.recent.forget()
		c.going.forget()
		var no *refusal
		switch {
		case errors.As(err, &no) && no.Status != http.StatusUnauthorized && out.to != "":
			out.lines, out.bad = []string{no.Error()}, true
		case err != nil:
			v.sorry(err)
			return
		}
		c.sessions.tell(v.name, out.bad, out.lines...)
		http.Redirect(v.w, v.r, out.to, http.StatusSeeOther)
	})
}

// sorry shows why there is no page.
func (v *visit) sorry(err error) {
	p := shown{template: "sorry", title: "That did not work", status: http.StatusInternalServerError, data: err.Error()}
	var no *refusal
	if errors.As(err, &no) {
		p.status = no.Status
	}
	switch {
	case p.status == http.StatusForbidden:
		p.title = "Not allowed"
	case p.status == http.StatusNotFound:
		p.title = "Not found"
	case p.status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled):
		v.c.o.Log.Error("show page", "path", v.r.URL.Path, "error", err)
	}
	v.show(p)
}

func (v *visit) nothing() (shown, error) {
	return shown{}, &refusal{Status: http.StatusNotFound, Detail: "There is no page " + v.r.URL.Path + "."}
}

// leadToSignIn leads to the sign-in, and from there back.
func (c *Console) leadToSignIn(w http.ResponseWriter, r *http.Request, code, why string) {
	if !c.o.NeedsSignIn() {
		c.writePage(w, r, shown{template: "sorry", title: "Not from here", status: http.StatusUnauthorized, data: why}, nil)
		return
	}
	next := "/"
	if r.Method == http.MethodGet {
		next = r.URL.RequestURI()
	}
	http.Redirect(w, r, with("/signin", "next", local(next), "why", code), http.StatusSeeOther)
}

// local is a path of the console, whatever somebody wrote.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
