package forward

import (
	"io"
	"math"
	"net/netip"
	"slices"
)

// SipHash is sipHash.
func SipHash(key [16]byte, text string) uint64 { return sipHash(key, text) }

// Asked is a request for the tests of matches and shares.
type Asked struct {
	Header     map[string][]string
	Source     netip.Addr
	Connection uint64
}

type askedFor struct{ *Asked }

func (a askedFor) method() string     { return "GET" }
func (a askedFor) path() string       { return "/" }
func (a askedFor) host() string       { return "a" }
func (a askedFor) source() netip.Addr { return a.Source }
func (a askedFor) connection() uint64 { return a.Connection }
func (a askedFor) field(name string, n int) (value string, next int, ok bool) {
	if n >= len(a.Header[name]) {
		return "", n, false
	}
	return a.Header[name][n], n + 1, true
}

// Hits says whether a request is in the share.
func (s Share) Hits(a *Asked) bool { return s.picks(askedFor{a}, "") }

// ParseRequest parses the head of a request in pieces of a size, and gives what a forwarder acts on.
func ParseRequest(b []byte, piece int) (size int, method, target, host string, length int64, chunked bool, err error) {
	var h head
	h.reset(false)
	for n := min(piece, len(b)); ; n = min(n+piece, len(b)) {
		done, err := h.parse(b[:n])
		if err != nil {
			return 0, "", "", "", 0, false, err
		}
		if done {
			host := ""
			if h.oneHost {
				host = string(h.host.valueOf(b))
			}
			return int(h.size), string(b[:h.methodEnd]), string(b[h.target:h.targetEnd]), host, h.length, h.chunked, nil
		}
		if n == len(b) {
			return 0, "", "", "", 0, false, io.ErrUnexpectedEOF // not complete
		}
	}
}

// ParseResponse parses the head of a response.
func ParseResponse(b []byte) (size, status int, length int64, chunked bool, err error) {
	var h head
	h.reset(true)
	done, err := h.parse(b)
	if err == nil && !done {
		err = io.ErrUnexpectedEOF
	}
	return int(h.size), h.status, h.length, h.chunked, err
}

// Chunks passes a chunked body through the checker in pieces of a size. It gives how many bytes went on, how much content
// they have, and whether the body is whole.
func Chunks(b []byte, piece int) (passed int, content int64, whole bool, err error) {
	body := body{framing: byChunks}
	for n := min(piece, len(b)); ; n = min(n+piece, len(b)) {
		used, err := body.take(b[passed:n], math.MaxInt64)
		passed += used
		if err != nil || body.done() || n == len(b) {
			return passed, body.content, body.done(), err
		}
	}
}

// ArmOf is the arm of a request at a share of each arm.
func (s Share) ArmOf(a *Asked) Arm {
	number, ok := s.number(askedFor{a})
	if !ok {
		return NoArm
	}
	return armOf(number, s.Millionths)
}

// EditBaggage is the one field that takes the place of others.
func EditBaggage(own string, fields []string) string {
	return string(appendBaggage(nil, []byte(own), slices.Values(fields)))
}

// HasOwn says whether a member is ours.
func HasOwn(fields []string) bool { return hasOwn(slices.Values(fields)) }

// ReadMembership gives what baggage says, and whether it has the token.
func ReadMembership(fields []string, token string) (run string, arm Arm, has bool) {
	m, has := readMembership(slices.Values(fields), token)
	return m.run, m.arm, has
}

// Unescape is unescape.
func Unescape(s string) string { return unescape(s) }

// Unread is how many bytes of the bodies of requests wait to be passed on.
func (s *Server) Unread() int64 {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	return s.room.used
}

// MaxReplay is maxReplay.
const MaxReplay = maxReplay

// MaxAgain is maxAgain.
const MaxAgain = maxAgain

// MaxUnread is maxUnread.
const MaxUnread = maxUnread

// Room is a room.
type Room struct{ room }

// Take is take.
func (r *Room) Take(n int64) bool { return r.take(n) }

// Await is await.
func (r *Room) Await(n int64, over <-chan struct{}) bool { return r.await(n, over) }

// Give is give.
func (r *Room) Give(n int64) { r.give(n) }

// Kept is how much of a body is kept to be looked at.
func Kept(look *Look, body string) int {
	d := decision{pool: new(buffers), as: Assignment{Arm: Control, arms: &Arms{Look: look}}}
	d.looks(given(nil), false)
	d.seen.keep([]byte(body))
	return len(d.seen.raw)
}
