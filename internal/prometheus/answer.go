// Package prometheus reads what a Prometheus server answers to a query.
package prometheus

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// server is how errors name the server.
const server = "Prometheus"

// Answer is a successful answer of the HTTP API, version 1; see
// https://prometheus.io/docs/prometheus/latest/querying/api/.
type Answer struct {
	Kind   string // "vector", "matrix", "scalar" or "string"
	result json.RawMessage
}

// Sample is a time and a value as text.
type Sample [2]json.RawMessage

// Series is one series of a result.
type Series struct {
	Metric     map[string]string    `json:"metric"`
	Value      *Sample              `json:"value"` // nil if it is not one number
	Values     []Sample             `json:"values"`
	Histograms [][2]json.RawMessage `json:"histograms"`
}

// Read reads an answer with its status. Whatever the server says is quoted, so
// that secrets stay out of errors. What it only half knows (warnings) is refused
// whole.
func Read(status int, body []byte, quote func(string) string) (Answer, error) {
	var reply struct {
		Status    string   `json:"status"`
		ErrorType string   `json:"errorType"`
		Error     string   `json:"error"`
		Warnings  []string `json:"warnings"`
		Data      struct {
			ResultType string          `json:"resultType"`
			Result     json.RawMessage `json:"result"`
		} `json:"data"`
	}
	err := json.Unmarshal(body, &reply)
	switch {
	case err != nil || reply.Status == "":
		return Answer{}, fmt.Errorf("status %d and not an answer of Prometheus: %s", status, quote(string(body)))
	case reply.Status != "success":
		return Answer{}, fmt.Errorf("%s refused the query, %s: %s", server, reply.ErrorType, quote(reply.Error))
	case len(reply.Warnings) > 0:
		return Answer{}, fmt.Errorf("%s knows only a part: %s", server, quote(strings.Join(reply.Warnings, "; ")))
	}
	return Answer{reply.Data.ResultType, reply.Data.Result}, nil
}

// ErrNotNumbers is a result that has no series.
var ErrNotNumbers = errors.New("must give numbers")

// Series are those of a result; a scalar is one without labels.
func (a Answer) Series(quote func(string) string) (series []Series, err error) {
	switch a.Kind {
	case "vector", "matrix":
		err = json.Unmarshal(a.result, &series)
	case "scalar":
		series = []Series{{}}
		err = json.Unmarshal(a.result, &series[0].Value)
	default:
		return nil, fmt.Errorf("the query gives a %s, and %w", a.Kind, ErrNotNumbers)
	}
	if err != nil {
		return nil, fmt.Errorf("read answer of Prometheus: %s", quote(err.Error()))
	}
	return series, nil
}
