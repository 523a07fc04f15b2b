package notify_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap/internal/notify"
)

// request is one that a receiver got.
type request struct {
	header http.Header
	body   []byte
	at     time.Time
}

// receiver answers with the given answers in turn, the last one for ever, and
// keeps what it got. It is a server's handler, or a transport on fake time.
type receiver struct {
	mu      sync.Mutex
	got     []request
	answers []func(w http.ResponseWriter)
}

func answering(answers ...func(http.ResponseWriter)) *receiver { return &receiver{answers: answers} }

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, request{req.Header.Clone(), body, time.Now()})
	if len(r.answers) > 0 {
		r.answers[min(len(r.got), len(r.answers))-1](w)
	}
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w.Result(), nil
}

func (r *receiver) requests() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}

// status answers with a status, headers as pairs, and a body.
func status(code int, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func secret(s string) func() (string, error) { return func() (string, error) { return s, nil } }

func closeAll(t *testing.T, n *notify.Notifier) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	return n.Close(ctx)
}

// send tells messages to one target at a real server, and returns when all is over.
func send(t *testing.T, h http.Handler, target notify.Target, path string, messages ...notify.Message) (notify.Stat, string) {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	target.URL = srv.URL + path
	log := &lines{}
	n := notify.New(notify.Options{Targets: []notify.Target{target}, Log: log.logger()})
	for _, m := range messages {
		n.Tell(m)
	}
	err := closeAll(t, n)
	s := n.Stats()[0]
	if err != nil && s.Failed == 0 { // what failed before Close is not its to tell
		t.Errorf("Close says %v with %d failed", err, s.Failed)
	}
	return s, log.String()
}

// lines are what was logged.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) count(of string) int { return strings.Count(l.String(), of) }

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
