package app

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
	"sync"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/ledger"
	"mishap/internal/plaintext"
	"mishap/internal/socket"
)

// Role is what somebody may do over the API; each may do what those before may.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // read
	Operator Role = "operator" // start, abort, halt, refresh
	Approver Role = "approver" // approve plans of others
	Admin    Role = "admin"    // resume, unlock, read the audit
)

func (r Role) may(needed Role) bool {
	order := []Role{Viewer, Operator, Approver, Admin}
	return slices.Index(order, r) >= slices.Index(order, needed)
}

// caller is who asks.
type caller struct {
	name    string // with the subject at its end, if there is one
	mail    string
	subject string // what an OpenID Connect provider knows somebody by, escaped as in a URL's path
	role    Role
	through string // what gives the role, see [mishap.Approval]; empty: nothing that approves

	from string // the address of one who has shown no valid token; of all others empty
}

// person is who it is, as git writes it, with the subject at the end.
func (c caller) person() string {
	if c.mail == "" {
		return c.name
	}
	text := mishap.SubjectText(c.subject)
	name := strings.TrimSpace(strings.TrimSuffix(c.name, text))
	return strings.TrimSpace(name + " <" + c.mail + "> " + text)
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

func as(r *http.Request, c caller) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
}

// owner lets whoever reaches the socket do all: only the server's own user can.
func owner(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := r.Header.Get("Mishap-User")
		if who == "" {
			who = "the server's user"
		}
		defer socket.HoldOf(r.Context())()
		next.ServeHTTP(w, as(r, caller{name: who, role: Admin, through: "socket"}))
	})
}

// stranger is a caller who has shown no valid token.
func stranger(from string) caller { return caller{name: "anybody " + from, from: from} }

// authenticate finds out who asks. Without tokens in the settings everybody on
// this machine may read, and nobody may do more: other users share its loopback,
// and a web page can send requests there.
func (s *serving) authenticate(next http.Handler) http.Handler {
	known, strangers := &limiter{}, &limiter{} // apart, so that no number of addresses makes a caller's rate forgotten
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, problem := s.identify(r)
		limit := known
		if who.from != "" {
			limit = strangers
		}
		switch {
		case problem != "":
			s.denied(w, r, who, http.StatusUnauthorized, problem)
		case !limit.allow(who.name):
			w.Header().Set("Retry-After", "1")
			s.denied(w, r, who, http.StatusTooManyRequests, "too many requests; at most 50 a second")
		default:
			if who.from == "" {
				defer socket.HoldOf(r.Context())()
			}
			next.ServeHTTP(w, as(r, who))
		}
	})
}

// open reports a path that tells nothing worth a token.
func open(path string) bool {
	return slices.Contains([]string{"/healthz", "/readyz", "/hooks/refresh"}, path)
}

func (s *serving) identify(r *http.Request) (caller, string) {
	if open(r.URL.Path) {
		return stranger(host(r.RemoteAddr)), ""
	}
	if len(s.tokens()) == 0 && !s.Settings.Server.OIDC.On() {
		if !api.IsLocal(r.Host) || r.Header.Get("Origin") != "" && !isLocalOrigin(r.Header.Get("Origin")) {
			return stranger(host(r.RemoteAddr)), "without tokens in the settings the API answers this machine only"
		}
		return caller{name: "anybody on this machine", role: Viewer, from: "this machine"}, ""
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return stranger(host(r.RemoteAddr)), "a bearer token is needed; `mishap token` makes one"
	}
	token = strings.TrimSpace(token)
	if s.Settings.Server.OIDC.On() && strings.Count(token, ".") == 2 { // a signed one; ours have no dot
		return s.provider.identify(r.Context(), token, host(r.RemoteAddr))
	}
	sum := sha256.Sum256([]byte(token))
	hash := []byte("sha256:" + hex.EncodeToString(sum[:]))
	for _, t := range s.tokens() {
		if subtle.ConstantTimeCompare(hash, []byte(t.Hash)) != 1 {
			continue
		}
		if t.Expired(time.Now()) {
			return caller{name: t.Name, role: Role(t.Role)}, "the token of " + t.Name + " expired at " + t.Expires.UTC().Format(time.RFC3339)
		}
		return caller{name: t.Name, mail: t.Mail, role: Role(t.Role), through: "token " + t.Name}, ""
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

// denied answers with a problem and writes it to the audit.
func (s *serving) denied(w http.ResponseWriter, r *http.Request, who caller, status int, why string) {
	s.turnAway(r.Context(), who, r.Method+" "+r.URL.Path+": "+why)
	w.Header().Set("Connection", "close") // nobody waits for the rest of what it sends
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mishap"`)
	}
	writeProblem(w, status, why)
}

// turnAway writes to the audit what a caller was refused, or counts it.
func (s *serving) turnAway(ctx context.Context, who caller, what string) {
	if s.refusals.lists(who) {
		s.audit(ctx, who.name, "refused "+what)
	}
}

// audit writes what somebody did.
func (s *serving) audit(ctx context.Context, by, what string) {
	s.record(ctx, ledger.Act{At: time.Now(), By: by, What: what})
}

func (s *serving) record(ctx context.Context, a ledger.Act) {
	const most = 500
	if len(a.What) > most {
		a.What = a.What[:most] + "…"
	}
	a.What = plaintext.Line(plaintext.Of(a.What)) // a path may be anything, and PostgreSQL takes text without zero bytes
	if err := s.book.Record(context.WithoutCancel(ctx), a); err != nil {
		s.log.Error("write audit", "by", a.By, "what", a.What, "error", err)
	}
}

// limiter allows so many a second for each name, with bursts of as many.
type limiter struct {
	mu   sync.Mutex
	left map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

const (
	ratePerSecond = 50
	mostBuckets   = 10_000
)

func (l *limiter) allow(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	b := l.left[name]
	if b == nil {
		if l.left == nil || len(l.left) >= mostBuckets {
			l.left = map[string]*bucket{}
		}
		b = &bucket{tokens: ratePerSecond, at: now}
		l.left[name] = b
	}
	b.tokens = min(ratePerSecond, b.tokens+now.Sub(b.at).Seconds()*ratePerSecond)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
