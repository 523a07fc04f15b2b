package toxiproxy

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
)

// problem is an error as the API answers it.
type problem struct {
	Message string `json:"error"`
	Status  int    `json:"status"`
}

func (p *problem) Error() string { return p.Message }

// badBody is what a body that cannot be used is answered with.
func badBody(err error) error {
	return &problem{"bad request body: " + err.Error(), http.StatusBadRequest}
}

func missing(field string) error {
	return &problem{"missing required field: " + field, http.StatusBadRequest}
}

func proxyNotFound() error { return &problem{"proxy not found", http.StatusNotFound} }

func proxyExists() error { return &problem{"proxy already exists", http.StatusConflict} }

func toxicNotFound() error { return &problem{"toxic not found", http.StatusNotFound} }

// ofSettings refuses to change a proxy that the settings list.
func ofSettings(name string) error {
	return &problem{"proxy " + name + " is one of the settings: toxics can be added, but the proxy is changed there",
		http.StatusForbidden}
}

// asProblem gives any error a status. What the system says of a port is told as Toxiproxy tells it.
func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var system *net.OpError
	if errors.As(err, &system) {
		err = system
	}
	return &problem{err.Error(), http.StatusInternalServerError}
}

// write answers with the problem, as text/plain, because Toxiproxy does.
func (p *problem) write(w http.ResponseWriter) {
	data, _ := json.Marshal(p) // of a string and a number it does not fail
	http.Error(w, string(data), p.Status)
}
