package forward

import (
	"errors"
	"io"
	"net/http"
	"strconv"
)

// grpcUnavailable is the status UNAVAILABLE of a gRPC call.
const grpcUnavailable = 14

// answer passes a response back.
func (s *stream) answer(res *http.Response) {
	switch res.StatusCode {
	case http.StatusNotModified: // net/http misses a body of the length that it tells of
		res.ContentLength, res.Body = 0, http.NoBody
	case http.StatusNoContent: // and so of a 204, which must tell of none (RFC 9110, 8.6)
		res.ContentLength, res.Body = 0, http.NoBody
		res.Header.Del("Content-Length")
	}
	changes := s.decision.find((*Rule).changesBody)
	replace := s.decision.find(func(r *Rule) bool { return r.ReplaceBody != nil })
	// net/http knows of no body, or the stream has ended with the head. Then that is not sent on its own: a gRPC response
	// of trailers only must stay one.
	empty := res.ContentLength == 0 || s.r.Method == http.MethodHead
	if empty {
		changes, replace = nil, nil
	}
	s.writeHead(res, replace)
	if !empty && s.flush() != nil {
		s.abort(ClientGone)
	}
	s.headSent()
	var err error
	switch {
	case replace != nil:
		err = s.copyChanged(&memory{replace.ReplaceBody}, int64(len(replace.ReplaceBody)))
	case changes != nil:
		err = s.copyChanged(res.Body, res.ContentLength)
	default:
		err = s.copy(res.Body)
	}
	var reset resetByPeer
	switch {
	case errors.Is(err, errCut):
		s.abort(Truncated)
	case errors.Is(err, errClientGone):
		s.abort(ClientGone)
	case err != nil && s.r.Context().Err() != nil:
		s.abort(ClientGone)
	case errors.As(err, &reset):
		s.reset(UpstreamGone, reset.Code)
	case err != nil && isGRPC(s) && res.ContentLength < 0:
		s.unavailable()
		return
	case err != nil:
		s.abort(UpstreamGone)
	}
	s.writeTrailer(res)
}

// writeHead writes the head of the response. A nil value keeps net/http from adding a field of its own.
func (s *stream) writeHead(res *http.Response, replace *Rule) {
	h := s.w.Header()
	for _, name := range []string{"Date", "Content-Type", "Content-Length"} {
		h[name] = nil
	}
	for name, values := range res.Header {
		h[name] = values
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"} {
		delete(h, name)
	}
	s.leave()
	for name := range res.Trailer {
		h.Add("Trailer", name)
	}
	for rule := range s.decision.rules {
		rule.Response.apply(h)
	}
	if replace != nil {
		delete(h, "Content-Encoding")
		h.Set("Content-Length", strconv.Itoa(len(replace.ReplaceBody)))
	}
	if isGRPC(s) {
		s.exchange.GRPC = grpcStatus(res.Header)
	}
	s.exchange.Status = res.StatusCode
	s.decision.looks(fieldsOf(h), false)
	s.w.WriteHeader(res.StatusCode)
}

// fieldsOf is a header of net/http.
type fieldsOf http.Header

func (f fieldsOf) field(name string, n int) (value string, next int, ok bool) {
	if all := f[name]; n < len(all) {
		return all[n], n + 1, true
	}
	return "", n, false
}

// writeTrailer writes the trailer section, after the body.
func (s *stream) writeTrailer(res *http.Response) {
	h := s.w.Header()
	for name, values := range res.Trailer {
		h[http.TrailerPrefix+name] = values
	}
	if isGRPC(s) && len(res.Trailer) > 0 {
		s.exchange.GRPC = grpcStatus(res.Trailer)
	}
}

// unavailable ends a gRPC call whose connection to the upstream has ended. A client with a connection of its own would see
// that end and call it UNAVAILABLE; from a stream that is reset it would make INTERNAL, which it does not try again.
func (s *stream) unavailable() {
	s.exchange.Failure, s.exchange.GRPC = UpstreamGone, grpcUnavailable
	h := s.w.Header()
	h[http.TrailerPrefix+"Grpc-Status"] = []string{strconv.Itoa(grpcUnavailable)}
	h[http.TrailerPrefix+"Grpc-Message"] = []string{"the upstream closed the connection"}
}

// copy passes a body on as it comes. The windows of both sides hold the sender back.
func (s *stream) copy(body io.Reader) error {
	buf := s.srv.pool.get(largeBuffer)
	defer s.srv.pool.put(buf)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			s.exchange.Received += int64(n)
			if err := s.write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *stream) write(p []byte) error {
	s.decision.seen.keep(p)
	if _, err := s.w.Write(p); err != nil {
		return errClientGone
	}
	if err := s.flush(); err != nil {
		return errClientGone
	}
	return nil
}

// copyChanged passes a body on as faults want it. Its length is -1 if it is not known.
func (s *stream) copyChanged(body io.Reader, length int64) error {
	buf := s.srv.pool.get(smallBuffer)
	defer s.srv.pool.put(buf)
	pace := pacer{decision: &s.decision, asked: s}
	for {
		most := pace.next(s.exchange.Received)
		if most == 0 && s.exchange.Received < length {
			return errCut
		}
		n, err := body.Read(buf[:max(1, min(int64(len(buf)), most))])
		if n > 0 && most == 0 {
			return errCut
		}
		if n > 0 {
			s.exchange.Received += int64(n)
			if pace.wait(s.exchange.Received, s.r.Context().Done()) != nil {
				return errClientGone
			}
			if err := s.write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// memory reads a body that a fault has given.
type memory struct{ rest []byte }

// Read gives what is left.
func (m *memory) Read(p []byte) (int, error) {
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	if len(m.rest) == 0 {
		return n, io.EOF
	}
	return n, nil
}
