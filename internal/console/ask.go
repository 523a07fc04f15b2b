package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
)

// refusal is what the API answers instead of what it was asked for.
type refusal struct {
	Status int    `json:"-"`
	Detail string `json:"detail"`
}

// Error is the API's sentence.
func (r *refusal) Error() string { return r.Detail }

// answer keeps what a handler answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is that of the answer.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader keeps the first status.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write keeps the body.
func (a *answer) Write(text []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(text)
}

// ask asks the API as whoever the context is of, and reads the answer into out, which
// may be nil.
func (c *Console) ask(ctx context.Context, method, path string, in, out any, change ...func(*http.Request)) error {
	var sent bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&sent).Encode(in); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, path, &sent)
	if err != nil {
		return err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, f := range change {
		f(r)
	}
	got := &answer{header: http.Header{}}
	c.o.API.ServeHTTP(got, r)
	if got.status > 299 {
		no := &refusal{Status: got.status}
		if json.Unmarshal(got.body.Bytes(), no) != nil || no.Detail == "" {
			no.Detail = fmt.Sprintf("the server answers %d %s", got.status, http.StatusText(got.status))
		}
		return no
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *template.HTML: // of pages that the API makes
		*out = template.HTML(got.body.String())
		return nil
	}
	return json.Unmarshal(got.body.Bytes(), out)
}

// path is one of the API, with each part after the first escaped.
func path(first string, parts ...string) string {
	for _, p := range parts {
		first += "/" + url.PathEscape(p)
	}
	return first
}

// with adds what is not empty as a query.
func with(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
