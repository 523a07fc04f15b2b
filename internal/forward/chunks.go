package forward

import (
	"bytes"
)

const (
	maxChunkLine = 4000     // bytes of a chunk's size and its extensions
	maxTrailers  = 16 << 10 // bytes of a trailer section; less than a buffer
	maxSizeChars = 15       // hexadecimal digits of a chunk's size, but for zeros before them: fits an int64
)

// chunks checks a body in the chunked coding (RFC 9112, 7.1) as it passes. What it has checked is passed on as it came,
// with its extensions and its trailer section.
type chunks struct {
	state   chunkState
	padded  bool  // a size may have white space after it, as of old servers
	left    int64 // bytes of the current chunk
	trailer int   // bytes of the trailer section so far
	fields  int   // fields of it
}

type chunkState uint8

const (
	atSize    chunkState = iota // before a line with the size of a chunk
	inData                      // in the data of a chunk
	afterData                   // before the CRLF that ends a chunk
	inTrailer                   // before a line of the trailer section
	chunksDone
)

// step takes data of the current chunk, at most most bytes of it, or one line. A line that has not come to its end has to
// wait, so used may be 0.
func (c *chunks) step(b []byte, most int64) (used int, err error) {
	if c.state != inData {
		return c.line(b)
	}
	n := min(c.left, int64(len(b)), most)
	c.pass(n)
	return int(n), nil
}

// pass counts chunk data.
func (c *chunks) pass(n int64) {
	c.left -= n
	if c.left == 0 {
		c.state = afterData
	}
}

// line takes the line at the start of b, or nothing if its end has not come.
func (c *chunks) line(b []byte) (used int, err error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return 0, c.early(b)
	}
	if i == 0 || b[i-1] != '\r' {
		return 0, malformed("a line of a chunked body ends in a bare LF")
	}
	line := b[:i-1]
	switch c.state {
	case atSize:
		err = c.size(line)
	case afterData:
		if len(line) > 0 {
			err = malformed("a chunk is longer than its size")
		}
		c.state = atSize
	default:
		err = c.trailerLine(b, line)
	}
	return i + 1, err
}

// early refuses what cannot become a line, however it goes on.
func (c *chunks) early(b []byte) error {
	switch {
	case c.state == afterData && (b[0] != '\r' || len(b) > 1):
		return malformed("a chunk is longer than its size")
	case c.state == atSize && len(b) > maxChunkLine:
		return malformed("the line before a chunk is longer than %d bytes", maxChunkLine)
	case c.state == inTrailer && c.trailer+len(b) > maxTrailers:
		return malformed("the trailer section is longer than %d bytes", maxTrailers)
	}
	return nil
}

// size parses the line before a chunk. White space is allowed before an extension alone.
func (c *chunks) size(line []byte) error {
	if len(line) > maxChunkLine {
		return malformed("the line before a chunk is longer than %d bytes", maxChunkLine)
	}
	digits := 0
	for ; digits < len(line); digits++ {
		v, ok := hexValue(line[digits])
		if !ok {
			break
		}
		if c.left>>(4*(maxSizeChars-1)) > 0 {
			return malformed("the size of a chunk is too large")
		}
		c.left = c.left<<4 | v
	}
	rest := trim(line[digits:])
	if digits == 0 || len(rest) == 0 && digits != len(line) && !c.padded || len(rest) > 0 && rest[0] != ';' || !isText(rest) {
		return malformed("the size of a chunk is malformed")
	}
	c.state = inData
	if c.left == 0 {
		c.state = inTrailer
	}
	return nil
}

func hexValue(c byte) (int64, bool) {
	switch {
	case c >= '0' && c <= '9':
		return int64(c - '0'), true
	case c >= 'a' && c <= 'f':
		return int64(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return int64(c-'A') + 10, true
	}
	return 0, false
}

// trailerLine checks a field of the trailer section. A field that frames or routes must not be there (RFC 9110, 6.5.1).
func (c *chunks) trailerLine(b, line []byte) error {
	if len(line) == 0 {
		c.state = chunksDone
		return nil
	}
	c.trailer += len(line) + 2
	c.fields++
	if c.trailer > maxTrailers || c.fields > maxFields {
		return malformed("the trailer section is too long")
	}
	f, err := parseField(b, 0, len(line))
	if err != nil {
		return err
	}
	if f.kind != other {
		return malformed("field %q must not be in a trailer section", f.nameOf(b))
	}
	return nil
}
