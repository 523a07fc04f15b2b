package httpapi

import (
	"context"
	"net/http"
	"strings"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/socket"
)

// caller is who asks.
type caller struct {
	name    string // with the subject at its end, if there is one
	mail    string
	subject string // what an OpenID Connect provider knows somebody by, escaped as in a URL's path
	role    config.Role
	through string // what gives the role, see [mishap.Approval]; empty: nothing that approves

	still func() bool // whether they are let in now, too; nil: as long as they ask

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
		next.ServeHTTP(w, as(r, caller{name: who, role: config.Admin, through: "socket"}))
	})
}

// stranger is a caller who has shown no valid token.
func stranger(from string) caller { return caller{name: "anybody " + from, from: from} }
