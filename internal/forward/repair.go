package forward

import "net/http"

// Answers that no receiver reads in two ways are passed on although they are malformed, as others do: what is wrong with
// them is not. Requests have no such leave.

// answerField takes a line of a response. It lets go of white space before the colon (RFC 9112, 5.1), of folding (5.2) and of
// lines that are no fields, and makes one of several equal lengths (RFC 9110, 8.6).
func (h *head) answerField(b []byte, from, to int) error {
	if b[from] == ' ' || b[from] == '\t' {
		return h.fold(b, from, to)
	}
	name := from
	for name < to && isTokenChar(b[name]) {
		name++
	}
	colon := name
	for colon < to && (b[colon] == ' ' || b[colon] == '\t') {
		colon++
	}
	h.repaired = h.repaired || colon > name
	if name == from || colon == to || b[colon] != ':' {
		return h.drop()
	}
	f := fieldAt(b, from, name, colon+1, to)
	switch {
	case !isPassable(f.valueOf(b)):
		return malformed("the value of field %q has a control character", f.nameOf(b))
	case f.kind == lengthField:
		return h.answerLength(b, f)
	case f.kind == encodingField && equalFold(f.valueOf(b), "identity"): // of RFC 2616; it changes nothing
		return h.drop()
	}
	h.dropped = false
	return h.add(b, f)
}

// drop lets go of a line, and of what is folded into it.
func (h *head) drop() error {
	h.repaired, h.dropped = true, true
	return nil
}

// fold adds a line to the value of the field before it. Fields that matter to forwarding may not be folded.
func (h *head) fold(b []byte, from, to int) error {
	h.repaired = true
	if h.dropped {
		return nil
	}
	if len(h.fields) == 0 || h.fields[len(h.fields)-1].kind != other {
		return malformed("a field is folded")
	}
	if !isPassable(b[from:to]) {
		return malformed("a folded line has a control character")
	}
	f := &h.fields[len(h.fields)-1]
	for i := int(f.valueEnd); i < from; i++ {
		b[i] = ' '
	}
	f.valueEnd = int32(int(f.value) + len(trim(b[f.value:to])))
	return nil
}

// answerLength takes a list of one length, and the same length again.
func (h *head) answerLength(b []byte, f field) error {
	first, more := nextItem(f.valueOf(b))
	if len(first) != int(f.valueEnd-f.value) {
		h.repaired = true
		f.valueEnd = f.value + int32(len(first))
	}
	length, ok := parseLength(first)
	for item := []byte(nil); ok && len(more) > 0; {
		item, more = nextItem(more)
		again, valid := parseLength(item)
		ok = valid && again == length
	}
	if !ok || h.hasLength && length != h.length {
		return malformed("the Content-Length is malformed, or there are several")
	}
	if h.hasLength {
		return h.drop()
	}
	h.dropped = false
	return h.add(b, f)
}

// checkResponse judges a complete head of a response. After one that frames a body in two ways, or one where none may be,
// the upstream's connection serves no more.
func (h *head) checkResponse() error {
	interim := h.status < 200 && h.status != http.StatusSwitchingProtocols
	framed := h.chunked || h.length > 0
	switch {
	case interim && framed, h.status == http.StatusSwitchingProtocols && framed:
		return malformed("a response with status %d has a body", h.status)
	case h.bodiless() && framed, h.chunked && h.hasLength:
		h.closes, h.repaired = true, true
	}
	return nil
}

// bodiless says whether a response with this status has neither a body nor fields that frame one (RFC 9110, 8.6).
func (h *head) bodiless() bool { return h.status < 200 || h.status == http.StatusNoContent }

// frames says whether a field of a response frames its body: chunks go before a length (RFC 9112, 6.3), and a coding that
// changes nothing frames nothing.
func (h *head) frames(k kind) bool {
	if h.bodiless() && (h.chunked || h.length > 0) {
		return false
	}
	return h.chunked == (k == encodingField)
}
