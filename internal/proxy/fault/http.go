package fault

import (
	"mishap/internal/forward"
)

// HTTPLatency holds requests, before the upstream is asked, or their responses. A fault that ends lets go of them.
type HTTPLatency struct {
	Requests
	Spread
	Point string `json:"point,omitempty"` // "request" (default): before the upstream is asked; "response": before the head of its answer
}

// Kind is http-latency.
func (HTTPLatency) Kind() string { return "http-latency" }

func (l HTTPLatency) check(errs *Problems) {
	l.Spread.check(errs)
	errs.Add(l.Point != "" && l.Point != "request" && l.Point != "response", "point %q must be request or response", l.Point)
	checkRule(errs, l)
}

func (l HTTPLatency) rule(f Fault) (forward.Rule, error) {
	r, err := l.match(f)
	if l.Point == "response" {
		r.After = drawing(l.Spread, f.Seed)
	} else {
		r.Before = drawing(l.Spread, f.Seed)
	}
	return r, err
}

// HTTPError answers requests in place of the upstream, which is not asked.
type HTTPError struct {
	Requests
	Status int               `json:"status"` // 200 to 599
	Body   string            `json:"body,omitempty"`
	Answer map[string]string `json:"answer,omitempty"` // header fields of the answer
}

// Kind is http-error.
func (HTTPError) Kind() string { return "http-error" }

func (e HTTPError) check(errs *Problems) { checkRule(errs, e) }

func (e HTTPError) rule(f Fault) (forward.Rule, error) {
	r, err := e.match(f)
	r.Reply = &forward.Reply{Status: e.Status, Header: fields(e.Answer), Body: []byte(e.Body)}
	return r, err
}

// GRPCError ends gRPC calls with a status in place of the upstream, which is not asked.
type GRPCError struct {
	Requests
	Code    uint32 `json:"code"` // 0 to 16
	Message string `json:"message,omitempty"`
}

// Kind is grpc-error.
func (GRPCError) Kind() string { return "grpc-error" }

func (e GRPCError) check(errs *Problems) { checkRule(errs, e) }

func (e GRPCError) rule(f Fault) (forward.Rule, error) {
	r, err := e.match(f)
	r.GRPC = &forward.GRPCStatus{Code: e.Code, Message: e.Message}
	if r.Match.Headers == nil { // only calls of gRPC get an answer of gRPC
		r.Match.Headers = []forward.Named{{Name: "Content-Type", Value: forward.Prefix("application/grpc")}}
	}
	return r, err
}

// HTTPAbort resets the connection of a request, or its stream of HTTP/2, in place of asking the upstream.
type HTTPAbort struct{ Requests }

// Kind is http-abort.
func (HTTPAbort) Kind() string { return "http-abort" }

func (a HTTPAbort) check(errs *Problems) { checkRule(errs, a) }

func (a HTTPAbort) rule(f Fault) (forward.Rule, error) {
	r, err := a.match(f)
	r.Abort = true
	return r, err
}

// HTTPBody changes the bodies of responses: cuts them, slows them down, or puts another in their place.
type HTTPBody struct {
	Requests
	Cut     *int64  `json:"cut,omitempty"`     // bytes that pass; a longer body is cut there, and aborted
	Rate    int64   `json:"rate,omitempty"`    // bytes per second
	Replace *string `json:"replace,omitempty"` // the body instead
}

// Kind is http-body.
func (HTTPBody) Kind() string { return "http-body" }

func (b HTTPBody) check(errs *Problems) {
	errs.Add(b.Cut == nil && b.Rate == 0 && b.Replace == nil, "it changes nothing: give cut, rate or replace")
	checkRule(errs, b)
}

func (b HTTPBody) rule(f Fault) (forward.Rule, error) {
	r, err := b.match(f)
	r.TruncateBody, r.Rate = b.Cut, b.Rate
	if b.Replace != nil {
		r.ReplaceBody = []byte(*b.Replace)
	}
	return r, err
}

// HTTPHeader changes header fields of requests and responses. Those that frame or route a message stay as they are.
type HTTPHeader struct {
	Requests
	Request  Edit `json:"request,omitzero"`
	Response Edit `json:"response,omitzero"`
}

// Edit sets fields, each in the place of all of its name, and removes others.
type Edit struct {
	Set    map[string]string `json:"set,omitempty"`
	Remove []string          `json:"remove,omitempty"`
}

func (e Edit) empty() bool { return len(e.Set) == 0 && len(e.Remove) == 0 }

func (e Edit) edit() forward.Edit { return forward.Edit{Set: fields(e.Set), Remove: e.Remove} }

// Kind is http-header.
func (HTTPHeader) Kind() string { return "http-header" }

func (h HTTPHeader) check(errs *Problems) {
	errs.Add(h.Request.empty() && h.Response.empty(), "it changes nothing: give set or remove of request or response")
	checkRule(errs, h)
}

func (h HTTPHeader) rule(f Fault) (forward.Rule, error) {
	r, err := h.match(f)
	r.Request, r.Response = h.Request.edit(), h.Response.edit()
	return r, err
}
