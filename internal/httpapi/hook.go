package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"mishap/internal/catalog"
	"mishap/internal/notify"
)

// answerHook lets a git server say that something was pushed. Its signature is
// all that it needs.
func (a *API) answerHook(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	key, err := catalog.Secret(a.settings.Live().Webhook.Secret)
	if err == nil && key == "" {
		err = errors.New("no webhook.secret is set")
	}
	const tolerance = 5 * time.Minute
	if err == nil {
		err = notify.Verify(key, r.Header, text, time.Now(), tolerance)
	}
	if err != nil {
		a.audit.denied(w, r, stranger(host(r.RemoteAddr)), http.StatusUnauthorized, "the signature is not right: "+err.Error())
		return
	}
	a.server.RefreshAll()
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintln(w, "every source is looked at now")
}
