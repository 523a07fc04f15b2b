package toxiproxy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"mishap/internal/proxy/control"
	"net/http"
	"strings"
)

// version is whose API this is. Clients decide by it what they may call.
const version = "2.12.0"

// call answers a request with a status and what is to be written as JSON; nil is nothing.
type call func(*http.Request) (status int, body any, err error)

// calls are what may be done with a path, by method. Other methods are answered with 405 and no body.
type calls map[string]call

// routes are all calls of the API.
func (s *Server) routes() *http.ServeMux {
	c := &s.proxies
	mux := http.NewServeMux()
	for path, by := range map[string]calls{
		"/version":                        {http.MethodGet: showVersion},
		"/reset":                          {http.MethodPost: c.reset},
		"/populate":                       {http.MethodPost: c.populate},
		"/proxies":                        {http.MethodGet: c.index, http.MethodPost: c.create},
		"/proxies/{proxy}":                {http.MethodGet: c.show, http.MethodPost: c.update, http.MethodPatch: c.update, http.MethodDelete: c.remove},
		"/proxies/{proxy}/toxics":         {http.MethodGet: c.toxics, http.MethodPost: c.addToxic},
		"/proxies/{proxy}/toxics/{$}":     {},
		"/proxies/{proxy}/toxics/{toxic}": {http.MethodGet: c.showToxic, http.MethodPost: c.updateToxic, http.MethodPatch: c.updateToxic, http.MethodDelete: c.removeToxic},
	} {
		mux.Handle(path, s.guard(by))
	}
	mux.Handle("/metrics", s.guardHandler(c.metrics()))
	return mux
}

func (s *Server) guard(by calls) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle, ok := by[r.Method]
		switch {
		case len(by) == 0:
			http.NotFound(w, r)
		case !ok:
			w.WriteHeader(http.StatusMethodNotAllowed)
		default:
			s.guardHandler(handle).ServeHTTP(w, r)
		}
	})
}

// guardHandler numbers requests, and refuses those of browsers: as Toxiproxy does by their name, and those that a web page
// has sent to this machine.
func (s *Server) guardHandler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Toxiproxy-Request-Id", rand.Text()[:20])
		switch {
		case strings.HasPrefix(r.UserAgent(), "Mozilla/"):
			http.Error(w, "User agent not allowed", http.StatusForbidden)
		case s.local && !control.FromHere(r):
			http.Error(w, "call it by 127.0.0.1 or localhost, and not from a web page", http.StatusForbidden)
		default:
			ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		}
	})
}

// ServeHTTP writes the answer.
func (c call) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body, err := c(r)
	var data []byte
	if err == nil && body != nil {
		data, err = json.Marshal(body)
	}
	switch text, plain := body.(rawJSON); {
	case err != nil:
		asProblem(err).write(w)
		return
	case plain:
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		data = []byte(text)
	case body != nil:
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(data) // the caller may be gone
}

// rawJSON is an answer that is written as it is.
type rawJSON string

func showVersion(*http.Request) (int, any, error) {
	return http.StatusOK, rawJSON(`{"version": "` + version + "\"}\n"), nil
}

// decode reads the first JSON value of a body. What follows it is not looked at, and unknown fields are no error, because
// clients of Toxiproxy may send them.
func decode(r *http.Request, into any) error {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return badBody(err)
	}
	return nil
}
