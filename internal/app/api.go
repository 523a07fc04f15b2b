package app

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// serveAPI answers on a listener until it is closed; a nil one does nothing.
func (s *serving) serveAPI(listener net.Listener) func() {
	if listener == nil {
		return func() {}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", s.answerReady)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() { _ = server.Serve(listener) }()
	return func() { _ = server.Close() }
}

// answerReady says whether the server does what it is for: it has reverted what
// was left, read its sources, and reaches its ledger.
func (s *serving) answerReady(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	if _, err := s.book.NextDue(r.Context()); err != nil || !ready {
		http.Error(w, "not ready: it starts, or does not reach its ledger", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
