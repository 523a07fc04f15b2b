package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/socket"
)

const (
	maxBody        = 256 << 10 // bytes of a request's body; a trace may be long
	controlTimeout = 10 * time.Second
	closeWithin    = time.Second // that calls may take which are under way at the end
)

// renewal is the body of a renew call.
type renewal struct {
	Expires fault.Duration `json:"expires"`
}

// failure is the body of every answer that is not a success.
type failure struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

// control is the control API while it can be called.
type control struct {
	server  *http.Server
	socket  net.Listener
	release func() // gives up the address
	failed  chan error
	closed  bool
}

// openControl takes the address of the control API.
func (s *server) openControl(ctx context.Context) (*control, error) {
	socket, release, err := listenControl(ctx, s.path, s.files)
	if err != nil {
		return nil, err
	}
	return &control{server: s.newControl(), socket: socket, release: release, failed: make(chan error, 1)}, nil
}

// serve answers calls until close.
func (c *control) serve() {
	go func() {
		if err := c.server.Serve(c.socket); !errors.Is(err, http.ErrServerClosed) {
			c.failed <- err
		}
	}()
}

// close gives up the address and ends the calls; those that are under way may end first, for a while. It may be called
// again.
func (c *control) close() {
	if !c.closed {
		c.closed = true
		ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
		defer cancel()
		if c.server.Shutdown(ctx) != nil {
			_ = c.server.Close()
		}
		c.release()
	}
}

// newControl makes the HTTP server of the control API.
func (s *server) newControl() *http.Server {
	handler := s.routes()
	if strings.HasPrefix(s.path, tcpControl) && !s.files.given() {
		handler = fromHere(handler)
	}
	return &http.Server{
		Handler:           http.MaxBytesHandler(socket.Whole(handler), maxBody),
		ReadHeaderTimeout: controlTimeout,
		ReadTimeout:       controlTimeout,
		WriteTimeout:      controlTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       socket.WithConn,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/proxies", answer(func(r *http.Request) (int, any, error) {
		return http.StatusOK, s.before.proxies(r.Context(), s.proxies()), nil
	}))
	mux.HandleFunc("GET /v1/faults", answer(func(r *http.Request) (int, any, error) {
		all, err := s.before.list(r.Context(), s.faults.List())
		return http.StatusOK, all, err
	}))
	mux.HandleFunc("GET /v1/faults/{id}", answer(func(r *http.Request) (int, any, error) {
		status, err := s.faults.Get(r.PathValue("id"))
		if err == nil {
			status, err = s.before.get(r.Context(), status)
		}
		return http.StatusOK, status, err
	}))
	mux.HandleFunc("GET /v1/faults/{id}/arms", answer(s.handleArms))
	mux.HandleFunc("PUT /v1/faults/{id}/thresholds", answer(s.handleThresholds))
	mux.HandleFunc("PUT /v1/faults/{id}/injecting", answer(s.handleInjecting))
	mux.HandleFunc("POST /v1/faults/{id}/met", answer(s.handleMeeting))
	mux.HandleFunc("PUT /v1/faults/{id}", answer(s.handlePut))
	mux.HandleFunc("POST /v1/faults/{id}/renew", answer(s.handleRenew))
	mux.HandleFunc("DELETE /v1/faults/{id}", answer(func(r *http.Request) (int, any, error) {
		status, err := s.faults.Remove(r.PathValue("id"), r.URL.Query().Get("run"))
		if err == nil {
			status, err = s.before.remove(r.Context(), r.PathValue("id"), status)
		}
		return http.StatusOK, status, err
	}))
	mux.HandleFunc("POST /v1/proxies/{name}/callers", answer(s.handleCallers))
	mux.HandleFunc("POST /v1/proxies/{name}/met", answer(s.handleMet))
	mux.HandleFunc("PUT /v1/proxies/{name}/owner", answer(s.handleOwn))
	mux.HandleFunc("DELETE /v1/proxies/{name}/owner", answer(s.handleDisown))
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("/", answer(func(r *http.Request) (int, any, error) {
		return 0, nil, fault.Refused(http.StatusNotFound, "the calls are GET /v1/proxies, GET /v1/faults, "+
			"GET, PUT and DELETE /v1/faults/{id}, POST /v1/faults/{id}/renew, GET /v1/faults/{id}/arms, PUT /v1/faults/{id}/thresholds and /injecting, POST /v1/faults/{id}/met, POST /v1/proxies/{name}/callers and /met, PUT and DELETE /v1/proxies/{name}/owner, and GET /metrics",
			"there is no call %s %s", r.Method, r.URL.Path)
	}))
	return mux
}

func (s *server) handlePut(r *http.Request) (int, any, error) {
	f, err := decodeFault(r.PathValue("id"), r.Body)
	if err != nil {
		return 0, nil, err
	}
	status, created, err := s.faults.Put(f)
	if err == nil {
		status, err = s.before.put(r.Context(), f, status)
	}
	if created {
		return http.StatusCreated, status, err
	}
	return http.StatusOK, status, err
}

func (s *server) handleRenew(r *http.Request) (int, any, error) {
	var body renewal
	if err := readBody(r.Body, &body); err != nil {
		return 0, nil, err
	}
	status, err := s.faults.Renew(r.PathValue("id"), time.Duration(body.Expires))
	if err == nil {
		status, err = s.before.renew(r.Context(), r.PathValue("id"), time.Duration(body.Expires), status)
	}
	return http.StatusOK, status, err
}

// decodeFault reads a fault from a body. Its id may be left out there, but not differ from the path's.
func decodeFault(id string, body io.Reader) (fault.Fault, error) {
	var f fault.Fault
	if err := readBody(body, &f); err != nil {
		return fault.Fault{}, err
	}
	if f.ID == "" {
		f.ID = id
	}
	if f.ID != id {
		return fault.Fault{}, fault.Refused(http.StatusBadRequest, "leave the id out of the body",
			"the body names fault %q, the path %q", f.ID, id)
	}
	return f, nil
}

// readBody reads one strict JSON object.
func readBody(body io.Reader, into any) error {
	data, err := io.ReadAll(body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return fault.Refused(http.StatusRequestEntityTooLarge, "", "the body is larger than %d bytes", maxBody)
	case err != nil:
		return fmt.Errorf("read body: %w", err)
	}
	return fault.DecodeStrict(data, into)
}

// answer turns a function into a handler that writes JSON, errors included.
func answer(handle func(*http.Request) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		code, body, err := handle(r)
		if err != nil {
			why := fault.AsRefusal(err)
			code, body = why.Status, failure{why.Error(), why.Hint}
		}
		data, err := json.Marshal(body)
		if err != nil {
			code, data = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be written as JSON"}`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write(append(data, '\n')) // the caller may be gone
	}
}
