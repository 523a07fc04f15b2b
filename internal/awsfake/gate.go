package awsfake

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"mishap/internal/awsfake/wire"
)

// Gate stands before another server of AWS's APIs, which asks for no permissions. What
// a request needs is told as this Cloud tells it, whose access keys say who asks; of
// each need, lacks answers in AWS's words why it is not allowed, or nothing. What is
// allowed goes on to the server as it came; the rest is refused as its service does.
func Gate(c *Cloud, server http.Handler, lacks func(Call, Need) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // who asks is gone
		}
		read := r.Clone(r.Context())
		read.Body = io.NopCloser(bytes.NewReader(body))
		q, err := wire.Read(read)
		if err == nil {
			err = c.lacking(q, lacks)
		}
		if err == nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
			server.ServeHTTP(w, r)
			return
		}
		var refused *Error
		if !errors.As(err, &refused) {
			refused = &Error{Status: http.StatusForbidden, Code: "MissingAuthenticationToken", Message: err.Error()}
		}
		a := q.Refuse(refused, "req-gate")
		for name := range a.Header {
			w.Header().Set(name, a.Header.Get(name))
		}
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body) // likewise
	})
}

// lacking is the refusal of a request, and remembers that it was made.
func (c *Cloud) lacking(q wire.Request, lacks func(Call, Need) string) error {
	unlock := c.lock()
	s, k, err := c.understand(q)
	if err != nil {
		unlock()
		return err
	}
	record := k.record(s, s.actions[k.name])
	unlock()
	for _, n := range record.Needs {
		if why := lacks(record, n); why != "" {
			err = s.denial(k.who.arn, n, why)
			record.Error = err.Error()
			break
		}
	}
	c.mu.Lock()
	c.calls = append(c.calls, record)
	c.mu.Unlock()
	return err
}
