package forward

import (
	"net/netip"
	"time"
)

// Failure says how an exchange went wrong, if it did.
type Failure uint8

// How an exchange can end. Aborted and Truncated are what a fault did.
const (
	None            Failure = iota
	BadRequest              // the client's message is malformed, or more than is implemented
	RequestTimeout          // the client did not send the head of its request in time
	ClientGone              // the client left before it had its response
	Unreachable             // the upstream could not be dialled
	UpstreamGone            // the upstream left before it had sent its response
	BadResponse             // the upstream's message is malformed
	Aborted                 // a fault reset the connection or the stream
	Truncated               // a fault cut the response
	InternalFailure         // none of these
	UpstreamFull            // the upstream allowed no more streams at a time
)

// String is the failure in a word or two, for metrics and logs; "" for None.
func (f Failure) String() string {
	switch f {
	case None:
		return ""
	case BadRequest:
		return "bad request"
	case RequestTimeout:
		return "request timeout"
	case ClientGone:
		return "client gone"
	case Unreachable:
		return "upstream unreachable"
	case UpstreamGone:
		return "upstream gone"
	case BadResponse:
		return "bad response"
	case Aborted:
		return "aborted"
	case Truncated:
		return "truncated"
	case UpstreamFull:
		return "upstream full"
	}
	return "internal failure"
}

// Exchange is one request and what became of it. Observe gets it when it is over, and must copy what it keeps of Hits and
// Passed.
type Exchange struct {
	Version int        // of HTTP, towards the client: 1 or 2
	Source  netip.Addr // the client's
	Method  string     // "" if the head was malformed, and so Path and Host
	Path    string     // without the query
	Host    string
	Status  int // what the client got, 0 if nothing
	GRPC    int // grpc-status of a gRPC call; -1 if there was none

	Start time.Time     // when the head of the request was there
	Head  time.Duration // from Start to the head of the response being written; 0 if there was none
	Total time.Duration // from Start to the end

	// Left is how long after Start the client sent its end, while it waited for the response; 0: it did not. Most clients
	// of HTTP/1 that do so have given up, but not all, so that the exchange goes on. An end in the first 20 to 40 ms counts as
	// being then.
	Left time.Duration
	Note any // what Identify gave

	Hits      []Hit         // the faults that hit it
	Requested time.Duration // what the faults asked for in delay, where it ended
	Delivered time.Duration // how long it was held; never less than Requested, unless the client left

	Run    string   // whose arm it is in: assigned here, or as it came, if a fault asked; "" if none
	Arm    Arm      // of that run
	Passed []*Fault // of those confined to an arm of that run, the ones that would have hit it but for their arm, share or MaxActive

	Found  bool // what the Look of its arms is for was in the answer
	Sealed bool // the content of the answer could not be looked at

	Sent     int64 // bytes of the request's body, without its framing
	Received int64 // bytes of the response's body, without its framing
	Failure  Failure
}

// ClientLeft says whether the client left before it had its whole response.
func (x *Exchange) ClientLeft() bool { return x.Failure == ClientGone || x.Left > 0 }
