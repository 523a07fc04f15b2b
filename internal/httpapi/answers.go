package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/ledger"
)

// mostBody is the largest body of a request.
const mostBody = 1 << 20

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
func (a *API) answerReady(w http.ResponseWriter, r *http.Request) {
	if _, err := a.book.NextDue(r.Context(), time.Time{}); err != nil || !a.server.Ready() {
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
	var missing api.NotFound
	if errors.As(err, &said) {
		return said
	}
	status := http.StatusInternalServerError
	switch {
	case errors.As(err, &missing), errors.Is(err, ledger.ErrUnknownRun), errors.Is(err, ledger.ErrNotLocked), errors.Is(err, ledger.ErrNotApproved):
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
