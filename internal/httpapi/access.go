package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/config"
	"mishap/internal/socket"
)

// access finds out who asks.
type access struct {
	settings *config.Settings
	provider provider
	audit    *audit

	known, strangers limiter // apart, so that no number of addresses makes a caller's rate forgotten
}

func newAccess(settings *config.Settings, audit *audit) *access {
	return &access{settings: settings, audit: audit}
}

// authenticate finds out who asks. Without tokens in the settings everybody on
// this machine may read, and nobody may do more: other users share its loopback,
// and a web page can send requests there.
func (a *access) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, bears := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !bears {
			token = ""
		}
		who, status, problem := a.admit(r, strings.TrimSpace(token))
		if status != 0 {
			if status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", "1")
			}
			a.audit.denied(w, r, who, status, problem)
			return
		}
		if who.from == "" {
			defer socket.HoldOf(r.Context())()
		}
		next.ServeHTTP(w, as(r, a.again(r, who, token)))
	})
}

// again lets what goes on for long ask whether the caller is still let in.
func (a *access) again(r *http.Request, who caller, token string) caller {
	who.still = func() bool {
		_, problem := a.identify(r, strings.TrimSpace(token))
		return problem == ""
	}
	return who
}

// WhileIn is a context that ends as soon as whoever [API.Admit] let in is let in no more,
// because other settings came into force.
func (a *API) WhileIn(ctx context.Context) (context.Context, context.CancelFunc) {
	return a.access.whileIn(ctx)
}

// whileIn is a context that ends as soon as the caller is let in no more, because other
// settings came into force.
func (a *access) whileIn(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	who := callerOf(ctx)
	if who.still == nil {
		return ctx, cancel
	}
	go func() {
		for {
			changed := a.settings.Changed()
			if !who.still() {
				cancel()
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, cancel
}

// admit is who asks with a token, which may be empty, or why they are not let in.
func (a *access) admit(r *http.Request, token string) (who caller, status int, problem string) {
	who, problem = a.identify(r, token)
	limit := &a.known
	if who.from != "" {
		limit = &a.strangers
	}
	switch {
	case problem != "":
		return who, http.StatusUnauthorized, problem
	case !limit.allow(who.name):
		return who, http.StatusTooManyRequests, "too many requests; at most 50 a second"
	}
	return who, 0, ""
}

// open reports a path that tells nothing worth a token.
func open(path string) bool {
	return slices.Contains([]string{"/healthz", "/readyz", "/hooks/refresh"}, path)
}

func (a *access) identify(r *http.Request, token string) (caller, string) {
	if open(r.URL.Path) {
		return stranger(host(r.RemoteAddr)), ""
	}
	l := a.settings.Live()
	if len(l.Tokens) == 0 && !l.OIDC.On() {
		if !api.IsLocal(r.Host) || r.Header.Get("Origin") != "" && !isLocalOrigin(r.Header.Get("Origin")) {
			return stranger(host(r.RemoteAddr)), "without tokens in the settings the API answers this machine only"
		}
		return caller{name: "anybody on this machine", role: config.Viewer, from: "this machine"}, ""
	}
	if token == "" {
		return stranger(host(r.RemoteAddr)), "a bearer token is needed; `mishap token` makes one"
	}
	if l.OIDC.On() && strings.Count(token, ".") == 2 { // a signed one; ours have no dot
		return a.provider.identify(r.Context(), l.OIDC, token, host(r.RemoteAddr))
	}
	sum := sha256.Sum256([]byte(token))
	hash := []byte("sha256:" + hex.EncodeToString(sum[:]))
	for _, t := range l.Tokens {
		if subtle.ConstantTimeCompare(hash, []byte(t.Hash)) != 1 {
			continue
		}
		if t.Expired(time.Now()) {
			return caller{name: t.Name, role: config.Role(t.Role)}, "the token of " + t.Name + " expired at " + mishap.Moment(t.Expires)
		}
		return caller{name: t.Name, mail: t.Mail, role: config.Role(t.Role), through: "token " + t.Name}, ""
	}
	return stranger(host(r.RemoteAddr)), "the token is not known"
}

func host(address string) string {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return h
}

func isLocalOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && api.IsLocal(u.Host)
}
