package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// refusal is what the API answers instead of what it was asked for.
type refusal struct {
	Status int     `json:"-"`
	Detail string  `json:"detail"`
	Errors []wrong `json:"errors"`
}

// wrong is one thing that is not as the API takes it.
type wrong struct {
	Message  string `json:"message"`
	Location string `json:"location"` // such as body.reason
}

// Error is the API's sentence, or what is wrong with each thing that it was given.
func (r *refusal) Error() string {
	if len(r.Errors) == 0 {
		return r.Detail
	}
	var all []string
	for _, w := range r.Errors {
		all = append(all, w.words())
	}
	return "Nothing was done: " + strings.Join(all, "; ") + "."
}

// bounds are how the API says that a text is too long or too short.
var bounds = regexp.MustCompile(`^expected length ([<>])= (\d+)$`)

func (w wrong) words() string {
	said := w.Message
	if m := bounds.FindStringSubmatch(w.Message); m != nil {
		said = "has at " + map[string]string{"<": "most", ">": "least"}[m[1]] + " " + count(m[2]) + " characters"
	}
	of := w.Location[strings.LastIndex(w.Location, ".")+1:]
	switch {
	case of == "" || of == "body":
		return said
	case said != w.Message:
		return of + " " + said
	}
	return of + ": " + said
}

// count is a number as people write it.
func count(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

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
