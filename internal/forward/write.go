package forward

import (
	"iter"
	"net/http"
	"strconv"
)

// appendFields writes the fields of a head that go on as they came, in long runs: all but those of this hop, and those
// that drop names.
func (h *head) appendFields(out, b []byte, drop func(field) bool) []byte {
	if h.repaired {
		return h.appendEach(out, b, drop)
	}
	from := h.first
	for _, f := range h.fields {
		if f.kind == other && drop == nil && len(h.listed) == 0 {
			continue
		}
		if h.passes(f, b) && (drop == nil || !drop(f)) {
			continue
		}
		out = append(out, b[from:f.line]...)
		from = f.next
	}
	return append(out, b[from:h.size-2]...) // but for the empty line
}

// appendEach writes the same, field by field.
func (h *head) appendEach(out, b []byte, drop func(field) bool) []byte {
	for _, f := range h.fields {
		if h.passes(f, b) && (drop == nil || !drop(f)) {
			out = append(out, f.nameOf(b)...)
			out = append(out, ": "...)
			out = append(out, f.valueOf(b)...)
			out = append(out, "\r\n"...)
		}
	}
	return out
}

// passes says whether a field goes further than this hop (RFC 9110, 7.6.1).
func (h *head) passes(f field, b []byte) bool {
	switch f.kind {
	case connectionField, hopField, teField:
		return false
	case upgradeField:
		return h.upgrading()
	case expectField:
		return h.minor > 0 // RFC 9110, 10.1.1: ignored in HTTP/1.0
	case lengthField, encodingField:
		return !h.response || h.frames(f.kind)
	}
	name := f.nameOf(b)
	for _, s := range h.listed {
		if len(name) == int(s.to-s.from) && foldEqual(name, string(b[s.from:s.to])) {
			return false
		}
	}
	return true
}

// upgrading says whether the message asks for another protocol, or changes to it. To h2c nothing is upgraded here: what
// would follow is requests that nobody checks.
func (h *head) upgrading() bool { return h.minor > 0 && h.upgrade && h.upgrades && !h.h2c }

// appendEdit writes the fields that faults set.
func appendEdit(out []byte, fields []Field) []byte {
	for _, f := range fields {
		out = appendField(out, f.Name, f.Value)
	}
	return out
}

func appendField(out []byte, name, value string) []byte {
	out = append(out, name...)
	out = append(out, ": "...)
	out = append(out, value...)
	return append(out, "\r\n"...)
}

// appendRequest writes the head of the request as the upstream gets it.
func (c *conn) appendRequest(out []byte) []byte {
	h, b := &c.req, c.reqHead
	out = append(out, b[:h.targetEnd]...)
	out = append(out, " HTTP/1."...)
	out = append(out, byte('0'+h.minor), '\r', '\n')
	drop := c.drops(b, requestEdit)
	own, retag := c.retags(b)
	if retag && h.hasBaggage(b) {
		drop = withoutBaggage(b, drop)
	}
	out = h.appendFields(out, b, drop)
	if retag {
		out = h.appendBaggage(out, b, own)
	}
	for r := range c.decision.rules {
		out = appendEdit(out, r.Request.Set)
	}
	option, te := "", h.minor > 0 && h.trailers
	switch {
	case h.upgrading():
		option = "Upgrade"
	case h.closes && h.minor > 0:
		option = "close"
	}
	if te {
		out = append(out, "TE: trailers\r\n"...)
	}
	return append(appendConnection(out, option, te), "\r\n"...)
}

func appendConnection(out []byte, option string, te bool) []byte {
	switch {
	case te && option != "":
		return appendField(out, "Connection", "TE, "+option)
	case te:
		return append(out, "Connection: TE\r\n"...)
	case option != "":
		return appendField(out, "Connection", option)
	}
	return out
}

func requestEdit(r *Rule) *Edit  { return &r.Request }
func responseEdit(r *Rule) *Edit { return &r.Response }

