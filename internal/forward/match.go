package forward

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
)

// request is what a rule looks at, whichever version of HTTP brought it. The strings are valid until the request ends.
type request interface {
	method() string
	path() string // without the query
	host() string
	header
	source() netip.Addr
	connection() uint64
}

// header is that of a request or of an answer.
type header interface {
	// field finds a header, whose name is in canonical form, from its n-th field on: 0 at first, and then next.
	field(name string, n int) (value string, next int, ok bool)
}

// Pattern says which texts match. The zero value matches every text.
type Pattern struct {
	by   patternKind
	text string
	re   *regexp.Regexp
}

type patternKind uint8

const (
	anyText patternKind = iota
	exactText
	prefixText
	regexpText
)

// Exact matches one text.
func Exact(text string) Pattern { return Pattern{by: exactText, text: text} }

// Prefix matches the texts that begin with text.
func Prefix(text string) Pattern { return Pattern{by: prefixText, text: text} }

// Regexp matches the texts that the whole of an RE2 expression matches.
func Regexp(text string) (Pattern, error) {
	re, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return Pattern{}, fmt.Errorf("read regular expression: %w", err)
	}
	return Pattern{regexpText, text, re}, nil
}

// Present matches every text; of a header or cookie, that there is one.
func Present() Pattern { return Pattern{} }

func (p Pattern) matches(s string) bool {
	switch p.by {
	case exactText:
		return s == p.text
	case prefixText:
		return strings.HasPrefix(s, p.text)
	case regexpText:
		return p.re.MatchString(s)
	}
	return true
}

// Named is a pattern for the values of a header or of a cookie. One value that matches is enough.
type Named struct {
	Name  string
	Value Pattern
}

// Member is about requests in an arm: those whose baggage has a token that only the arm of one run has. The zero value is
// about all requests.
type Member struct {
	Run   string // whose arm it is; what is said of other arms of the run is counted
	Token string
}

// Match says which requests a rule is about. All that is given must match; the zero value matches every request.
type Match struct {
	Method  string  // such as GET
	Path    Pattern // of the path, without the query, as it came (not decoded)
	Host    Pattern // in lower case, with the port if the client sent one
	Headers []Named
	Cookies []Named
	Source  netip.Prefix // of the client's address
	Member  Member       // of an arm

	// Of a gRPC request: the full name of the service, such as shop.v1.Cart, and the method, such as Add.
	Service    string
	GRPCMethod string
}

// matches says whether a request is one of those, but for the arm that it has to be in.
func (m *Match) matches(r request) bool {
	return (m.Method == "" || m.Method == r.method()) &&
		(m.Path.by == anyText || m.Path.matches(r.path())) &&
		(m.Host.by == anyText || m.Host.matches(strings.ToLower(r.host()))) &&
		(!m.Source.IsValid() || m.Source.Contains(r.source())) &&
		m.matchesGRPC(r) && m.matchesFields(r)
}

func (m *Match) matchesFields(r request) bool {
	for _, h := range m.Headers {
		if !anyValue(r, h.Name, h.Value.matches) {
			return false
		}
	}
	for _, c := range m.Cookies {
		if !anyValue(r, "Cookie", func(field string) bool {
			v, ok := cookie(field, c.Name)
			return ok && c.Value.matches(v)
		}) {
			return false
		}
	}
	return true
}

// values yields the values of a header.
func values(r header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for v, n, ok := r.field(name, 0); ok && yield(v); v, n, ok = r.field(name, n) {
		}
	}
}

func anyValue(r header, name string, ok func(string) bool) bool {
	for v, n, found := r.field(name, 0); found; v, n, found = r.field(name, n) {
		if ok(v) {
			return true
		}
	}
	return false
}

func (m *Match) matchesGRPC(r request) bool {
	if m.Service == "" && m.GRPCMethod == "" {
		return true
	}
	service, method, ok := strings.Cut(strings.TrimPrefix(r.path(), "/"), "/")
	return ok && (m.Service == "" || m.Service == service) && (m.GRPCMethod == "" || m.GRPCMethod == method) && isGRPC(r)
}

// isGRPC says whether a request is gRPC ("application/grpc", "+proto" and the like) by its content type.
func isGRPC(r request) bool {
	return anyValue(r, "Content-Type", func(v string) bool { return strings.HasPrefix(v, "application/grpc") })
}

// prepare puts names into the form that they are compared in, and names what can never match.
func (m *Match) prepare() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(m.Method != "" && !isToken([]byte(m.Method)), "method %q is not a method", m.Method)
	literal := m.Path.by == exactText || m.Path.by == prefixText && m.Path.text != ""
	wrong(literal && m.Path.text != "*" && !strings.HasPrefix(m.Path.text, "/"),
		"path %q can never match: a path begins with /", m.Path.text)
	wrong(literal && strings.ContainsAny(m.Path.text, "?# "), "path %q can never match: it is compared without the query",
		m.Path.text)
	wrong(m.Host.by != regexpText && m.Host.text != strings.ToLower(m.Host.text), "host %q must be in lower case", m.Host.text)
	wrong((m.Member.Token == "") != (m.Member.Run == ""), "an arm needs both a run and a token")
	wrong(m.Member.Token != "" && !isPlain(m.Member.Token), "token %q can never match: it must be letters, digits, or any of . _ : -",
		m.Member.Token)
	grpc := m.Service != "" || m.GRPCMethod != ""
	wrong(grpc && m.Method != "" && m.Method != http.MethodPost, "a gRPC request can never have method %q", m.Method)
	wrong(strings.Contains(m.Service, "/") || strings.Contains(m.GRPCMethod, "/"), "a gRPC service or method has no /")
	for i, h := range m.Headers {
		wrong(!isToken([]byte(h.Name)), "header %q is not a field name", h.Name)
		m.Headers[i].Name = http.CanonicalHeaderKey(h.Name)
	}
	for _, c := range m.Cookies {
		wrong(!isToken([]byte(c.Name)), "cookie %q is not a cookie name", c.Name)
	}
	return errors.Join(errs...)
}
