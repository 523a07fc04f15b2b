package httpapi

import (
	"context"
	"net/http"
	"strings"

	"mishap/internal/ledger"
	"mishap/internal/socket"
)

// Show lets pages answer at every path that the API does not have.
func (a *API) Show(pages http.Handler) { a.pages = whole(pages) }

// Inner is the API for whoever [API.Admit] let in: a request of its context is of
// the same caller, whose role each route asks for as ever.
func (a *API) Inner() http.Handler { return a.all }

// Admit finds out whose a token is, as with the header of a request: a request that
// is of who has it, or with a status other than 0 why they are not let in. The token
// may be empty.
func (a *API) Admit(r *http.Request, token string) (of *http.Request, status int, why string) {
	r = r.WithContext(ledger.Through(r.Context(), ledger.InConsole))
	who, status, why := a.access.admit(r, token)
	if status != 0 {
		if token != "" {
			a.audit.turnAway(r.Context(), who, r.Method+" "+r.URL.Path+": "+why)
		}
		return r, status, why
	}
	if who.from == "" {
		context.AfterFunc(r.Context(), socket.HoldOf(r.Context())) // it ends with the request
	}
	return as(r, a.access.again(r, who, token)), 0, ""
}

// SignIn is how people sign in with the provider of the settings.
func (a *API) SignIn() *SignIn { return &SignIn{provider: &a.access.provider, settings: a.settings} }

// NeedsSignIn reports whether tokens or a provider say who somebody is. Without,
// whoever is on this machine may look.
func (a *API) NeedsSignIn() bool {
	l := a.settings.Live()
	return len(l.Tokens) > 0 || l.OIDC.On()
}

// ofAPI reports a path that the API has.
func ofAPI(path string) bool {
	if path == "/metrics" || open(path) {
		return true
	}
	for _, prefix := range []string{"/v1/", "/openapi", "/schemas/", "/hooks/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