// retags says whether the baggage of a request is written anew, for it to say where it belongs, and with which members of
// ours. What faults set or remove stands.
func (c *conn) retags(b []byte) (own []byte, yes bool) {
	own, strip := c.decision.tags(c.srv)
	if !strip || c.decision.find(editsBaggage) != nil {
		return nil, false
	}
	return own, len(own) > 0 || c.req.hasBaggage(b) && hasOwn(c.req.baggage(b))
}

func editsBaggage(r *Rule) bool {
	return len(r.Request.Set)+len(r.Request.Remove) > 0 && r.Request.touches([]byte("baggage"))
}

// withoutBaggage also drops the fields of baggage.
func withoutBaggage(b []byte, drop func(field) bool) func(field) bool {
	return func(f field) bool { return isBaggage(f, b) || drop != nil && drop(f) }
}

// appendBaggage writes one field of baggage, if there is anything to say.
func (h *head) appendBaggage(out, b, own []byte) []byte {
	from := len(out)
	out = append(out, "baggage: "...)
	begin := len(out)
	if h.hasBaggage(b) {
		out = appendBaggage(out, own, h.baggage(b))
	} else {
		out = append(out, own...)
	}
	if len(out) == begin {
		return out[:from]
	}
	return append(out, "\r\n"...)
}

func isBaggage(f field, b []byte) bool {
	return f.name-f.line == int32(len("baggage")) && equalFold(f.nameOf(b), "baggage")
}

func (h *head) hasBaggage(b []byte) bool {
	for _, f := range h.fields {
		if isBaggage(f, b) {
			return true
		}
	}
	return false
}

// baggage yields the values of the fields of baggage that go further than this hop.
func (h *head) baggage(b []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, f := range h.fields {
			if isBaggage(f, b) && h.passes(f, b) && !yield(string(f.valueOf(b))) {
				return
			}
		}
	}
}

// drops says which fields of a head faults take away; nil if none.
func (c *conn) drops(b []byte, edit func(*Rule) *Edit) func(field) bool {
	edits := c.decision.find(func(r *Rule) bool { return len(edit(r).Set)+len(edit(r).Remove) > 0 })
	if edits == nil {
		return nil
	}
	return func(f field) bool {
		if f.kind != other {
			return false
		}
		for r := range c.decision.rules {
			if edit(r).touches(f.nameOf(b)) {
				return true
			}
		}
		return false
	}
}

// appendResponse writes the head of the response as the client gets it. With replace it frames another body than came.
func (c *conn) appendResponse(out, b []byte, last bool, replace *Rule) []byte {
	h := &c.res
	out = h.appendStart(out, b)
	drop := c.drops(b, responseEdit)
	if replace != nil {
		drop = dropsFraming(b, drop)
	}
	out = h.appendFields(out, b, drop)
	for r := range c.decision.rules {
		out = appendEdit(out, r.Response.Set)
	}
	if replace != nil {
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, int64(len(replace.ReplaceBody)), 10)
		out = append(out, "\r\n"...)
	}
	switch {
	case h.status == http.StatusSwitchingProtocols:
		out = append(out, "Connection: Upgrade\r\n"...)
	case last:
		out = append(out, "Connection: close\r\n"...)
	}
	return append(out, "\r\n"...)
}

// appendStart writes the status line.
func (h *head) appendStart(out, b []byte) []byte {
	out = append(out, "HTTP/1.1"...)
	out = append(out, b[8:h.startEnd]...)
	return append(out, "\r\n"...)
}

// dropsFraming also drops what describes the body that is not sent.
func dropsFraming(b []byte, drop func(field) bool) func(field) bool {
	return func(f field) bool {
		switch f.kind {
		case lengthField, encodingField, trailerField:
			return true
		}
		return drop != nil && drop(f) || f.kind == other && equalFold(f.nameOf(b), "content-encoding")
	}
}

// appendInterim writes a 1xx head.
func (h *head) appendInterim(out, b []byte) []byte {
	out = h.appendFields(h.appendStart(out, b), b, nil)
	return append(out, "\r\n"...)
}

// appendStatus writes a status line of our own.
func appendStatus(out []byte, status int) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(status)...)
	return append(out, "\r\n"...)
}
