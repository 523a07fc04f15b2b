package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
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

// Provider signs people in elsewhere, with OpenID Connect.
type Provider interface {
	// With is who it is, for a browser that can be sent there; empty: nobody.
	With(r *http.Request) string
	// Begin is the address to go to; who comes back has the state.
	Begin(r *http.Request, state, nonce, verifier string) (address string, err error)
	// End is the token that they have come back with a code for, until when it is good,
	// and what gets another one then; empty: nothing does.
	End(r *http.Request, code, nonce, verifier string) (token, refresh string, until time.Time, err error)
	// Renew gets another token.
	Renew(ctx context.Context, refresh string) (token, next string, until time.Time, err error)
}

const (
	awayCookie = "mishap-signin"
	awayFor    = 10 * time.Minute
	renewAhead = 30 * time.Second
)

// away is what a browser keeps while somebody signs in elsewhere: only who has it may
// come back.
type away struct{ state, nonce, verifier, next string }

func (a away) String() string {
	return strings.Join([]string{a.state, a.nonce, a.verifier, base64.RawURLEncoding.EncodeToString([]byte(a.next))}, ".")
}

// awayOf is what the browser of a request has kept.
func awayOf(r *http.Request) (a away, ok bool) {
	k, err := r.Cookie(awayCookie)
	if err != nil {
		return a, false
	}
	parts := strings.Split(k.Value, ".")
	if len(parts) != 4 {
		return a, false
	}
	next, err := base64.RawURLEncoding.DecodeString(parts[3])
	return away{parts[0], parts[1], parts[2], local(string(next))}, err == nil && parts[0] != ""
}

// awayFrom is the cookie for that: it has to come along when the provider leads back.
func awayFrom(r *http.Request, value string, seconds int) *http.Cookie {
	return &http.Cookie{Name: awayCookie, Value: value, Path: "/signin", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: overTLS(r), MaxAge: seconds}
}

// signInWith sends somebody to the provider.
func (c *Console) signInWith(w http.ResponseWriter, r *http.Request) {
	a := away{state: rand.Text(), nonce: rand.Text(), verifier: rand.Text() + rand.Text(), next: local(r.URL.Query().Get("next"))}
	if c.o.Provider.With(r) == "" {
		c.signInAgain(w, r, http.StatusNotFound, a.next, "The settings of this server let nobody sign in with a provider here.")
		return
	}
	address, err := c.o.Provider.Begin(r, a.state, a.nonce, a.verifier)
	if err != nil {
		c.signInAgain(w, r, http.StatusBadGateway, a.next, err.Error())
		return
	}
	http.SetCookie(w, awayFrom(r, a.String(), int(awayFor.Seconds())))
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// signInBack takes who comes back from the provider.
func (c *Console) signInBack(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a, known := awayOf(r)
	http.SetCookie(w, awayFrom(r, "", -1))
	switch {
	case !known || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(a.state)) != 1:
		c.signInAgain(w, r, http.StatusForbidden, "/", "That sign-in was not begun in this browser, or more than 10 minutes ago. Begin again.")
		return
	case q.Get("code") == "":
		c.signInAgain(w, r, http.StatusForbidden, a.next, "The provider did not sign you in: "+strings.TrimSpace(q.Get("error")+" "+q.Get("error_description")))
		return
	}
	token, refresh, until, err := c.o.Provider.End(r, q.Get("code"), a.nonce, a.verifier)
	if err != nil {
		c.signInAgain(w, r, http.StatusForbidden, a.next, err.Error())
		return
	}
	if _, status, why := c.o.Admit(r, token); status != 0 {
		c.signInAgain(w, r, status, a.next, why)
		return
	}
	c.sessions.end(named(r))
	name := c.sessions.begin(token, time.Time{})
	c.sessions.renew(name, token, refresh, until)
	http.SetCookie(w, cookie(r, name))
	c.goOn(w, a.next)
}

func (c *Console) signInAgain(w http.ResponseWriter, r *http.Request, status int, next, why string) {
	c.writePage(w, r, shown{template: "signin", title: "Sign in", status: status, data: signInPage{Next: next, Why: why, Bad: true, With: c.o.Provider.With(r)}}, nil)
}

// goOn leads on from a page of the console's own: only then does a cookie of
// SameSite=Strict come along, whatever led here.
func (c *Console) goOn(w http.ResponseWriter, next string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = c.templates.ExecuteTemplate(w, "again", next)
}

// lasting is a session whose token is good for a while: of a provider's it gets another
// one in time. A session whose provider gives none any more is over.
func (c *Console) lasting(ctx context.Context, name string) *session {
	s := c.sessions.of(name)
	if s == nil || s.refresh == "" || time.Until(s.until) > renewAhead {
		return s
	}
	token, next, until, err := c.o.Provider.Renew(ctx, s.refresh)
	if err != nil {
		if again := c.sessions.of(name); again != nil && again.token != s.token {
			return again // another page of theirs was first
		}
		return s // for as long as its token is good
	}
	c.sessions.renew(name, token, next, until)
	return c.sessions.of(name)
}
