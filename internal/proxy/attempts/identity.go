package attempts

import (
	"hash/maphash"
	"net/http"
	"strings"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

// identity tells which request an attempt belongs to.
type identity struct {
	header string // in canonical form; empty: what is recognised by itself
}

// requestID stands for a request.
type requestID struct {
	hash  uint64 // 0: it has none
	loose bool
}

// Headers that are the same in all attempts of one request, and differ between requests.
const (
	amazonHeader      = "Amz-Sdk-Invocation-Id"
	idempotencyHeader = "Idempotency-Key"
)

// parseIdentity reads what Watch.ID says.
func parseIdentity(text string) (identity, error) {
	if text == "" {
		return identity{}, nil
	}
	name, ok := strings.CutPrefix(text, "header:")
	if _, err := forward.ParseKey(text); !ok || err != nil {
		return identity{}, fault.Refused(http.StatusBadRequest, "write header:NAME, or leave it out for traceparent, "+
			amazonHeader+" and "+idempotencyHeader, "id %q is not a header", text)
	}
	return identity{header: http.CanonicalHeaderKey(name)}, nil
}

// of is the id of a request.
func (i identity) of(seed maphash.Seed, r forward.Incoming) requestID {
	headers := []string{i.header}
	if i.header == "" {
		headers = []string{amazonHeader, idempotencyHeader}
	}
	for _, name := range headers {
		if v, ok := r.Header(name); ok && v != "" {
			return requestID{hash: seeded(seed, name, v)}
		}
	}
	if i.header != "" {
		return requestID{}
	}
	if v, ok := r.Header("Traceparent"); ok {
		if trace, ok := traceOf(v); ok {
			return requestID{seeded(seed, trace, r.Method(), r.Path()), true}
		}
	}
	return requestID{}
}

// traceOf is the trace-id of a traceparent header (W3C Trace Context, 3.2.2).
func traceOf(v string) (string, bool) {
	if len(v) < 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return "", false
	}
	trace := v[3:35]
	return trace, strings.Trim(trace, "0123456789abcdef") == "" && strings.Trim(trace, "0") != ""
}

// arms are the arms of a comparison, by number.
func arms() [3]string { return [...]string{"", "control", "experiment"} }

// armOf is the arm that the baggage of a request says (W3C Baggage, 3.3), as a number.
func armOf(r forward.Incoming) uint8 {
	for v := range r.Headers("Baggage") {
		for member := range strings.SplitSeq(v, ",") {
			pair, _, _ := strings.Cut(member, ";")
			name, value, _ := strings.Cut(pair, "=")
			if strings.TrimSpace(name) != "mishap.arm" {
				continue
			}
			switch strings.TrimSpace(value) {
			case arms()[1]:
				return 1
			case arms()[2]:
				return 2
			}
		}
	}
	return 0
}

// The outcomes of attempts, by number.
const (
	fine uint8 = iota
	refused
	gaveUp
)

func outcomes() [3]string { return [...]string{OK, Failed, GaveUp} }

// outcomeOf says how an exchange ended for its caller.
func outcomeOf(x *forward.Exchange) uint8 {
	switch {
	case x.Left > 0, x.Failure == forward.ClientGone, x.Failure == forward.RequestTimeout:
		return gaveUp
	case x.Failure != forward.None && x.Failure != forward.BadRequest:
		return refused
	case x.Status >= 500, x.Status == http.StatusTooManyRequests, x.Status == http.StatusRequestTimeout:
		return refused
	}
	switch x.GRPC { // UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE, DATA_LOSS
	case 2, 4, 8, 10, 13, 14, 15:
		return refused
	}
	return fine
}
