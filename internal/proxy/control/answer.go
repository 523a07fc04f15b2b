package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mishap/internal/proxy/fault"
	"net/http"
)

const maxBody = 256 << 10 // bytes of a request's body; a trace may be long

// readBody reads one strict JSON object.
func readBody(body io.Reader, into any) error {
	data, err := io.ReadAll(body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return fault.Refused(http.StatusRequestEntityTooLarge, "", "the body is larger than %d bytes", maxBody)
	case err != nil:
		return fmt.Errorf("read body: %w", err)
	}
	return fault.DecodeStrict(data, into)
}

// answer turns a function into a handler that writes JSON, errors included.
func answer(handle func(*http.Request) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		code, body, err := handle(r)
		if err != nil {
			why := fault.AsRefusal(err)
			code, body = why.Status, failure{why.Error(), why.Hint}
		}
		data, err := json.Marshal(body)
		if err != nil {
			code, data = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be written as JSON"}`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write(append(data, '\n')) // the caller may be gone
	}
}
