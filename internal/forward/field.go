package forward

import (
	"bytes"
	"net/http"
)

// field parses one field line (RFC 9112, 5). It refuses white space before the colon and folded lines.
func (h *head) field(b []byte, from, to int) error {
	f, err := parseField(b, from, to)
	if err != nil {
		return err
	}
	return h.add(b, f)
}

func (h *head) add(b []byte, f field) error {
	if len(h.fields) == maxFields {
		return refuse(http.StatusRequestHeaderFieldsTooLarge, "the head has more than %d fields", maxFields)
	}
	h.fields = append(h.fields, f)
	if f.kind == other {
		return nil
	}
	return h.note(b, f)
}

// parseField splits a line without its CRLF.
func parseField(b []byte, from, to int) (field, error) {
	colon := from
	for colon < to && isTokenChar(b[colon]) {
		colon++
	}
	if colon == from || colon == to || b[colon] != ':' {
		return field{}, malformed("a field name is malformed")
	}
	f := fieldAt(b, from, colon, colon+1, to)
	if !isText(f.valueOf(b)) {
		return field{}, malformed("the value of field %q has a control character", b[from:colon])
	}
	return f, nil
}

// fieldAt is the field whose name ends before name, and whose value, with white space around it, lies from value to to.
func fieldAt(b []byte, from, name, value, to int) field {
	end := to
	for value < end && (b[value] == ' ' || b[value] == '\t') {
		value++
	}
	for end > value && (b[end-1] == ' ' || b[end-1] == '\t') {
		end--
	}
	return field{kind: kindOf(b[from:name]), line: int32(from), name: int32(name), value: int32(value),
		valueEnd: int32(end), next: int32(to + 2)}
}

// kindOf looks at the length first: most names are told apart by it.
func kindOf(name []byte) kind {
	switch len(name) {
	case 2:
		return kindIf(name, "te", teField)
	case 4:
		return kindIf(name, "host", hostField)
	case 6:
		return kindIf(name, "expect", expectField)
	case 7:
		if lower(name[0]) == 'u' {
			return kindIf(name, "upgrade", upgradeField)
		}
		return kindIf(name, "trailer", trailerField)
	case 10:
		if lower(name[0]) == 'k' {
			return kindIf(name, "keep-alive", hopField)
		}
		return kindIf(name, "connection", connectionField)
	case 14:
		if lower(name[0]) == 'h' {
			return kindIf(name, "http2-settings", hopField)
		}
		return kindIf(name, "content-length", lengthField)
	case 16:
		return kindIf(name, "proxy-connection", hopField)
	case 17:
		return kindIf(name, "transfer-encoding", encodingField)
	}
	return other
}

func kindIf(name []byte, want string, k kind) kind {
	if equalFold(name, want) {
		return k
	}
	return other
}

// note takes down what a field says about framing and about the connection.
func (h *head) note(b []byte, f field) error {
	value := f.valueOf(b)
	switch f.kind {
	case hostField:
		return h.noteHost(value, f)
	case lengthField:
		return h.noteLength(value)
	case encodingField:
		return h.noteEncoding(value)
	case connectionField:
		return h.noteConnection(value, int(f.value))
	case upgradeField:
		h.upgrade = true
		for item := []byte(nil); len(value) > 0; {
			item, value = nextItem(value)
			h.h2c = h.h2c || equalFold(item, "h2c")
		}
	case expectField:
		if h.response {
			return nil
		}
		if !equalFold(value, "100-continue") {
			return refuse(http.StatusExpectationFailed, "the only expectation known is 100-continue")
		}
		h.continues = true
	case teField:
		for item := []byte(nil); len(value) > 0; {
			item, value = nextItem(value)
			h.trailers = h.trailers || equalFold(item, "trailers")
		}
	}
	return nil
}

func (h *head) noteHost(value []byte, f field) error {
	if h.response {
		return nil
	}
	if h.oneHost {
		return malformed("there is more than one Host")
	}
	if !isHost(value) {
		return malformed("the Host is malformed")
	}
	h.oneHost, h.host = true, f
	return nil
}

