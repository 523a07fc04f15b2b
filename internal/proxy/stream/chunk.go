package stream

import (
	"time"

	"mishap/internal/proxy/fault"
)

// Overhead is how many bytes a queue needs for a chunk, or a datagram, besides its data.
const Overhead = 96

// chunkCost is the most that a chunk costs, in bytes.
const chunkCost = fault.BufferSize + Overhead

// chunk is what one read brought, or the end of the stream. Times are since the line's start.
type chunk struct {
	data   []byte  // that has not been sent
	buf    *buffer // that data lies in; nil if data has memory of its own
	pipe   *pipe   // that holds the bytes in place of data; nil if they are here
	left   int     // bytes in the pipe that are not being sent
	full   int     // bytes that were read
	number uint64
	read   time.Duration
	end    error // io.EOF, or how the source failed; such a chunk has no data
}

// cost is what the chunk takes from the budget, in bytes, until all of it is sent.
func (c chunk) cost() int64 {
	switch {
	case c.end != nil:
		return 0
	case c.buf != nil:
		return chunkCost
	default:
		return int64(c.full) + Overhead
	}
}

// size is how many bytes are not being sent.
func (c chunk) size() int {
	if c.pipe != nil {
		return c.left
	}
	return len(c.data)
}

// unshaped is the chunk as one piece that no stage has seen.
func (c chunk) unshaped() fault.Piece {
	return fault.Piece{Number: c.number, Size: c.size(), At: c.read, End: c.end != nil}
}

// outgoing is a piece that is due.
type outgoing struct {
	fault.Piece
	data []byte
	pipe *pipe // that the bytes are in; nil if they are in data
	end  error
}

// cut takes a piece off the chunk.
func (c *chunk) cut(p fault.Piece) outgoing {
	out := outgoing{Piece: p, pipe: c.pipe, end: c.end}
	if c.pipe != nil {
		c.left -= p.Size
		return out
	}
	out.data, c.data = c.data[:p.Size], c.data[p.Size:]
	return out
}
