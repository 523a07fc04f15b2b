package proxy

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"mishap"
)

// requestWith are the requests that a fault hits: all that is given must match.
type requestWith struct {
	Method    string            `json:"method,omitempty" jsonschema:"such as POST"`
	Path      string            `json:"path,omitempty" jsonschema:"without the query: as it is, a beginning with * at its end, or after ~ a regular expression for all of it"`
	Host      string            `json:"host,omitempty" jsonschema:"in lower case, written like path"`
	Headers   map[string]string `json:"headers,omitempty" jsonschema:"by name, each written like path; * for any value"`
	Cookies   map[string]string `json:"cookies,omitempty" jsonschema:"by name, each written like path; * for any value"`
	From      string            `json:"from,omitempty" jsonschema:"address or network of the client, such as 10.0.0.0/8"`
	Service   string            `json:"service,omitempty" jsonschema:"of gRPC, with its package, such as shop.v1.Cart"`
	Call      string            `json:"call,omitempty" jsonschema:"method of the gRPC service"`
	Key       string            `json:"key,omitempty" jsonschema:"what share counts: request (default), connection, source, header:NAME or cookie:NAME; requests with the same value are hit or spared together"`
	MaxActive int64             `json:"maxActive,omitempty" jsonschema:"most requests that are hit at once; those above go on unharmed; default no limit"`
	Share     mishap.Share      `json:"share,omitempty" jsonschema:"part of what key counts, above 0%; default 100%"`
	Seed      uint64            `json:"seed,omitempty" jsonschema:"seed of what is drawn, and of what share hits: the same on every proxy"`
}

func allRequests() requestWith { return requestWith{Share: 1} }

func (w requestWith) hit() hit { return hit{"", w.Share, w.Seed} }

func (w requestWith) asked() mishap.Duration { return 0 }

// fields is what the proxy reads.
func (w requestWith) fields() map[string]any {
	return map[string]any{"method": w.Method, "path": w.Path, "host": w.Host, "headers": w.Headers, "cookies": w.Cookies,
		"from": w.From, "service": w.Service, "call": w.Call, "key": w.Key, "maxActive": w.MaxActive}
}

func (w requestWith) problems() (problems []error) {
	wrong := func(bad bool, path, msg, hint string) {
		if bad {
			problems = append(problems, &mishap.FieldError{Path: "with." + path, Msg: msg, Hint: hint})
		}
	}
	for path, text := range w.texts() {
		if _, err := regexp.Compile(strings.TrimPrefix(text, "~")); strings.HasPrefix(text, "~") && err != nil {
			wrong(true, path, fmt.Sprintf("%q is not a regular expression", text[1:]), "its syntax is RE2: https://github.com/google/re2/wiki/Syntax")
		}
	}
	wrong(w.Method != strings.ToUpper(w.Method), "method", fmt.Sprintf("%q can never match", w.Method), "methods are written in capitals")
	wrong(w.Path != "" && !strings.ContainsAny(w.Path[:1], "/~*"), "path", fmt.Sprintf("%q can never match", w.Path), "a path begins with /")
	wrong(strings.Contains(w.Path, "?") && !strings.HasPrefix(w.Path, "~"), "path", fmt.Sprintf("%q can never match", w.Path), "leave the query out")
	wrong(w.Host != strings.ToLower(w.Host) && !strings.HasPrefix(w.Host, "~"), "host", fmt.Sprintf("%q can never match", w.Host), "write it in lower case")
	wrong(!isNetwork(w.From), "from", fmt.Sprintf("%q is not an address or a network", w.From), "write 10.0.0.7 or 10.0.0.0/8")
	kind, name, named := strings.Cut(w.Key, ":")
	known := w.Key == "" || w.Key == "request" || w.Key == "connection" || w.Key == "source" || named && name != "" && (kind == "header" || kind == "cookie")
	wrong(!known, "key", fmt.Sprintf("%q is unknown", w.Key), "write request, connection, source, header:NAME or cookie:NAME")
	wrong(w.MaxActive < 0, "maxActive", "must not be negative", "leave it out for no limit")
	return problems
}

// texts are all patterns, by where they stand.
func (w requestWith) texts() map[string]string {
	all := map[string]string{"path": w.Path, "host": w.Host}
	for name, text := range w.Headers {
		all["headers."+name] = text
	}
	for name, text := range w.Cookies {
		all["cookies."+name] = text
	}
	return all
}

func isNetwork(text string) bool {
	_, notAddress := netip.ParseAddr(text)
	_, notPrefix := netip.ParsePrefix(text)
	return text == "" || notAddress == nil || notPrefix == nil
}
