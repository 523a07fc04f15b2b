package forward

import "encoding/binary"

// Of the frames of HTTP/2 (RFC 9113, 6) those that the proxy looks at. net/http speaks the protocol.
const (
	frameHeadSize = 9

	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	frameGoAway       = 0x7
	frameContinuation = 0x9
	framePreface      = 0xff // what a client says before its first frame; not a type of RFC 9113

	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
)

// settingMaxStreams is SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113, 6.5.2).
const settingMaxStreams = 0x3

// Of the codes with which a stream can be reset (RFC 9113, 7).
const (
	codeInternal = 0x2
	codeRefused  = 0x7
)

// frame is what the head of a frame says.
type frame struct {
	kind, flags byte
	stream      uint32
	length      int
}

func parseFrame(head []byte) frame {
	return frame{
		kind: head[3], flags: head[4],
		stream: binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1),
		length: int(head[0])<<16 | int(head[1])<<8 | int(head[2]),
	}
}

// scanner finds the frames in bytes that pass, however they are cut.
type scanner struct {
	head [frameHeadSize]byte
	got  int // of the head
	now  frame
	left int // of the payload
}

// scan calls visit for every head that is whole now, with an empty piece, and then for every piece of its payload, with
// where it is in p, and where in the payload.
func (s *scanner) scan(p []byte, visit func(f frame, at, offset, size int)) {
	for at := 0; at < len(p); {
		if s.left > 0 {
			n := min(s.left, len(p)-at)
			visit(s.now, at, s.now.length-s.left, n)
			s.left -= n
			at += n
			continue
		}
		n := copy(s.head[s.got:], p[at:])
		s.got += n
		at += n
		if s.got == frameHeadSize {
			s.got, s.now = 0, parseFrame(s.head[:])
			s.left = s.now.length
			visit(s.now, at, 0, 0)
		}
	}
}
