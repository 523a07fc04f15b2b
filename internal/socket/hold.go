package socket

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
)

// Hold keeps a connection from ending in favour of another until it is released, if
// its listener has a limit. An eighth of the places cannot be held, so that whoever
// comes next finds one.
func Hold(c net.Conn) (release func()) {
	for {
		switch under := c.(type) {
		case *conn:
			return under.hold()
		case interface{ NetConn() net.Conn }:
			c = under.NetConn()
		default:
			return func() {}
		}
	}
}

type connKey struct{}

// WithConn is the ConnContext of an http.Server whose handlers call [HoldOf].
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// HoldOf is [Hold] for the connection of a request with this context.
func HoldOf(ctx context.Context) (release func()) {
	if c, ok := ctx.Value(connKey{}).(net.Conn); ok {
		return Hold(c)
	}
	return func() {}
}

// Whole reads the body of a request before anything acts on it, and holds its
// connection from then on. What keeps it from being read the handler meets.
func Whole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text), failing{err}))
		defer HoldOf(r.Context())()
		next.ServeHTTP(w, r)
	})
}

// failing is the end of what could be read.
type failing struct{ err error }

// Read gives the error.
func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}
