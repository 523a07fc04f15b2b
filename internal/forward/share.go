package forward

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
)

// Whole is the share that is everything, in millionths.
const Whole = 1_000_000

// Share picks units: all requests with the same value of the key are one unit, and are hit or spared together, on every
// proxy that has the same secret. A larger share only adds units. A request that lacks the key is no unit, and is spared.
// The zero value picks every request.
type Share struct {
	Millionths uint32   // of the units; 0 means all
	Key        Key      // what makes a unit
	Secret     [16]byte // keys the hash; two experiments with two secrets pick independently
}

// picks says whether the unit of a request is in the share. A request with an id, which may be "", that is a unit of its own
// is hit or spared by that: every call that it causes is, and with one secret everybody knows which.
func (s Share) picks(r request, id string) bool {
	if s.Millionths == 0 || s.Millionths >= Whole && s.Key.by <= byConnection {
		return true
	}
	if id != "" && s.Key.Single() {
		return numberOf(sipHash(s.Secret, id)) < s.Millionths
	}
	number, ok := s.number(r)
	return ok && number < s.Millionths
}

// number is the number of the request's unit, from 0 to Whole-1. A unit is in every share above its number.
func (s Share) number(r request) (number uint32, ok bool) {
	unit, ok := s.unit(r)
	return numberOf(unit), ok
}

func numberOf(unit uint64) uint32 {
	high, _ := bits.Mul64(unit, Whole)
	return uint32(high)
}

// unit is the keyed hash of what makes the request's unit.
func (s Share) unit(r request) (hash uint64, ok bool) {
	switch s.Key.by {
	case byRequest:
		hash = rand.Uint64()
	case byConnection:
		var digits [20]byte
		hash = sipHash(s.Secret, string(strconv.AppendUint(digits[:0], r.connection(), 10)))
	case bySource:
		hash = sipHash(s.Secret, r.source().String())
	case byHeader, byCookie:
		value, ok := s.Key.value(r)
		if !ok {
			return 0, false
		}
		hash = sipHash(s.Secret, value)
	}
	return hash, true
}

// Key says what makes requests one unit.
type Key struct {
	by   keyKind
	name string
}

type keyKind uint8

const (
	byRequest keyKind = iota
	byConnection
	bySource
	byHeader
	byCookie
)

// ParseKey reads "header:NAME", "cookie:NAME", "source" (the client's address), "connection", or "request" (also ""):
// every request is a unit of its own.
func ParseKey(text string) (Key, error) {
	kind, name, named := strings.Cut(text, ":")
	switch {
	case text == "", text == "request":
		return Key{}, nil
	case text == "connection":
		return Key{by: byConnection}, nil
	case text == "source":
		return Key{by: bySource}, nil
	case named && kind == "header" && isToken([]byte(name)):
		return Key{byHeader, http.CanonicalHeaderKey(name)}, nil
	case named && kind == "cookie" && isToken([]byte(name)):
		return Key{byCookie, name}, nil
	}
	return Key{}, fmt.Errorf("key %q must be header:NAME, cookie:NAME, source, connection or request", text)
}

// Single says whether every request is a unit of its own.
func (k Key) Single() bool { return k.by == byRequest }

// String is what ParseKey reads.
func (k Key) String() string {
	switch k.by {
	case byConnection:
		return "connection"
	case bySource:
		return "source"
	case byHeader:
		return "header:" + k.name
	case byCookie:
		return "cookie:" + k.name
	}
	return "request"
}

// value is the first value of the header or cookie that the key names.
func (k Key) value(r request) (value string, ok bool) {
	name := k.name
	if k.by == byCookie {
		name = "Cookie"
	}
	for v, n, ok := r.field(name, 0); ok; v, n, ok = r.field(name, n) {
		if k.by == byHeader {
			return v, true
		}
		if v, ok := cookie(v, k.name); ok {
			return v, true
		}
	}
	return "", false
}

// cookie finds a cookie in the value of a Cookie field (RFC 6265, 4.2.1).
func cookie(field, name string) (value string, ok bool) {
	for pair := range strings.SplitSeq(field, ";") {
		n, v, found := strings.Cut(strings.Trim(pair, " \t"), "=")
		if found && n == name {
			return strings.Trim(v, `"`), true
		}
	}
	return "", false
}
