package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mishap/internal/certs"
	"mishap/internal/proxy/fault"
	"mishap/internal/socket"
)

// closeWithin is how long calls may take which are under way at the end.
const closeWithin = time.Second

// Endpoint is where the control API is called.
type Endpoint struct {
	server  *http.Server
	socket  net.Listener
	release func() // gives up the address
	failed  chan error
	closed  bool
}

// Open takes the address of the control API: the path of a unix socket, or tcp://host:port.
func (a *API) Open(ctx context.Context, address string, files certs.Mutual) (*Endpoint, error) {
	socket, release, err := listen(ctx, address, files)
	if err != nil {
		return nil, err
	}
	handler := a.routes()
	if strings.HasPrefix(address, tcpControl) && !files.Given() {
		handler = fromHere(handler)
	}
	return a.endpoint(handler, socket, release), nil
}

// OpenLeft opens it where a server answers after its successor has begun: in a folder that only its user may enter. It
// gives the path.
func (a *API) OpenLeft(ctx context.Context) (*Endpoint, string, error) {
	folder, err := os.MkdirTemp("", "mishap-before-")
	if err != nil {
		return nil, "", fmt.Errorf("make folder of control socket: %w", err)
	}
	path := filepath.Join(folder, "control")
	here, err := socket.Listen(ctx, path)
	if err != nil {
		return nil, "", errors.Join(err, os.Remove(folder))
	}
	release := func() { _, _ = here.Close(), os.RemoveAll(folder) }
	return a.endpoint(a.routes(), limit().On(here), release), path, nil
}

func (a *API) endpoint(handler http.Handler, listener net.Listener, release func()) *Endpoint {
	server := &http.Server{
		Handler:           http.MaxBytesHandler(socket.Whole(handler), maxBody),
		ReadHeaderTimeout: controlTimeout,
		ReadTimeout:       controlTimeout,
		WriteTimeout:      controlTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       socket.WithConn,
		ErrorLog:          slog.NewLogLogger(a.Log.Handler(), slog.LevelWarn),
	}
	return &Endpoint{server: server, socket: listener, release: release, failed: make(chan error, 1)}
}

// Serve answers calls until Close.
func (e *Endpoint) Serve() {
	go func() {
		if err := e.server.Serve(e.socket); !errors.Is(err, http.ErrServerClosed) {
			e.failed <- err
		}
	}()
}

// Failed gives an error when calls are answered no more and Close was not called.
func (e *Endpoint) Failed() <-chan error { return e.failed }

// Closed says whether the address was given up.
func (e *Endpoint) Closed() bool { return e.closed }

// Close gives up the address and ends the calls; those that are under way may end first, for a while. It may be called
// again.
func (e *Endpoint) Close() {
	if !e.closed {
		e.closed = true
		ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
		defer cancel()
		if e.server.Shutdown(ctx) != nil {
			_ = e.server.Close()
		}
		e.release()
	}
}

// fromHere refuses requests to a loopback address that a web page made a browser send: their Host is the page's, by DNS
// rebinding, or they say whose page it was.
func fromHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !FromHere(r) {
			answer(func(*http.Request) (int, any, error) {
				return 0, nil, fault.Refused(http.StatusForbidden, "call it by 127.0.0.1 or localhost, and not from a web page",
					"host %q or origin %q is not this machine", r.Host, r.Header.Get("Origin"))
			})(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
