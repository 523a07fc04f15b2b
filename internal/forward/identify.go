package forward

import (
	"iter"
	"time"
)

// Incoming is a request as Identify sees it. It is valid during the call alone, and so are the strings that it gives.
type Incoming struct{ r request }

// Method is the method.
func (a Incoming) Method() string { return a.r.method() }

// Path is the path as it came, without the query.
func (a Incoming) Path() string { return a.r.path() }

// Headers are the values of a header, whose name is in canonical form.
func (a Incoming) Headers(name string) iter.Seq[string] { return values(a.r, name) }

// Header is the first value of a header, whose name is in canonical form.
func (a Incoming) Header(name string) (value string, ok bool) {
	value, _, ok = a.r.field(name, 0)
	return value, ok
}

// note is what Identify says of a request.
func (s *Server) note(r request) any {
	if s.Identify == nil {
		return nil
	}
	return s.Identify(Incoming{r})
}

// leave notes that the client has sent its end. It is called with the connection's lock held.
func (w *watch) leave() {
	w.ended.Store(true)
	w.left = time.Now()
}

// leftAfter is how long after a moment the client sent its end, while its request waited; 0 if it did not.
func (w *watch) leftAfter(start time.Time) time.Duration {
	if !w.ended.Load() {
		return 0
	}
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	return max(w.left.Sub(start), 0)
}
