package forward

import (
	"io"
	"math"
	"net/http"
)

// framing says how the end of a body is known (RFC 9112, 6.3).
type framing uint8

const (
	noBody framing = iota
	byLength
	byChunks
	byClose // the end of the connection is the end of the body; of responses alone
)

// body follows one body as it passes.
type body struct {
	framing framing
	left    int64 // bytes, if framed by length
	chunks  chunks
	content int64 // bytes that have passed, without the framing
	closed  bool  // of byClose: the end has come
}

// bodyOf is the body that follows the head of a request, or of the response to a request with that method.
func bodyOf(h *head, method string) body {
	switch {
	case h.response && (method == http.MethodHead || h.bodiless() || h.status == http.StatusNotModified):
		return body{}
	case h.chunked:
		return body{framing: byChunks, chunks: chunks{padded: h.response}}
	case h.hasLength && h.length > 0:
		return body{framing: byLength, left: h.length}
	case h.response && !h.hasLength:
		return body{framing: byClose}
	}
	return body{}
}

func (b *body) done() bool {
	switch b.framing {
	case byLength:
		return b.left == 0
	case byChunks:
		return b.chunks.state == chunksDone
	case byClose:
		return b.closed
	}
	return true
}

// take says how many bytes at the start of p belong to the body, are well formed and may go on. At most most of them are
// content. It counts them as passed.
func (b *body) take(p []byte, most int64) (n int, err error) {
	switch b.framing {
	case byLength:
		n = int(min(int64(len(p)), b.left, most))
		b.left -= int64(n)
		b.content += int64(n)
	case byClose:
		n = int(min(int64(len(p)), most))
		b.content += int64(n)
	case byChunks:
		return b.takeChunks(p, most)
	}
	return n, nil
}

func (b *body) takeChunks(p []byte, most int64) (n int, err error) {
	for n < len(p) && !b.done() {
		data := b.chunks.state == inData
		used, err := b.chunks.step(p[n:], most)
		if err != nil || used == 0 {
			return n, err
		}
		n += used
		if data {
			b.content += int64(used)
			most -= int64(used)
		}
	}
	return n, nil
}

// more says whether content is still to come, as far as that is known; pending, whether there are bytes to read.
func (b *body) more(pending bool) bool {
	switch b.framing {
	case byLength:
		return b.left > 0
	case byChunks:
		return b.chunks.state == inData
	}
	return pending
}

// bulk is how many bytes may pass next without being looked at.
func (b *body) bulk() int64 {
	switch {
	case b.framing == byLength:
		return b.left
	case b.framing == byChunks && b.chunks.state == inData:
		return b.chunks.left
	case b.framing == byClose && !b.closed:
		return math.MaxInt64
	}
	return 0
}

// passed counts bytes of bulk.
func (b *body) passed(n int64) {
	b.content += n
	switch b.framing {
	case byLength:
		b.left -= n
	case byChunks:
		b.chunks.pass(n)
	}
}

// end takes the end of the connection, which is right for a body that is framed by it.
func (b *body) end() error {
	if b.framing != byClose {
		return io.ErrUnexpectedEOF
	}
	b.closed = true
	return nil
}
