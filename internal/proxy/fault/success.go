package fault

import (
	"bytes"
	"net/http"
	"time"

	"mishap/internal/forward"
)

// Success says what of an answer is a success. A request that has no answer within patience is none, whatever it says.
type Success struct {
	// Status are the ranges of status codes of HTTP that are a success, each with both its ends. Empty: all below 500.
	Status [][2]int `json:"status,omitempty"`
	Not    *Failing `json:"not,omitempty"` // an answer that fits has failed, whatever its status
}

// Failing is what tells a failure that comes with the status of a success. One of what is given is enough. Bodies are looked
// at up to 64 KiB of what is sent and of what that unpacks to; those packed with something else than gzip, and JSON that is cut
// or malformed before it tells, are counted as Sealed, and go by their status.
type Failing struct {
	BodyContains string            `json:"bodyContains,omitempty"`
	JSON         map[string]string `json:"json,omitempty"`       // members, such as error.code, and their value; * is any but null
	Header       map[string]string `json:"header,omitempty"`     // fields and their value; * is any
	GRPCStatus   []int             `json:"grpcStatus,omitempty"` // besides those that are errors of the server
}

func (s *Success) check(errs *Problems) {
	if s == nil {
		return
	}
	for _, r := range s.Status {
		errs.Add(r[0] < 100 || r[1] > 599 || r[0] > r[1], "status from %d to %d must be from 100 to 599, and ascend", r[0], r[1])
	}
	if s.Not == nil {
		return
	}
	for _, code := range s.Not.GRPCStatus {
		errs.Add(code < 1 || code > 16, "gRPC has no status %d that can be a failure", code)
	}
	for path := range s.Not.JSON {
		errs.Add(path == "", "a member of JSON needs a name")
	}
}

// look is what the forwarder looks for in answers; nil if their status says all.
func (s *Success) look() *forward.Look {
	if s == nil || s.Not == nil {
		return nil
	}
	l := new(forward.Look)
	for name, value := range s.Not.Header {
		pattern := forward.Exact(value)
		if value == "*" {
			pattern = forward.Present()
		}
		l.Header = append(l.Header, forward.Named{Name: name, Value: pattern})
	}
	if text, members := []byte(s.Not.BodyContains), membersOf(s.Not.JSON); len(text) > 0 || len(members) > 0 {
		l.Body = func(content []byte) (found, known bool) {
			if len(text) > 0 && bytes.Contains(content, text) {
				return true, true
			}
			return hasMember(content, members)
		}
	}
	if len(l.Header) == 0 && l.Body == nil {
		return nil
	}
	return l
}

// surelyLeft is after how long a client of HTTP/1 that ends its side has given up. One that always does so with its request,
// and still waits, is noticed after 20 to 40 ms: it is not known of those.
const surelyLeft = 100 * time.Millisecond

// Head says whether an answer with that head may be a success.
func (s *Success) Head(x *forward.Exchange) bool {
	if s == nil || len(s.Status) == 0 {
		return x.Status > 0 && x.Status < http.StatusInternalServerError
	}
	for _, r := range s.Status {
		if x.Status >= r[0] && x.Status <= r[1] {
			return true
		}
	}
	return x.Status == http.StatusSwitchingProtocols
}

// Succeeded says whether a request was served as it should be. What the client did wrong is no failure, unless the status
// says so; that it left before it had an answer is one, for it has none.
func (s *Success) Succeeded(x *forward.Exchange, answered bool) bool {
	if x.Left > surelyLeft { // it had given up before there was one
		return false
	}
	switch x.Failure {
	case forward.None, forward.BadRequest, forward.RequestTimeout:
	case forward.ClientGone:
		return answered && !x.Found
	default:
		return false
	}
	if x.Found || x.GRPC >= 0 && s.failedCall(x.GRPC) {
		return false
	}
	return x.GRPC >= 0 && (s == nil || len(s.Status) == 0) || s.Head(x)
}

// Unsaid says whether an answer is one of which nobody said what it is: of 4xx, or of gRPC neither OK nor a failure.
func (s *Success) Unsaid(x *forward.Exchange) bool {
	if x.GRPC > 0 {
		return !s.failedCall(x.GRPC) && (s == nil || s.Not == nil || len(s.Not.GRPCStatus) == 0)
	}
	return x.Status >= 400 && x.Status < 500 && (s == nil || len(s.Status) == 0)
}

// failedCall says whether a status of gRPC is a failure: an error of the server, which are UNKNOWN, DEADLINE_EXCEEDED,
// UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS, as OpenTelemetry's semantic conventions for RPC have it, or what else
// the arms call so.
func (s *Success) failedCall(code int) bool {
	switch code {
	case 2, 4, 12, 13, 14, 15:
		return true
	}
	if s != nil && s.Not != nil {
		for _, c := range s.Not.GRPCStatus {
			if c == code {
				return true
			}
		}
	}
	return false
}
