package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/socket"
)

// mostBody is the largest body of a request.
const mostBody = 1 << 20

// bind opens the address of the API; nil if it has none. Beyond this machine it
// needs a certificate and tokens.
func (s *serving) bind(ctx context.Context, o ServeOptions) (net.Listener, error) {
	listen := s.Settings.Listen
	if o.Listen != "" {
		listen = o.Listen
	}
	if listen == "" || listen == "none" {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, mishap.Invalid(fmt.Errorf("listen on %q: %w", listen, err))
	}
	server := s.Settings.Server
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	if !local && (server.TLS.Cert == "" || len(server.Tokens) == 0 && !server.OIDC.On()) {
		return nil, mishap.Invalid(mishap.WithHint(fmt.Errorf("listen on %s: beyond this machine the API needs tls, and tokens or oidc, in the settings", listen),
			"add them, or listen on 127.0.0.1"))

	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, mishap.WithHint(fmt.Errorf("listen on %s: %w", listen, err), "choose another address with --listen or `listen` in the settings")
	}
	listener = apiLimit().On(listener)
	if server.TLS.Cert == "" {
		return listener, nil
	}
	cert, err := tls.LoadX509KeyPair(server.TLS.Cert, server.TLS.Key)
	if err != nil {
		_ = listener.Close()
		return nil, mishap.Invalid(fmt.Errorf("read certificate of the API: %w", err))
	}
	return tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}), nil
}

// serveAPI answers on the listener, if there is one, and on a socket for this
// user alone.
func (s *serving) serveAPI(ctx context.Context, listener net.Listener) (func(), error) {
	handler := s.handler()
	path := s.SocketPath("api")
	// That no other one lives is said by the kernel, and not by a socket, which may be full or removed.
	alone, err := ledger.Exclude(filepath.Join(s.Settings.State, "servers", "serve.alone"))
	if errors.Is(err, ledger.ErrExcluded) {
		return nil, mishap.Refusal(mishap.WithHint(fmt.Errorf("serve: another server uses %s already", s.Settings.State), "one server per state directory is enough; several share a ledger on PostgreSQL"))
	}
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	socket.Remove(path) // of a server that was killed
	own, err := socket.Listen(ctx, path)
	if err != nil {
		return nil, errors.Join(err, alone())
	}
	var servers []*http.Server
	serve := func(l net.Listener, h http.Handler) {
		server := socket.Server(h)
		servers = append(servers, server)
		go func() { _ = server.Serve(l) }()
	}
	serve(ownLimit().On(own), owner(handler))
	if listener != nil {
		serve(listener, s.authenticate(handler))
	}
	return func() {
		for _, server := range servers {
			_ = server.Close()
		}
		_ = alone()
	}, nil
}

// handler is the whole API.
func (s *serving) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", s.answerReady)
	mux.HandleFunc("POST /hooks/refresh", s.answerHook)
	about := huma.DefaultConfig("mishap", "1")
	about.DocsPath = ""
	about.CreateHooks = nil // no $schema in answers
	about.RejectUnknownQueryParameters = true
	about.Info.Description = "Controlled chaos experiments: what is in force, what ran, and what stops it."
	about.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	s.routes(humago.New(mux, about))
	return whole(once(mux))
}

// once refuses a query that says something twice, or not at all: it would be
// ignored.
func once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for key, values := range r.URL.Query() {
			if len(values) > 1 || values[0] == "" {
				writeProblem(w, http.StatusBadRequest, fmt.Sprintf("parameter %q must be given once, with a value", key))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// writeProblem answers outside of a route.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

// answerReady says whether the server does what it is for: it has reverted what
// was left, read its sources, and reaches its ledger.
func (s *serving) answerReady(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	if _, err := s.book.NextDue(r.Context(), time.Time{}); err != nil || !ready {
		http.Error(w, "not ready: it starts, or does not reach its ledger", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// problem is an error as the API answers it: problem+json with the sentence and
// the hint that the command line prints.
func problem(err error) error {
	var busy *ledger.BusyError
	var said huma.StatusError
	if errors.As(err, &said) {
		return said
	}
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, errNotFound), errors.Is(err, ledger.ErrUnknownRun), errors.Is(err, ledger.ErrNotLocked), errors.Is(err, ledger.ErrNotApproved):
		status = http.StatusNotFound
	case errors.Is(err, mishap.ErrInvalid):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, mishap.ErrRefused), errors.As(err, &busy):
		status = http.StatusConflict
	}
	text := err.Error()
	var hinted *mishap.Hinted
	if errors.As(err, &hinted) && hinted.Hint != "" {
		text += " (" + hinted.Hint + ")"
	}
	return huma.NewError(status, text)
}

func (s *serving) tokens() []config.Token { return s.Settings.Server.Tokens }
