package forward

import (
	"bytes"
	"encoding/binary"
)

// The characters of a token (RFC 9110, 5.6.2) as two sets of 64: what a field name and a method are made of.
const (
	tokenLow = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' | (1<<10-1)<<'0'

	tokenHigh = 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64) | (1<<26-1)<<('A'-64) |
		(1<<26-1)<<('a'-64)
)

func isTokenChar(c byte) bool {
	set := uint64(tokenLow)
	if c >= 64 {
		set = tokenHigh
	}
	return c < 128 && set>>(c&63)&1 == 1
}

func isToken(b []byte) bool {
	for _, c := range b {
		if !isTokenChar(c) {
			return false
		}
	}
	return len(b) > 0
}

// isText says whether b may be in a field value or a reason phrase: no control character but the tab (RFC 9110, 5.5).
func isText(b []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 { // eight at a time: any byte below 0x20, or equal to 0x7f?
		x := binary.LittleEndian.Uint64(b)
		del := x ^ 0x7f*ones
		if ((x-0x20*ones)&^x|(del-ones)&^del)&tops != 0 && !isTextSlow(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return isTextSlow(b)
}

func isTextSlow(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isPassable says whether b may be in what an answer says: all but NUL and CR, which some receivers take for an end. Other
// control characters are passed on (RFC 9110, 5.5).
func isPassable(b []byte) bool { return bytes.IndexByte(b, 0) < 0 && bytes.IndexByte(b, '\r') < 0 }

// isTarget says whether b may be a request target. RFC 9112, 3.2 allows less, but browsers send quotes, braces and bars
// too, and no receiver reads those in two ways. Spaces, controls, fragments and bytes above ASCII are out.
func isTarget(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return len(b) > 0
}

// isHost says whether b may be a host and port (RFC 3986, 3.2.2).
func isHost(b []byte) bool {
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '-', c == ':', c == '[', c == ']', c == '_', c == '~', c == '%':
		case c == '!', c == '$', c == '&', c == '\'', c == '(', c == ')', c == '*', c == '+', c == ';', c == '=':
		default:
			return false
		}
	}
	return true
}

// lower is the ASCII lower case of c.
func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// equalFold compares without regard to ASCII case. want must be in lower case.
func equalFold(b []byte, want string) bool {
	if len(b) != len(want) {
		return false
	}
	for i, c := range b {
		if lower(c) != want[i] {
			return false
		}
	}
	return true
}

// trim takes optional white space off both ends (OWS; RFC 9110, 5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// nextItem cuts the first item off a comma-separated list (RFC 9110, 5.6.1).
func nextItem(list []byte) (item, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), nil
}
