package forward

import (
	"bytes"
	"fmt"
	"net/http"
)

const (
	maxHead   = 256 << 10 // bytes in the head of a message
	maxFields = 1000      // fields in the head of a message, or in its trailer section
)

// refusal says why a message is malformed, and the status that RFC 9110 or 9112 wants its sender to get.
type refusal struct {
	status int
	why    string
}

func (r *refusal) Error() string { return r.why }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) error {
	return refuse(http.StatusBadRequest, format, args...)
}

// kind tells the fields that matter to forwarding from all others.
type kind uint8

const (
	other kind = iota
	hostField
	lengthField
	encodingField // Transfer-Encoding
	connectionField
	upgradeField
	expectField
	teField
	hopField // concerns one hop, and nothing else is to be known of it
	trailerField
)

// field is one field line, as offsets from the start of the head: the line begins at line, its name ends before name, its
// value lies between value and valueEnd, and the next line begins at end.
type field struct {
	kind                              kind
	line, name, value, valueEnd, next int32
}

func (f field) nameOf(b []byte) []byte  { return b[f.line:f.name] }
func (f field) valueOf(b []byte) []byte { return b[f.value:f.valueEnd] }

// head is the parsed head of a message. It holds offsets into the bytes that were parsed, not the bytes.
type head struct {
	response bool
	repaired bool // of a response: the fields are not as they came, and have to be written one by one
	fields   []field
	startEnd int32 // where the first line ends, without what ends it
	first    int32 // where the first field begins
	size     int32 // bytes of the whole head, with its empty line; 0 until it is complete

	// Of a request: where the method ends, and the target begins and ends.
	methodEnd, target, targetEnd int32
	status                       int // of a response
	minor                        int // of the HTTP version; above 1 counts as 1
	length                       int64
	hasLength, chunked           bool
	oneHost                      bool
	host                         field
	closes, upgrades, listsTE    bool   // options of Connection
	listed                       []span // the other options of Connection
	upgrade                      bool   // has an Upgrade field
	h2c                          bool   // it asks for h2c
	continues                    bool   // Expect: 100-continue
	trailers                     bool   // TE allows trailers

	next    int  // where the line begins that is parsed next
	dropped bool // the last line is not passed on
}

// span is a piece of the head.
type span struct{ from, to int32 }

// reset makes h ready for the next message and keeps its memory.
func (h *head) reset(response bool) {
	*h = head{response: response, fields: h.fields[:0], listed: h.listed[:0]}
}

// parse goes on with a head of which b is what has come so far, and is done when the head is complete. It is called
// again, with more, until it is done or fails.
func (h *head) parse(b []byte) (done bool, err error) {
	for {
		rest := b[h.next:]
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return false, h.early(rest)
		}
		from, to := h.next, h.next+i-1
		if i == 0 || rest[i-1] != '\r' {
			if !h.response {
				return false, malformed("a line ends in a bare LF")
			}
			h.repaired = true
			to++
		}
		h.next += i + 1
		switch {
		case h.first == 0:
			err = h.startLine(b, from, to)
			h.startEnd, h.first = int32(to), int32(h.next)
		case from == to:
			h.size = int32(h.next)
			return true, h.check(b)
		case h.response:
			err = h.answerField(b, from, to)
		default:
			err = h.field(b, from, to)
		}
		if err != nil {
			return false, err
		}
	}
}

// early refuses what cannot become a head, however it goes on, and what is too large.
func (h *head) early(rest []byte) error {
	switch {
	case h.first == 0 && len(rest) > 0 && !isTokenChar(rest[0]) && rest[0] != '\r':
		return malformed("this is not HTTP")
	case h.next+len(rest) < maxHead:
		return nil
	case h.first == 0:
		return refuse(http.StatusRequestURITooLong, "the request line is longer than %d bytes", maxHead)
	default:
		return refuse(http.StatusRequestHeaderFieldsTooLarge, "the head is longer than %d bytes", maxHead)
	}
}

func (h *head) startLine(b []byte, from, to int) error {
	if h.response {
		return h.statusLine(b[from:to])
	}
	return h.requestLine(b[from:to])
}

// requestLine parses method SP target SP version (RFC 9112, 3).
func (h *head) requestLine(line []byte) error {
	method, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || !isToken(method) {
		return malformed("the request line is malformed")
	}
	target, version, ok := bytes.Cut(rest, []byte{' '})
	if !ok || !isTarget(target) {
		return malformed("the request target is malformed")
	}
	h.methodEnd = int32(len(method))
	h.target = h.methodEnd + 1
	h.targetEnd = h.target + int32(len(target))
	return h.version(version)
}

// statusLine parses version SP status [SP reason] (RFC 9112, 4). The second space is missing from some servers' answers
// that have no reason; no receiver misreads that.
func (h *head) statusLine(line []byte) error {
	if len(line) < 12 || line[8] != ' ' || len(line) > 12 && line[12] != ' ' || !isPassable(line) {
		return malformed("the status line is malformed")
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return malformed("the status is not a number")
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 {
		return malformed("status %d is out of range", h.status)
	}
	return h.version(line[:8])
}

// version parses HTTP/d.d (RFC 9112, 2.3). A minor version above 1 is served as 1 (RFC 9110, 2.5).
func (h *head) version(b []byte) error {
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	if len(b) != 8 || string(b[:5]) != "HTTP/" || !digit(b[5]) || b[6] != '.' || !digit(b[7]) {
		return malformed("the HTTP version is malformed")
	}
	if b[5] != '1' {
		return refuse(http.StatusHTTPVersionNotSupported, "version %s is not supported", b)
	}
	h.minor = min(int(b[7]-'0'), 1)
	return nil
}
