package server

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"

	"mishap/internal/desk"
	"mishap/internal/httpapi"
)

// api is the API of the bench.
func (b *bench) api() *httpapi.API {
	d := desk.New(desk.Options{Settings: b.settings, Member: b.member, Catalog: b.catalog})
	return httpapi.New(httpapi.Options{Settings: b.settings, Member: b.member, Desk: d, Book: b.book, Server: b.Server, Log: b.log})
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// call asks the API and returns status and body.
func call(h http.Handler, method, path, body string, change ...func(*http.Request)) (int, string) {
	r := httptest.NewRequest(method, "http://127.0.0.1:7676"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}
