package forward

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"strings"
)

// LookBytes is how much of the content of an answer is looked at, packed and unpacked.
const LookBytes = largeBuffer

// Look says what tells a failure that comes with the status of a success: a field of the header, or something in the
// content. Answers of requests in an arm are looked at; others pass as ever.
type Look struct {
	Header []Named // one of them is enough
	// Body says whether it is in the first LookBytes of the content, and whether these tell. Content that is packed with gzip
	// is unpacked before; packed otherwise, it is not looked at. Nil: bodies pass unseen.
	Body func(content []byte) (found, known bool)
}

// looked is what is kept of one answer to be looked at when it is over. The zero value keeps nothing.
type looked struct {
	look    *Look
	found   bool
	sealed  bool // the content is packed in a way that is not known, or does not tell
	packed  bool // with gzip
	chunked bool
	chunks  chunks
	raw     []byte // the beginning of the content, as it came
}

// looks begins to look at an answer with that head. Its body, if there is one, has to be given to keep.
func (d *decision) looks(head header, chunked bool) {
	if d.as.arms == nil || d.as.arms.Look == nil {
		return
	}
	l := d.as.arms.Look
	d.seen = looked{look: l, chunked: chunked, chunks: chunks{padded: true}}
	for _, h := range l.Header {
		if anyValue(head, h.Name, h.Value.matches) {
			d.seen.found = true
		}
	}
	if l.Body == nil || d.seen.found {
		return
	}
	for v := range values(head, "Content-Encoding") {
		switch v = strings.ToLower(strings.TrimSpace(v)); {
		case v == "", v == "identity":
		case (v == "gzip" || v == "x-gzip") && !d.seen.packed:
			d.seen.packed = true
		default:
			d.seen.sealed = true
		}
	}
	if !d.seen.sealed {
		d.seen.raw = d.pool.get(LookBytes)[:0]
	}
}

// wants says whether more of the body is to be kept.
func (l *looked) wants() bool { return l != nil && len(l.raw) < cap(l.raw) }

// keep takes a piece of the body, with the framing that it came with: whole lines of it, and data.
func (l *looked) keep(p []byte) {
	for l.wants() && len(p) > 0 {
		used, content := len(p), true
		if l.chunked {
			var err error
			content = l.chunks.state == inData
			if used, err = l.chunks.step(p, math.MaxInt64); err != nil || used == 0 {
				return
			}
		}
		if content {
			l.raw = append(l.raw, p[:min(used, cap(l.raw)-len(l.raw))]...)
		}
		p = p[used:]
	}
}

// judge says what was found, once the exchange is over.
func (l *looked) judge(x *Exchange, pool *buffers) {
	if l.look == nil {
		return
	}
	if len(l.raw) > 0 && !l.found {
		content := l.raw
		if l.packed {
			packed := content
			content = pool.get(LookBytes)
			defer pool.put(content)
			content = unpack(content, packed)
		}
		var known bool
		l.found, known = l.look.Body(content)
		l.sealed = l.sealed || !l.found && (!known || len(content) == 0)
	}
	x.Found, x.Sealed = l.found, l.sealed
	if l.raw != nil {
		pool.put(l.raw)
	}
	*l = looked{}
}

// unpack gives as much of what is packed as there is, and has room.
func unpack(room, packed []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	n, _ := io.ReadFull(r, room) // it ends early where the packed bytes do
	return room[:n]
}

// given is the header of an answer that the proxy gives itself.
type given []Field

func (g given) field(name string, n int) (value string, next int, ok bool) {
	for ; n < len(g); n++ {
		if strings.EqualFold(g[n].Name, name) {
			return g[n].Value, n + 1, true
		}
	}
	return "", n, false
}
