package forward

import (
	"iter"
	"strconv"
	"strings"

	"mishap/internal/slots"
)

// Limits of a baggage-string (W3C Baggage, 3.3.2, "Limits"): what is within them every platform has to pass on.
const (
	maxBaggage = 8192 // bytes
	maxMembers = 64
)

// The members of baggage that are ours. All keys that begin with ownPrefix are taken for ours.
const (
	ownPrefix = "mishap."
	runKey    = ownPrefix + "run"
	armKey    = ownPrefix + "arm"
	tokenKey  = ownPrefix + "token"
	slotKey   = ownPrefix + "slot"
)

// membership is what a request says of itself in its baggage.
type membership struct {
	run string
	arm Arm
}

// ownMembers are the members that say where a request belongs, up to the slot of its unit.
func ownMembers(run string, arm Arm, token string) (of [slots.Labels]string) {
	for slot := range of {
		of[slot] = runKey + "=" + run + "," + armKey + "=" + arm.String() + "," + tokenKey + "=" + token + "," + slotKey + "=" + strconv.Itoa(slot)
	}
	return of
}

// members yields the list-members of baggage fields in their order, without the white space around them and without empty
// ones. No value holds a comma: it would be percent-encoded.
func members(fields iter.Seq[string]) iter.Seq[string] {
	return func(yield func(string) bool) {
		for field := range fields {
			for member := range strings.SplitSeq(field, ",") {
				if member = strings.Trim(member, " \t"); member != "" && !yield(member) {
					return
				}
			}
		}
	}
}

// splitMember gives the key and the value of a member, without its properties. A member that is malformed has what it has.
func splitMember(member string) (key, value string) {
	member, _, _ = strings.Cut(member, ";")
	key, value, _ = strings.Cut(member, "=")
	return strings.Trim(key, " \t"), strings.Trim(value, " \t")
}

// isOwn says whether a member is ours. Keys know neither escapes nor case-folding, but some receivers undo escapes, and
// what they then pass on must not be ours either.
func isOwn(member string) bool {
	key, _ := splitMember(member)
	if strings.HasPrefix(key, ownPrefix) {
		return true
	}
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(unescape(key))), ownPrefix)
}

// unescape undoes percent-encoding, and leaves alone what is not encoded well.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// wellFormed says whether a member is what W3C Baggage, 3.3.1, allows: a token, an equals sign, and a value of its octets.
func wellFormed(member string) bool {
	pair, _, _ := strings.Cut(member, ";")
	key, value, ok := strings.Cut(pair, "=")
	if !ok || !isToken([]byte(strings.Trim(key, " \t"))) {
		return false
	}
	for _, c := range []byte(strings.Trim(value, " \t")) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return false
		}
	}
	return true
}

// readMembership reads what baggage says of a request, and whether one of its tokens is the one that is looked for.
func readMembership(fields iter.Seq[string], token string) (m membership, has bool) {
	for member := range members(fields) {
		switch key, value := splitMember(member); key {
		case runKey:
			m.run = unescape(value)
		case armKey:
			m.arm = parseArm(unescape(value))
		case tokenKey:
			has = has || token != "" && unescape(value) == token
		}
	}
	return m, has
}

// others counts the members that are not ours, and the bytes that they take in one field.
func others(fields iter.Seq[string]) (n, size int, malformed bool) {
	for member := range members(fields) {
		if isOwn(member) {
			continue
		}
		n++
		size += len(member) + 1
		malformed = malformed || !wellFormed(member)
	}
	return n, size, malformed
}

// hasOwn says whether a member is ours.
func hasOwn(fields iter.Seq[string]) bool {
	for member := range members(fields) {
		if isOwn(member) {
			return true
		}
	}
	return false
}

// appendBaggage writes one value of baggage: our members, which may be none, and then the others in their order and as they
// came, malformed ones too. Ours come first: receivers that cut what is too long cut at the end.
func appendBaggage(out []byte, own string, fields iter.Seq[string]) []byte {
	begin := len(out)
	out = append(out, own...)
	for member := range members(fields) {
		if isOwn(member) {
			continue
		}
		if len(out) > begin {
			out = append(out, ',')
		}
		out = append(out, member...)
	}
	return out
}
