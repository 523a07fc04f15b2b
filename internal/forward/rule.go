package forward

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// MaxDelay is the longest delay of one rule. A sample above it counts as it.
const MaxDelay = 10 * time.Minute

// Rule says what happens to which requests. It does nothing to what passes after a change of protocol (WebSocket). A request that several rules hit gets all of it: their delays add up, and
// where only one can have its way (an abort, an answer, a body) it is the one that was put in force first.
type Rule struct {
	Match     Match
	Share     Share
	Arms      *Arms  // assign the units of Share to arms, and nothing else; nil: the rule does what follows
	Watch     *Watch // tell of those that would be hit, and nothing else; nil: the rule does what follows
	MaxActive int64  // requests hit at a time, exactly; those above go on unharmed and count as overflow. 0: no limit

	// The samplers are called by many requests at once, once for each request that is hit.
	Before func() time.Duration // draws how long the request waits before the upstream is asked; nil: not at all
	After  func() time.Duration // draws how long the response waits before its head goes to the client; nil: not at all

	// The request ends here, after Before; the upstream is not asked. At most one of them.
	Abort bool        // reset the connection (HTTP/1), or the stream (HTTP/2)
	Reply *Reply      // answer
	GRPC  *GRPCStatus // answer with the status of a gRPC call

	Request, Response Edit
	ReplaceBody       []byte // goes to the client in place of the body; nil: leave the body alone
	TruncateBody      *int64 // bytes of the response's body that pass; a longer body is cut there, and aborted. nil: all pass
	Rate              int64  // bytes per second of the response's body; 0: no limit
}

// Watch makes a rule tell which requests of both arms of a run it would hit, and hit none. It decides as a rule with the
// same Match and Share does that is confined to an arm, so that of control it is known who would have been hit.
type Watch struct {
	Run string // whose arms
	// Met is called with each of those as it comes, and must not hold it up: with its id, or "" if it has none, or several, and
	// with whether a fault of the run is in force.
	Met func(id string, inForce bool)
	// Others is called with a request that would be hit but is in no arm of the run, as far as it says.
	Others func()
}

func (w *Watch) check() error {
	if w != nil && (w.Run == "" || w.Met == nil || w.Others == nil) {
		return errors.New("a watch needs a run, and somebody to tell")
	}
	return nil
}

// Reply is an answer that the proxy gives itself.
type Reply struct {
	Status int // 200 to 599
	Header []Field
	Body   []byte
}

// GRPCStatus is the outcome of a gRPC call.
type GRPCStatus struct {
	Code    uint32 // 0 to 16
	Message string
}

// Field is a header field.
type Field struct{ Name, Value string }

// Edit changes the header fields of a message. Those that frame or route it stay as they are.
type Edit struct {
	Set    []Field // each takes the place of all fields of its name
	Remove []string
}

// touches says whether the edit takes away fields of that name. Names are compared without regard to case.
func (e *Edit) touches(name []byte) bool {
	for _, n := range e.Remove {
		if equalFold(name, n) {
			return true
		}
	}
	for i := range e.Set {
		if foldEqual(name, e.Set[i].Name) {
			return true
		}
	}
	return false
}

func foldEqual(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lower(c) != lower(b[i]) {
			return false
		}
	}
	return true
}

// prepare copies what the caller may change, and names every problem at once.
func (r Rule) prepare() (Rule, error) {
	r.Match.Headers, r.Match.Cookies = slices.Clone(r.Match.Headers), slices.Clone(r.Match.Cookies)
	errs := []error{r.Match.prepare()}
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if r.Arms != nil {
		var err error
		r.Arms, err = r.Arms.prepare()
		errs = append(errs, err)
		wrong(r.Share.Millionths == 0 || r.Share.Millionths > MaxArmShare, "the share of each arm must be above 0 and at most half")
	}
	errs = append(errs, r.Watch.check())
	wrong(r.Share.Millionths > Whole, "share of %d millionths is more than all", r.Share.Millionths)
	wrong(r.MaxActive < 0, "maxActive %d is below 0", r.MaxActive)
	wrong(r.Rate < 0, "rate %d is below 0", r.Rate)
	wrong(r.TruncateBody != nil && *r.TruncateBody < 0, "a body cannot be cut before its first byte")
	ends := 0
	for _, is := range []bool{r.Abort, r.Reply != nil, r.GRPC != nil} {
		if is {
			ends++
		}
	}
	wrong(ends > 1, "of abort, an answer and a gRPC status there can be one")
	if p := r.Reply; p != nil {
		wrong(p.Status < 200 || p.Status > 599, "status %d must be from 200 to 599", p.Status)
		wrong(len(p.Body) > 0 && (p.Status == http.StatusNoContent || p.Status == http.StatusNotModified),
			"a response with status %d has no body", p.Status)
		errs = append(errs, checkFields(p.Header))
	}
	wrong(r.GRPC != nil && r.GRPC.Code > 16, "gRPC has codes up to 16")
	for _, e := range []*Edit{&r.Request, &r.Response} {
		errs = append(errs, checkFields(e.Set))
		e.Remove = slices.Clone(e.Remove)
		for i, name := range e.Remove {
			errs = append(errs, checkFields([]Field{{Name: name}}))
			e.Remove[i] = string(lowerAll([]byte(name)))
		}
	}
	return r, errors.Join(errs...)
}

func lowerAll(b []byte) []byte {
	for i, c := range b {
		b[i] = lower(c)
	}
	return b
}

// checkFields names the fields that would make a message malformed.
func checkFields(fields []Field) error {
	var errs []error
	for _, f := range fields {
		switch {
		case !isToken([]byte(f.Name)):
			errs = append(errs, fmt.Errorf("header %q is not a field name", f.Name))
		case kindOf([]byte(f.Name)) != other:
			errs = append(errs, fmt.Errorf("header %q frames or routes the message and cannot be changed", f.Name))
		case !isText([]byte(f.Value)):
			errs = append(errs, fmt.Errorf("header %q has a control character in its value", f.Name))
		}
	}
	return errors.Join(errs...)
}

// changesBody says whether the rule changes the body of the response.
func (r *Rule) changesBody() bool { return r.ReplaceBody != nil || r.TruncateBody != nil || r.Rate > 0 }

// OnlyCuts says whether the rule does nothing but cut longer bodies.
func (r *Rule) OnlyCuts() bool {
	return r.TruncateBody != nil && r.ReplaceBody == nil && r.Rate == 0
}

// onResponse says whether the rule does anything to a request that is with the upstream already.
func (r *Rule) onResponse() bool {
	return r.After != nil || r.changesBody() || len(r.Response.Set)+len(r.Response.Remove) > 0
}
