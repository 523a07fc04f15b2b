package stream

import (
	"cmp"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"mishap/internal/proxy/fault"
)

// errFull says that there were bytes to read but no budget to hold them.
var errFull = errors.New("the delay line is full")

// source reads from one side of a connection. It takes a buffer only when there is something to read.
type source struct {
	conn    *net.TCPConn
	raw     syscall.RawConn
	pool    *bufferPool
	endSent atomic.Bool // we have sent our own end (FIN) on conn
	first   []byte      // was read already, and comes before all else

	// Of the read under way; raw.Read calls ready with them.
	readyFunc func(uintptr) bool
	reserve   *Budget
	must      bool // reserve whether there is room or not
	most      int  // bytes to read; 0 is a whole buffer
	buf       *buffer
	n         int
	err       error
}

func newSource(c *net.TCPConn, pool *bufferPool) (*source, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &source{conn: c, raw: raw, pool: pool}
	s.readyFunc = s.ready
	return s, nil
}

// read waits for bytes and reads up to one buffer of them. With a budget it first reserves chunkCost bytes of it, which
// the caller then owns, or gives errFull unless it must. At the end of the stream it gives io.EOF, at a reset ECONNRESET, and
// os.ErrDeadlineExceeded when it was interrupted.
func (s *source) read(reserve *Budget, must bool) (*buffer, int, error) {
	s.reserve, s.must, s.buf, s.n, s.err = reserve, must, nil, 0, nil
	err := s.raw.Read(s.readyFunc)
	if err == nil {
		err = s.err
	}
	if err == nil && s.n == 0 {
		err = s.end()
	}
	buf, n := s.buf, s.n
	s.buf = nil
	if err != nil {
		s.giveBack(buf)
		return nil, 0, err
	}
	return buf, n, nil
}

// ready reads without blocking; false means: nothing there yet.
func (s *source) ready(fd uintptr) bool {
	switch {
	case s.reserve == nil:
	case s.must:
		s.reserve.owe(chunkCost)
	case !s.reserve.Take(chunkCost):
		s.err = errFull
		return true
	}
	s.buf = s.pool.get()
	if len(s.first) > 0 {
		s.n = copy(s.buf[:cmp.Or(s.most, fault.BufferSize)], s.first)
		s.first = s.first[s.n:]
		return true
	}
	for {
		s.n, s.err = syscall.Read(int(fd), s.buf[:cmp.Or(s.most, fault.BufferSize)])
		switch {
		case errors.Is(s.err, syscall.EINTR):
		case errors.Is(s.err, syscall.EAGAIN):
			s.giveBack(s.buf)
			s.buf, s.n, s.err = nil, 0, nil
			return false
		default:
			return true
		}
	}
}

// giveBack returns a buffer, and what was reserved for it.
func (s *source) giveBack(buf *buffer) {
	if buf == nil {
		return
	}
	s.pool.put(buf)
	if s.reserve != nil {
		s.reserve.Give(chunkCost)
	}
}

// end tells a real end of stream from a reset whose error another call has already taken from the socket.
func (s *source) end() error {
	if !s.endSent.Load() && tcpClosed(s.conn) {
		return syscall.ECONNRESET
	}
	return io.EOF
}

// interrupt makes the read under way, or the next one, return os.ErrDeadlineExceeded. It never blocks.
func (s *source) interrupt() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) }

// clear undoes interrupt. What the interrupt announced must be looked at after clear.
func (s *source) clear() { _ = s.conn.SetReadDeadline(time.Time{}) }

// closeWrite sends our end (FIN) on the connection. An error means that the peer is gone, which its reader will see.
func (s *source) closeWrite() {
	s.endSent.Store(true)
	_ = s.conn.CloseWrite()
}
