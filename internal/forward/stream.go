package forward

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stream is one request of an HTTP/2 client.
type stream struct {
	*h2
	w        http.ResponseWriter
	r        *http.Request
	flush    func() error
	id       uint32 // of the stream, towards the client
	decision decision
	exchange Exchange
	body     *replay // of the request
}

func newStream(h *h2, w http.ResponseWriter, r *http.Request) *stream {
	s := &stream{h2: h, w: w, r: r, flush: http.NewResponseController(w).Flush, id: takeStream(r.Header)}
	s.body = newReplay(r.Body, func(n int) { h.client.read(s.id, int64(n)) })
	path, _, _ := strings.Cut(r.RequestURI, "?")
	s.exchange = Exchange{Version: 2, Source: h.addr, GRPC: -1, Start: time.Now(), Method: r.Method, Path: path, Host: r.Host}
	s.exchange.Note = h.srv.note(s)
	s.decision.reset(h.srv)
	return s
}

func (s *stream) method() string     { return s.exchange.Method }
func (s *stream) path() string       { return s.exchange.Path }
func (s *stream) host() string       { return s.exchange.Host }
func (s *stream) source() netip.Addr { return s.addr }
func (s *stream) connection() uint64 { return s.number }

func (s *stream) field(name string, n int) (value string, next int, ok bool) {
	all := s.r.Header[name]
	if n >= len(all) {
		return "", n, false
	}
	return all[n], n + 1, true
}

// finish reports the exchange.
func (s *stream) finish() {
	s.decision.end()
	if !s.decision.observed(s.srv) {
		return
	}
	x := &s.exchange
	x.Sent = s.body.count()
	s.decision.report(s.srv, x)
}

// abort resets the stream with INTERNAL_ERROR.
func (s *stream) abort(f Failure) { s.reset(f, codeInternal) }

// reset resets the stream with a code.
func (s *stream) reset(f Failure, code uint32) {
	s.exchange.Failure = f
	if code != codeInternal { // which is net/http's
		s.client.setCode(s.id, code)
	}
	panic(http.ErrAbortHandler)
}

// serve passes the request on and its response back.
func (s *stream) serve() {
	if s.r.Method == http.MethodConnect {
		s.fail(BadRequest, http.StatusNotImplemented, "CONNECT is not implemented")
		return
	}
	if what := faulty(s.r); what != "" {
		s.fail(BadRequest, http.StatusBadRequest, what)
		return
	}
	s.decision.begin(s, s.exchange.Start)
	if s.decision.hold(s.r.Context(), s, beforeUpstream, s.exchange.Start) != nil {
		s.abort(ClientGone)
	}
	if r := s.decision.find((*Rule).ends); r != nil {
		s.instead(r)
		return
	}
	res := s.ask()
	if res == nil {
		return
	}
	defer res.Body.Close()
	if s.decision.hold(s.r.Context(), s, afterUpstream, time.Now()) != nil {
		s.abort(ClientGone)
	}
	s.answer(res)
}

// instead does what a rule wants in place of asking the upstream.
func (s *stream) instead(r *Rule) {
	if r.Abort {
		s.abort(Aborted)
	}
	status, header, content := r.answer()
	s.leave()
	h := s.w.Header()
	for _, f := range header {
		h.Add(f.Name, f.Value)
	}
	if r.GRPC != nil {
		s.exchange.GRPC = int(r.GRPC.Code)
		h["Content-Length"] = nil // a response of trailers only has none
	}
	s.exchange.Status, s.exchange.Received = status, int64(len(content))
	s.decision.looks(given(header), false)
	s.decision.seen.keep(content)
	s.w.WriteHeader(status)
	if len(content) > 0 {
		_, _ = s.w.Write(content)
	}
	s.headSent()
}

// leave lets net/http tell the client, where the proxy ends, that it takes no more streams (GOAWAY): it does so for this
// field, which it does not send.
func (s *stream) leave() {
	if s.srv.draining.Load() {
		s.w.Header().Set("Connection", "close")
	}
}

func (s *stream) headSent() {
	s.exchange.Head = time.Since(s.exchange.Start)
	s.decision.answered(&s.exchange)
}

// fail answers in place of the upstream.
func (s *stream) fail(f Failure, status int, text string) {
	s.exchange.Failure, s.exchange.Status = f, status
	s.leave()
	http.Error(s.w, text, status)
	s.headSent()
}

// outgoing is the request as the upstream gets it: with the path and the fields as they came.
func (s *stream) outgoing(to *route, body io.ReadCloser, trace *httptrace.ClientTrace) *http.Request {
	r := s.r
	u := &url.URL{Scheme: to.scheme, Host: r.Host, Opaque: r.RequestURI}
	if strings.HasPrefix(r.RequestURI, "//") { // which Opaque would take for a host
		u = &url.URL{Scheme: to.scheme, Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	}
	ctx := httptrace.WithClientTrace(r.Context(), trace)
	out := (&http.Request{Method: r.Method, URL: u, Host: r.Host, Header: r.Header.Clone(), Body: body,
		ContentLength: r.ContentLength, Trailer: r.Trailer}).WithContext(ctx)
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = []string{""} // else net/http sends its own
	}
	if to.http1 {
		out.Header.Del("Te")
	}
	s.tag(out.Header)
	for rule := range s.decision.rules {
		rule.Request.apply(out.Header)
	}
	return out
}

// tag makes the baggage of a header say where the request belongs.
func (s *stream) tag(h http.Header) {
	own, strip := s.decision.tags(s.srv)
	came := s.r.Header["Baggage"]
	if !strip || len(own) == 0 && !hasOwn(slices.Values(came)) {
		return
	}
	delete(h, "Baggage")
	if value := appendBaggage(nil, own, slices.Values(came)); len(value) > 0 {
		h["Baggage"] = []string{string(value)}
	}
}

// apply edits a header.
func (e *Edit) apply(h http.Header) {
	for _, name := range e.Remove {
		h.Del(name)
	}
	for _, f := range e.Set {
		h.Del(f.Name)
	}
	for _, f := range e.Set {
		h.Add(f.Name, f.Value)
	}
}

// grpcStatus reads the outcome of a gRPC call from a header or a trailer section, -1 if it is not there.
func grpcStatus(h http.Header) int {
	code, err := strconv.Atoi(h.Get("Grpc-Status"))
	if err != nil {
		return -1
	}
	return code
}
