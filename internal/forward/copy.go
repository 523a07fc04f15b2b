package forward

import (
	"errors"
	"io"
	"math"
	"net"
	"os"
	"syscall"
)

const (
	spliceFrom  = 64 << 10 // bytes from which on the kernel moves them, where it can
	spliceBatch = 1 << 20  // bytes that it moves before the size of reads is looked at again
)

// sinkError is a failure of the destination; other errors of a copy are of the source.
type sinkError struct{ error }

func (e sinkError) Unwrap() error { return e.error }

func isInterrupt(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// copyBody passes a body on as it comes, never more than a buffer ahead. What is malformed does not go on. Seen, which may
// be nil, keeps what it wants of it.
func (s *Server) copyBody(dst net.Conn, src *source, b *body, seen *looked) error {
	full := false
	for {
		p := src.pending()
		n, err := b.take(p, math.MaxInt64)
		if n > 0 {
			if _, err := dst.Write(p[:n]); err != nil {
				return sinkError{err}
			}
			seen.keep(p[:n])
			src.skip(n)
			full = n >= smallBuffer
		}
		if err != nil || b.done() {
			return err
		}
		if len(src.pending()) == 0 && !seen.wants() {
			moved, err := splice(dst, src, b, full)
			if err != nil || b.done() {
				return err
			}
			if moved {
				full = false
				continue
			}
		}
		if err := src.fill(); err != nil {
			if !errors.Is(err, io.EOF) {
				return err
			}
			return b.end()
		}
	}
}

// splice lets the kernel move bytes that nobody has to look at, if there are many of them. full says that the last read
// filled its buffer, which is all that is known of a body without a length.
func splice(dst net.Conn, src *source, b *body, full bool) (moved bool, err error) {
	n := b.bulk()
	if b.framing == byClose {
		n = 0
		if full {
			n = spliceBatch
		}
	}
	tcp, ok := dst.(*net.TCPConn)
	if n < spliceFrom || !ok || src.raw == nil {
		return false, nil
	}
	src.release()
	got, err := tcp.ReadFrom(&io.LimitedReader{R: src.tcp, N: n})
	b.passed(got)
	src.consumed += got
	switch {
	case err == nil && got < n:
		if err := src.end(); !errors.Is(err, io.EOF) {
			return true, err
		}
		return true, b.end()
	case err == nil, isInterrupt(err):
		return true, err
	case tcpState(src.tcp) == tcpClosed:
		return true, syscall.ECONNRESET
	default: // the error does not say whose it is, but the source is well
		return true, sinkError{err}
	}
}
