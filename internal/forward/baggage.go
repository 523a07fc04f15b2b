package forward

import (
	"crypto/rand"
	"iter"
	"math"
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
	idKey     = ownPrefix + "req"
	idMember  = "," + idKey + "="
)

// membership is what a request says of itself in its baggage.
type membership struct {
	run      string
	arm      Arm
	hasToken bool
	id       string // of the request; "" if it has none, or several that differ
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
	several := false
	for member := range members(fields) {
		switch key, value := splitMember(member); key {
		case runKey:
			m.run = unescape(value)
		case armKey:
			m.arm = parseArm(unescape(value))
		case tokenKey:
			m.hasToken = m.hasToken || value != ""
			has = has || token != "" && unescape(value) == token
		case idKey:
			id := unescape(value)
			several = several || m.id != "" && m.id != id
			m.id = id
		}
	}
	if several {
		m.id = ""
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
func appendBaggage(out, own []byte, fields iter.Seq[string]) []byte {
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

// belongs says whether the request is in an arm of the member's run, and whether in the one with its token; and its id.
func (d *decision) belongs(m Member, r request) (inRun, inArm bool, id string) {
	switch {
	case d.as.arms != nil:
		return d.as.arms.Run == m.Run, d.as.arms.token(d.as.Arm) == m.Token, d.id()
	case d.edge:
		return false, false, ""
	}
	said, has := readMembership(values(r, "Baggage"), m.Token)
	if has && said.arm == NoArm {
		said.arm = Experiment // whose token it is, whatever got lost beside it
	}
	if d.member.arm == NoArm || has {
		d.member = said
	}
	return has || said.run == m.Run && said.arm != NoArm, has, said.id
}

// claim is where the request belongs: as it was assigned here, or else as its baggage says, unless that comes from outside.
func (d *decision) claim(r request) membership {
	switch {
	case d.as.arms != nil:
		return membership{run: d.as.arms.Run, arm: d.as.Arm, hasToken: true, id: d.id()}
	case d.edge:
		return membership{}
	}
	said, _ := readMembership(values(r, "Baggage"), "")
	return said
}

// id is that of a request which was assigned here; empty if it has none.
func (d *decision) id() string {
	if ids := d.as.arms.IDs; ids != nil && d.as.Mark != NoMark {
		var room [MaxID]byte
		return string(ids.Append(room[:0], d.as.Mark))
	}
	return ""
}

// MaxID is the most bytes that the id of a request has.
const MaxID = 20

// NoMark is the Mark of a request that its book does not count. It has no id.
const NoMark = math.MaxUint64

// IDs give the requests of arms ids that nobody can guess: what a request is marked with, and a check that only these ids
// know how to make, both in base 36: "4fti4g.k3x90a". They go with the request in baggage, so that a proxy further on can
// say which requests it has met.
type IDs struct{ key [16]byte }

// NewIDs draws a key. Ids of others are none of these.
func NewIDs() *IDs {
	i := new(IDs)
	_, _ = rand.Read(i.key[:]) // it never fails
	return i
}

const (
	base    = 36
	checked = 36 * 36 * 36 * 36 * 36 * 36 // how many checks there are
)

// Append writes the id of the request that is marked so.
func (i *IDs) Append(out []byte, mark uint64) []byte {
	begin := len(out)
	out = strconv.AppendUint(out, mark, base)
	check := sipHash(i.key, string(out[begin:])) % checked
	return strconv.AppendUint(append(out, '.'), check, base)
}

// Mark is the mark of the request with an id; not ok for what is none of these ids.
func (i *IDs) Mark(id string) (mark uint64, ok bool) {
	first, _, _ := strings.Cut(id, ".")
	mark, err := strconv.ParseUint(first, base, 64)
	var room [MaxID]byte
	return mark, err == nil && string(i.Append(room[:0], mark)) == id // there is one way to write it
}
