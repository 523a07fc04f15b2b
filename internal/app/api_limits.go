package app

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// What somebody who has shown no token may take of the API: a connection of few,
// and little time to say what they want. Each bound is far beyond what a person,
// a script or a page needs.
const (
	mostConnections     = 512              // at once over TCP, or a third of the descriptors that the process may have
	mostConnectionsEach = 64               // of one address
	requestWithin       = 10 * time.Second // a whole request, with its body
)

// bounded is a listener that ends what goes beyond its bounds at once, so that
// descriptors are left for the sockets of this user, keepers and the ledger.
type bounded struct {
	net.Listener
	all, each int

	mu    sync.Mutex
	total int
	of    map[string]int // connections by address
}

// bound bounds the connections of the API beyond this user's own sockets.
func bound(l net.Listener) *bounded {
	most := mostConnections
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		most = max(1, int(min(uint64(most), limit.Cur/3)))
	}
	return &bounded{Listener: l, all: most, each: min(most, mostConnectionsEach), of: map[string]int{}}
}

// Accept gives the next connection that is within the bounds.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := host(conn.RemoteAddr().String())
		if b.take(from) {
			return &boundedConn{Conn: conn, give: sync.OnceFunc(func() { b.give(from) })}, nil
		}
		_ = conn.Close()
	}
}

func (b *bounded) take(from string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.total >= b.all || b.of[from] >= b.each {
		return false
	}
	b.total++
	b.of[from]++
	return true
}

func (b *bounded) give(from string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total--
	if b.of[from]--; b.of[from] == 0 {
		delete(b.of, from)
	}
}

// boundedConn is a connection that counts until it is closed.
type boundedConn struct {
	net.Conn
	give func()
}

// Close ends the connection, which then counts no more.
func (c *boundedConn) Close() error {
	c.give()
	return c.Conn.Close()
}

// whole reads the body of a request, of which it takes the first mostBody bytes,
// before anything acts on it; from then on the request may take its time. A body
// that comes too slowly ends the connection.
func whole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
		var long *http.MaxBytesError
		switch {
		case errors.As(err, &long):
			writeProblem(w, http.StatusRequestEntityTooLarge, "the body is longer than a request of this API may be")
			return
		case err != nil:
			w.Header().Set("Connection", "close")
			writeProblem(w, http.StatusRequestTimeout, "the body did not come within "+requestWithin.String())
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // what is not a connection has none
		next.ServeHTTP(w, r)
	})
}
