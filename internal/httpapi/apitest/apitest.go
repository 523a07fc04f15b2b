// Package apitest asks an API in tests, as whoever calls it would.
package apitest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
)

// HashOf is what the settings keep of a token.
func HashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Call asks the API and returns status and body.
func Call(h http.Handler, method, path, body string, change ...func(*http.Request)) (int, string) {
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

// Bearer makes a call as who has the token.
func Bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}
