package forward

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// maxAgain is how often a request is sent again whose stream the upstream has refused before it acted on it.
	maxAgain = 3
	// maxMoved is how often one is sent again because its connection took it no more (GOAWAY): each time goes on another, and
	// an upstream that takes few requests on each refuses the same one many times while others come.
	maxMoved = 30
)

// ask sends the request and gives the response. Where the upstream has promised that it did nothing, it is sent again, if
// the body can be. It gives nil, and has answered, if there is no response.
func (s *stream) ask() *http.Response {
	body, _ := s.body.again()
	for again, moved := 0, 0; ; {
		res, err := s.try(body)
		if err == nil {
			s.body.settle()
			return res
		}
		next, whole := s.body.again()
		var reset resetByPeer
		if errors.As(err, &reset) {
			again++
		} else {
			moved++
		}
		if again > maxAgain || moved > maxMoved || !whole || !refused(err) || s.r.Context().Err() != nil {
			s.noResponse(err)
			return nil
		}
		body = next
	}
}

// noRouteError says that a request had no connection to go on.
type noRouteError struct{ error }

func (e noRouteError) Unwrap() error { return e.error }

// notSentError says that nothing of a request was sent.
type notSentError struct{ error }

func (e notSentError) Unwrap() error { return e.error }

// try sends the request once.
func (s *stream) try(body io.ReadCloser) (*http.Response, error) {
	to, err := s.up.reserve(s.r.Context())
	if err != nil {
		return nil, noRouteError{err}
	}
	defer to.started()
	var sent atomic.Bool
	interim := &interim{w: s.w}
	res, err := to.RoundTrip(s.outgoing(to, body, &httptrace.ClientTrace{
		Got1xxResponse: interim.pass, WroteHeaders: func() { sent.Store(true); to.started() },
	}))
	interim.stop()
	if err != nil && !to.http1 && !sent.Load() {
		return nil, notSentError{err}
	}
	return res, err
}

// resetByPeer has the shape of the error that net/http gives for a stream that its peer has reset; errors.As fills it.
type resetByPeer struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (resetByPeer) Error() string { return "the peer reset the stream" }

// refused says whether the upstream cannot have acted on a request that failed, so that sending it again does nothing
// twice (RFC 9113, 8.7): nothing was sent, or it reset the stream with REFUSED_STREAM, or sent a GOAWAY that does not reach
// it. net/http has no error value for that, only a text.
func refused(err error) bool {
	var reset resetByPeer
	var notSent notSentError
	switch text := err.Error(); {
	case errors.As(err, &notSent):
		return true
	case errors.As(err, &reset):
		return reset.Code == codeRefused
	default:
		return strings.HasPrefix(text, "http2: Transport received Server's graceful shutdown GOAWAY") ||
			strings.HasPrefix(text, "http2: Transport received GOAWAY from server")
	}
}

// noResponse says why there is none. A stream that the upstream has reset is reset here too, with the same code.
func (s *stream) noResponse(err error) {
	var reset resetByPeer
	var noRoute noRouteError
	switch {
	case s.r.Context().Err() != nil:
		s.abort(ClientGone)
	case errors.Is(err, errNoPlace):
		s.reset(UpstreamFull, codeRefused)
	case errors.As(err, &noRoute) && !errors.Is(err, errNotHTTP2):
		s.fail(Unreachable, http.StatusBadGateway, "the upstream could not be reached")
	case errors.As(err, &reset):
		s.reset(UpstreamGone, reset.Code)
	default:
		s.fail(UpstreamGone, http.StatusBadGateway, "the upstream closed the connection before it answered")
	}
}

// interim passes 1xx responses on. They come from another goroutine, until the final response is there.
type interim struct {
	w    http.ResponseWriter
	mu   sync.Mutex
	over bool
}

func (i *interim) pass(code int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over || code == http.StatusContinue { // net/http has its own
		return nil
	}
	h := i.w.Header()
	for k, v := range header {
		h[k] = v
	}
	i.w.WriteHeader(code)
	clear(h)
	return nil
}

func (i *interim) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
}