// noteLength takes one decimal number and no second field, even of the same value (RFC 9110, 8.6).
func (h *head) noteLength(value []byte) error {
	if h.hasLength {
		return malformed("there is more than one Content-Length")
	}
	length, ok := parseLength(value)
	if !ok {
		return malformed("the Content-Length is malformed")
	}
	h.length, h.hasLength = length, true
	return nil
}

// parseLength reads a decimal number, of which zeros at the beginning count for nothing.
func parseLength(value []byte) (length int64, ok bool) {
	digits := bytes.TrimLeft(value, "0")
	if len(value) == 0 || len(digits) > 18 { // 18 digits fit an int64
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		length = length*10 + int64(c-'0')
	}
	return length, true
}

// noteEncoding takes chunked, once, and nothing else (RFC 9112, 6.1 and 6.3).
func (h *head) noteEncoding(value []byte) error {
	if h.chunked {
		return malformed("there is more than one Transfer-Encoding")
	}
	if equalFold(value, "chunked") {
		h.chunked = true
		return nil
	}
	last := value[bytes.LastIndexByte(value, ',')+1:]
	if equalFold(trim(last), "chunked") {
		return refuse(http.StatusNotImplemented, "no transfer coding but chunked is implemented")
	}
	return malformed("chunked is not the last transfer coding")
}

// noteConnection takes the options, whose fields go no further than this hop (RFC 9110, 7.6.1).
func (h *head) noteConnection(value []byte, at int) error {
	for start := 0; start <= len(value); {
		end := start
		for end < len(value) && value[end] != ',' {
			end++
		}
		item := trim(value[start:end])
		switch {
		case len(item) == 0:
		case equalFold(item, "close"):
			h.closes = true
		case equalFold(item, "keep-alive"):
		case equalFold(item, "upgrade"):
			h.upgrades = true
		case equalFold(item, "te"):
			h.listsTE = true
		case !isToken(item):
			if !h.response { // else it names no field
				return malformed("the Connection is malformed")
			}
		default:
			k := kindOf(item)
			everybodys := k == hostField || k == lengthField || k == encodingField
			if everybodys && !h.response {
				return malformed("the Connection lists %s, which is for everybody", item)
			}
			if everybodys { // and is passed on all the same
				break
			}
			from := at + start + bytes.Index(value[start:end], item)
			h.listed = append(h.listed, span{int32(from), int32(from + len(item))})
		}
		start = end + 1
	}
	return nil
}

// check judges a complete head.
func (h *head) check(b []byte) error {
	switch {
	case h.response:
		return h.checkResponse()
	case h.chunked && h.hasLength:
		return malformed("there are both a Content-Length and a Transfer-Encoding")
	case h.chunked && h.minor == 0:
		return malformed("an HTTP/1.0 message has a Transfer-Encoding")
	case h.minor > 0 && !h.oneHost:
		return malformed("there is no Host")
	}
	return h.checkTarget(b)
}

// checkTarget knows the four forms of a target (RFC 9112, 3.2). In the absolute form the target's host stands, and Host
// must say the same, else two receivers could see two hosts.
func (h *head) checkTarget(b []byte) error {
	method, target := string(b[:h.methodEnd]), b[h.target:h.targetEnd]
	switch {
	case method == http.MethodConnect:
		return refuse(http.StatusNotImplemented, "CONNECT is not implemented")
	case target[0] == '/', string(target) == "*" && method == http.MethodOptions:
		return nil
	}
	authority, _, ok := splitAbsolute(target)
	if !ok || len(authority) == 0 || !isHost(authority) {
		return malformed("the request target is malformed")
	}
	if h.oneHost && !bytes.EqualFold(authority, h.host.valueOf(b)) {
		return malformed("the Host is not the host of the request target")
	}
	return nil
}

// splitAbsolute takes an http or https URI apart. path keeps its query.
func splitAbsolute(target []byte) (authority, path []byte, ok bool) {
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok || !equalFold(scheme, "http") && !equalFold(scheme, "https") {
		return nil, nil, false
	}
	if i := bytes.IndexAny(rest, "/?"); i >= 0 {
		return rest[:i], rest[i:], true
	}
	return rest, nil, true
}
