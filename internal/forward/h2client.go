package forward

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// streamField tells a handler which stream it serves, which net/http does not: [framed] adds it, as the last of its name,
// to the fields that the client has sent, and takeStream takes it away.
const streamField = "Mishap-Stream"

// framed is the connection of an HTTP/2 client as net/http sees it. It numbers the requests, sets the codes of the
// streams that are reset, and bounds the bodies that have come and that nobody has read.
type framed struct {
	net.Conn
	srv  *Server
	gone <-chan struct{} // the connection has been reset

	// Of the goroutine that reads.
	in     *bufio.Reader
	head   [frameHeadSize]byte
	now    frame
	left   int    // of the payload
	newest uint32 // stream
	opens  bool   // the header block that comes opens that stream
	out    []byte // to be read next, before the payload

	written scanner // of the goroutine that writes

	mu      sync.Mutex
	streams map[uint32]*upload
	codes   map[uint32]uint32 // of streams that net/http is to reset
}

// upload is a stream that has not ended.
type upload struct{ unread int64 } // bytes of its body

func newFramed(conn net.Conn, srv *Server, gone <-chan struct{}) *framed {
	return &framed{Conn: conn, srv: srv, gone: gone, in: bufio.NewReader(conn), now: frame{kind: framePreface},
		left: len(preface), streams: make(map[uint32]*upload), codes: make(map[uint32]uint32)}
}

// Read gives what the client has sent, with the number of each request that opens a stream behind its fields.
func (c *framed) Read(p []byte) (int, error) {
	for len(c.out) == 0 && c.left == 0 {
		if _, err := io.ReadFull(c.in, c.head[:]); err != nil {
			return 0, err
		}
		if err := c.begin(); err != nil {
			return 0, err
		}
	}
	if len(c.out) > 0 {
		n := copy(p, c.out)
		c.out = c.out[n:]
		return n, nil
	}
	n, err := c.in.Read(p[:min(len(p), c.left)])
	c.left -= n
	if c.left == 0 {
		c.end()
	}
	return n, err
}

// begin takes the head of a frame.
func (c *framed) begin() error {
	c.now = parseFrame(c.head[:])
	c.left = c.now.length
	switch c.now.kind {
	case frameHeaders:
		if c.opens = c.now.stream > c.newest; c.opens {
			c.newest = c.now.stream
			c.open(c.now.stream)
		}
	case frameData:
		if err := c.came(c.now.stream, int64(c.now.length)); err != nil {
			return err
		}
	case frameReset:
		c.ended(c.now.stream)
	}
	if c.lastOfBlock() {
		c.head[4] &^= flagEndHeaders
	}
	c.out = append(c.out[:0], c.head[:]...)
	if c.left == 0 {
		c.end()
	}
	return nil
}

// lastOfBlock says whether the frame ends the header block of a request.
func (c *framed) lastOfBlock() bool {
	return c.opens && (c.now.kind == frameHeaders || c.now.kind == frameContinuation) && c.now.flags&flagEndHeaders != 0
}

// end adds the number of the stream to the header block that has ended: a field that HPACK does not index (RFC 7541, 6.2.2)
// in a CONTINUATION of its own, which leaves what the client has sent as it is.
func (c *framed) end() {
	if !c.lastOfBlock() {
		return
	}
	c.opens = false
	const name = "mishap-stream"
	value := strconv.FormatUint(uint64(c.now.stream), 10)
	length := 3 + len(name) + len(value)
	c.out = append(c.out, 0, 0, byte(length), frameContinuation, flagEndHeaders)
	c.out = binary.BigEndian.AppendUint32(c.out, c.now.stream)
	c.out = append(c.out, 0, byte(len(name)))
	c.out = append(c.out, name...)
	c.out = append(c.out, byte(len(value)))
	c.out = append(c.out, value...)
}

// takeStream gives the number of the stream that a request came on, and takes it out of its fields.
func takeStream(h http.Header) uint32 {
	all := h[streamField]
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.ParseUint(all[len(all)-1], 10, 32)
	if all = all[:len(all)-1]; len(all) == 0 {
		delete(h, streamField)
	} else {
		h[streamField] = all // the client's own
	}
	return uint32(n)
}

// Write sends what net/http says, with the codes that are wanted.
func (c *framed) Write(p []byte) (int, error) {
	out := p
	c.written.scan(p, func(f frame, at, offset, size int) {
		if size == 0 && f.flags&flagEndStream != 0 && (f.kind == frameData || f.kind == frameHeaders) {
			c.ended(f.stream)
		}
		if f.kind != frameReset || size == 0 {
			return
		}
		if code, ok := c.code(f.stream); ok {
			if &out[0] == &p[0] {
				out = slices.Clone(p)
			}
			for i := offset; i < offset+size; i++ {
				out[at+i-offset] = byte(code >> (8 * (3 - i)))
			}
		}
		if offset+size == f.length {
			c.ended(f.stream)
		}
	})
	return c.Conn.Write(out)
}

func (c *framed) open(stream uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams[stream] = &upload{}
}

// ended forgets a stream: nothing more of it matters.
func (c *framed) ended(stream uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.codes, stream)
	c.forget(stream)
}

// forget gives back the room of a stream.
func (c *framed) forget(stream uint32) {
	if s := c.streams[stream]; s != nil {
		c.srv.room.give(s.unread)
		delete(c.streams, stream)
	}
}

// close gives back all room.
func (c *framed) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for stream := range c.streams {
		c.forget(stream)
	}
}

// setCode says with what code net/http is to reset a stream, if it still does.
func (c *framed) setCode(stream, code uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[stream] != nil {
		c.codes[stream] = code
	}
}

func (c *framed) code(stream uint32) (code uint32, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	code, ok = c.codes[stream]
	return code, ok
}

// came takes room for a piece of a body, and waits until there is.
func (c *framed) came(stream uint32, n int64) error {
	c.mu.Lock()
	s := c.streams[stream]
	c.mu.Unlock()
	if s == nil || n == 0 {
		return nil // of a stream that is over: net/http drops it
	}
	if !c.srv.room.take(n) {
		if c.srv.Crowded != nil {
			c.srv.Crowded()
		}
		if !c.srv.room.await(n, c.gone) {
			return net.ErrClosed
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[stream] != s {
		c.srv.room.give(n)
		return nil
	}
	s.unread += n
	return nil
}

// read gives back the room of what has been read of a body.
func (c *framed) read(stream uint32, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[stream]; s != nil {
		n = min(n, s.unread)
		s.unread -= n
		c.srv.room.give(n)
	}
}
