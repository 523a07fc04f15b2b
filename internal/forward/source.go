package forward

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	smallBuffer = 16 << 10 // enough for nearly every head, and for a small body with it
	largeBuffer = 64 << 10
	growth      = 4 // a buffer that is full grows so many times, up to maxHead; what is larger than large is not pooled
)

// buffers are pools of buffers, which their user may keep no longer than there are bytes in them.
type buffers struct{ small, large sync.Pool }

// get gives a small buffer, or a large one if size is more than small ones hold, or else one of that size.
func (p *buffers) get(size int) []byte {
	if size > largeBuffer {
		return make([]byte, size)
	}
	if size > smallBuffer {
		if b, ok := p.large.Get().(*[largeBuffer]byte); ok {
			return b[:]
		}
		return make([]byte, largeBuffer)
	}
	if b, ok := p.small.Get().(*[smallBuffer]byte); ok {
		return b[:]
	}
	return make([]byte, smallBuffer)
}

func (p *buffers) put(b []byte) {
	switch cap(b) {
	case smallBuffer:
		p.small.Put((*[smallBuffer]byte)(b[:smallBuffer]))
	case largeBuffer:
		p.large.Put((*[largeBuffer]byte)(b[:largeBuffer]))
	}
}

// source is the read side of a connection. It has a buffer only while there are bytes in it, if the connection is plain
// TCP: an idle connection costs none.
type source struct {
	conn net.Conn
	tcp  *net.TCPConn    // conn, or what lies under its TLS; else nil
	raw  syscall.RawConn // of conn, if conn itself is TCP
	pool *buffers

	buf  []byte
	r, w int // the bytes buf[r:w] are read and not used

	ready    func(uintptr) bool // readReady, bound once
	n        int                // what readReady read
	err      error
	endSent  atomic.Bool // our own end (FIN) has been sent on conn
	probe    func(uintptr) bool
	stale    bool
	consumed int64 // bytes that were read in all; tells whether a peer said anything
}

func newSource(conn net.Conn, pool *buffers) *source {
	s := &source{conn: conn, pool: pool, tcp: tcpOf(conn)}
	if s.tcp == conn {
		s.raw, _ = s.tcp.SyscallConn() // an error leaves raw nil, and every read to conn
	}
	s.ready = s.readReady
	s.probe = s.probeReady
	return s
}

// tcpOf is the TCP connection that carries conn, or nil.
func tcpOf(conn net.Conn) *net.TCPConn {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	t, _ := conn.(*net.TCPConn)
	return t
}

// pending is what is read and not used. It is valid until the next fill.
func (s *source) pending() []byte { return s.buf[s.r:s.w] }

func (s *source) skip(n int) { s.r += n }

// fill reads at least one byte more. The bytes pending may move. A full buffer grows to maxHead, then is an error.
func (s *source) fill() error {
	if s.r == s.w {
		s.r, s.w = 0, 0
	}
	if s.buf != nil && s.w == len(s.buf) {
		if err := s.makeRoom(); err != nil {
			return err
		}
	}
	if s.raw == nil {
		return s.fillPlain()
	}
	s.n, s.err = 0, nil
	err := s.raw.Read(s.ready)
	if err == nil {
		err = s.err
	}
	if err == nil && s.n == 0 {
		err = s.end()
	}
	s.w += s.n
	s.consumed += int64(s.n)
	return err
}

func (s *source) fillPlain() error {
	if s.buf == nil {
		s.buf = s.pool.get(smallBuffer)
	}
	n, err := s.conn.Read(s.buf[s.w:])
	s.w += n
	s.consumed += int64(n)
	if n > 0 {
		return nil
	}
	return err
}

// readReady reads without blocking; false means: nothing there yet.
func (s *source) readReady(fd uintptr) bool {
	if s.buf == nil {
		s.buf = s.pool.get(smallBuffer)
	}
	for {
		n, err := syscall.Read(int(fd), s.buf[s.w:])
		switch {
		case err == nil:
			s.n = n
			return true
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			if s.w == 0 {
				s.release()
			}
			return false
		default:
			s.err = err
			return true
		}
	}
}

// makeRoom moves what is pending to the start of the buffer, or into a larger one.
func (s *source) makeRoom() error {
	switch {
	case s.r > 0:
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	case len(s.buf) < maxHead:
		larger := s.pool.get(growth * len(s.buf))
		s.w = copy(larger, s.buf[:s.w])
		s.pool.put(s.buf)
		s.buf = larger
	default:
		return io.ErrShortBuffer
	}
	return nil
}

// release gives the buffer back. What was pending is lost.
func (s *source) release() {
	if s.buf != nil {
		s.pool.put(s.buf)
	}
	s.buf, s.r, s.w = nil, 0, 0
}

// end tells a real end of stream from a reset whose error another call has already taken from the socket.
func (s *source) end() error {
	if !s.endSent.Load() && tcpState(s.tcp) == tcpClosed {
		return syscall.ECONNRESET
	}
	return io.EOF
}

// unusable says whether an idle connection has anything to read: its end, a reset, or bytes that nobody asked for, which
// the next request would take for its response.
func (s *source) unusable() bool {
	if s.r != s.w {
		return true
	}
	if s.tcp == nil {
		return false
	}
	raw := s.raw
	if raw == nil {
		var err error
		if raw, err = s.tcp.SyscallConn(); err != nil {
			return true
		}
	}
	return raw.Read(s.probe) != nil || s.stale
}

func (s *source) probeReady(fd uintptr) bool {
	s.stale = hasSomething(int(fd))
	return true
}

// interrupt makes the read under way, or the next one, return os.ErrDeadlineExceeded. It never blocks.
func (s *source) interrupt() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) }

// resume undoes interrupt.
func (s *source) resume() { _ = s.conn.SetReadDeadline(time.Time{}) }

// closeWrite sends our end. An error means that the peer is gone, which its reader will see.
func (s *source) closeWrite() {
	s.endSent.Store(true)
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// abort closes with a RST, so that a stream that was cut never looks like one that ended.
func (s *source) abort() { abort(s.conn) }

func abort(conn net.Conn) {
	if t := tcpOf(conn); t != nil {
		_ = t.SetLinger(0)
		_ = t.Close()
		return
	}
	_ = conn.Close()
}
