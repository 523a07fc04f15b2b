package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"mishap/internal/socket"
)

// What somebody who has shown no token may take of the API: a connection of few,
// which whoever comes next may get instead, and little time to say what they want.
// Each bound is far beyond what a person, a script or a page needs.
const (
	mostConnections     = 512  // at once over TCP, or a third of the descriptors that the process may have
	mostConnectionsEach = 64   // of one address
	mostOwnConnections  = 4096 // over the API's socket, or a quarter
)

// apiLimit is that of the API for whoever comes over TCP; descriptors are left for
// the sockets of this user, keepers and the ledger.
func apiLimit() socket.Limit {
	all := socket.Share(3, mostConnections)
	return socket.Limit{All: all, Each: min(all, mostConnectionsEach)}
}

// ownLimit is that of the API's socket, which this user alone reaches.
func ownLimit() socket.Limit {
	all := socket.Share(4, mostOwnConnections)
	return socket.Limit{All: all, Each: all}
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
			writeProblem(w, http.StatusRequestTimeout, "the body did not come within "+socket.RequestWithin.String())
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // what is not a connection has none
		next.ServeHTTP(w, r)
	})
}
