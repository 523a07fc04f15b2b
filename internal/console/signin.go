package console

import (
	"net/http"
	"strings"
	"time"
)

// signInPage is the form for a token.
type signInPage struct {
	Next, Why string
	Bad       bool   // the token that was given is not one
	With      string // a provider that people can sign in with; empty: none
}

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request) {
	if !c.o.NeedsSignIn() {
		http.Redirect(w, r, local(r.URL.Query().Get("next")), http.StatusSeeOther)
		return
	}
	c.writePage(w, r, shown{template: "signin", title: "Sign in", data: signInPage{With: c.o.Provider.With(r), Next: local(r.URL.Query().Get("next")), Why: whyOf(r.URL.Query().Get("why"))}}, nil)
}

// whyOf is a reason in words. Links say which one, and no words of their own.
func whyOf(code string) string {
	switch code {
	case whyOut:
		return "You are signed out."
	case whyEnded:
		return "You were signed out: a sign-in lasts 12 hours, and ends when the server starts anew."
	case whyRefused:
		return "Your token is let in no more: it expired, or was taken out of the settings."
	}
	return ""
}

const (
	whyOut     = "out"
	whyEnded   = "ended"
	whyRefused = "refused"
)

// signIn takes a token. It is asked about once more with every page.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	p := signInPage{With: c.o.Provider.With(r), Next: local(r.PostFormValue("next"))}
	token := strings.TrimSpace(r.PostFormValue("token"))
	if token == "" {
		p.Why, p.Bad = "paste a token first", true
		c.writePage(w, r, shown{template: "signin", title: "Sign in", status: http.StatusUnprocessableEntity, data: p}, nil)
		return
	}
	if _, status, why := c.o.Admit(r, token); status != 0 {
		p.Why, p.Bad = why, true
		c.writePage(w, r, shown{template: "signin", title: "Sign in", status: status, data: p}, nil)
		return
	}
	c.sessions.end(named(r)) // a new name for whoever signs in
	http.SetCookie(w, cookie(r, c.sessions.begin(token, time.Time{})))
	http.Redirect(w, r, p.Next, http.StatusSeeOther)
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	name := named(r)
	if s := c.sessions.of(name); s != nil && !s.may(r.PostFormValue("csrf")) {
		http.Error(w, "this form is not of the console's own page", http.StatusForbidden)
		return
	}
	c.sessions.end(name)
	http.SetCookie(w, cookie(r, ""))
	http.Redirect(w, r, with("/signin", "why", whyOut), http.StatusSeeOther)
}
