package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"sync"
	"time"
)

const (
	sessionLife  = 12 * time.Hour
	mostSessions = 10_000
)

// session is somebody who signed in. Their token stays in this process; the browser has
// a random name for it, which script cannot read.
type session struct {
	token string
	csrf  string // what every form of theirs must have
	ends  time.Time

	until   time.Time // the token is good; zero: the API says
	refresh string    // gets another one then; empty: nothing does

	said []string // what their last act came to, shown once
	bad  bool     // it came to nothing good
}

// sessions are those of this process, by the hash of what browsers have.
type sessions struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*session
	now func() time.Time
}

// begin makes a session of a token, which ends at the latest at a time, and what the
// browser gets for it.
func (s *sessions) begin(token string, ends time.Time) (name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if latest := s.now().Add(sessionLife); ends.IsZero() || ends.After(latest) {
		ends = latest
	}
	if s.all == nil {
		s.all = map[[sha256.Size]byte]*session{}
	}
	s.makeRoom()
	name = rand.Text()
	s.all[sha256.Sum256([]byte(name))] = &session{token: token, csrf: rand.Text(), ends: ends}
	return name
}

// renew gives a session another token.
func (s *sessions) renew(name, token, refresh string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[sha256.Sum256([]byte(name))]
	if one == nil {
		return
	}
	one.token, one.until = token, until
	if refresh != "" {
		one.refresh = refresh
	}
}

// makeRoom forgets who is over, and of too many whoever ends next.
func (s *sessions) makeRoom() {
	for key, one := range s.all {
		if s.now().After(one.ends) {
			delete(s.all, key)
		}
	}
	for len(s.all) >= mostSessions {
		var first [sha256.Size]byte
		var at time.Time
		for key, one := range s.all {
			if at.IsZero() || one.ends.Before(at) {
				first, at = key, one.ends
			}
		}
		delete(s.all, first)
	}
}

// of is a copy of the session that a browser has; nil if it has none that lives.
func (s *sessions) of(name string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[sha256.Sum256([]byte(name))]
	if one == nil || s.now().After(one.ends) {
		return nil
	}
	copied := *one
	return &copied
}

func (s *sessions) end(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(name)))
}

// tell keeps what an act came to until it was shown.
func (s *sessions) tell(name string, bad bool, lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.all[sha256.Sum256([]byte(name))]; one != nil {
		one.said, one.bad = lines, bad
	}
}

// told is what an act came to, once.
func (s *sessions) told(name string) (lines []string, bad bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[sha256.Sum256([]byte(name))]
	if one == nil {
		return nil, false
	}
	lines, bad = one.said, one.bad
	one.said = nil
	return lines, bad
}

// may reports whether a form is of this session.
func (s *session) may(form string) bool {
	return s != nil && subtle.ConstantTimeCompare([]byte(form), []byte(s.csrf)) == 1
}

const cookieName = "mishap-session"

// cookie is what a browser gets, or loses if the name is empty.
func cookie(r *http.Request, name string) *http.Cookie {
	k := &http.Cookie{Name: cookieName, Value: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: overTLS(r), MaxAge: int(sessionLife.Seconds())}
	if name == "" {
		k.MaxAge = -1
	}
	return k
}

// overTLS reports whether the browser speaks with this server, or with what stands in
// front of it, over TLS.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

func named(r *http.Request) string {
	k, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	return k.Value
}
