package forward_test

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// sayHead sends the head of a request on a new connection, with nothing behind it, and gives the status of the answer, or
// the code of the reset.
func sayHead(t *testing.T, addr string, ends bool, fields ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	f := http2.NewFramer(conn, conn)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	_ = f.WriteSettings()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: ends})
	for {
		got, err := f.ReadFrame()
		if err != nil {
			return err.Error()
		}
		switch got := got.(type) {
		case *http2.MetaHeadersFrame:
			return got.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return got.ErrCode.String()
		case *http2.GoAwayFrame:
			return got.ErrCode.String()
		}
	}
}

// TestMalformedRequestsOfHTTP2NeverReachTheUpstream has heads that can be read in two ways, or would have to be repaired
// (RFC 9113, 8.1.1, 8.2 and 8.3.1), and their neighbours that are well-formed.
func TestMalformedRequestsOfHTTP2NeverReachTheUpstream(t *testing.T) {
	addr, _ := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		if m, ok := f.(*http2.MetaHeadersFrame); ok {
			said := "target " + m.PseudoValue("path") + ", host " + m.PseudoValue("authority")
			p.head(m.StreamID, true, ":status", "299", "said", said)
		}
	}, nil)
	r := start(t, addr)
	head := func(method, path, authority string, more ...string) []string {
		return append([]string{":method", method, ":scheme", "http", ":path", path, ":authority", authority}, more...)
	}
	const upstreams = "299"
	cases := []struct {
		name, want string
		open       bool // the body has not ended
		fields     []string
	}{
		{"well-formed", upstreams, false, head("GET", "/x", "a.example")},
		{"OPTIONS * is answered by the upstream", upstreams, false, head("OPTIONS", "*", "a.example")},
		{"* of another method", "400", false, head("GET", "*", "a.example")},
		{"a target with a scheme", "400", false, head("GET", "http://evil/x", "a.example")},
		{"a target without a slash", "PROTOCOL_ERROR", false, head("GET", "x", "a.example")},
		{"a target with a space", "400", false, head("GET", "/x HTTP/1.1", "a.example")},
		{"a target with CR LF", "PROTOCOL_ERROR", false, head("GET", "/x\r\nEvil: 1", "a.example")},
		{"no host", "400", false, head("GET", "/x", "")},
		{"host alone", upstreams, false, []string{":method", "GET", ":scheme", "http", ":path", "/x", "host", "a.example"}},
		{"host as :authority", upstreams, false, head("GET", "/x", "a.example", "host", "A.example:80")},
		{"host beside another :authority", "400", false, head("GET", "/x", "a.example", "host", "b.example")},
		{"two hosts", "400", false, []string{":method", "GET", ":scheme", "http", ":path", "/x", "host", "a.example", "host", "b.example"}},
		{"two lengths", "400", true, head("POST", "/x", "a.example", "content-length", "2", "content-length", "3")},
		{"one length twice", upstreams, true, head("POST", "/x", "a.example", "content-length", "2", "content-length", "2")},
		{"a length that is none", "400", true, head("POST", "/x", "a.example", "content-length", "+2")},
		{"a length of no body", "400", false, head("GET", "/x", "a.example", "content-length", "5")},
		{"no length of no body", upstreams, false, head("GET", "/x", "a.example", "content-length", "0")},
		{"fields of a hop", "400", false, head("GET", "/x", "a.example", "connection", "x-y")},
		{"chunks", "400", true, head("POST", "/x", "a.example", "transfer-encoding", "chunked")},
		{"TE", "400", false, head("GET", "/x", "a.example", "te", "gzip")},
		{"CR LF in a value", "PROTOCOL_ERROR", false, head("GET", "/x", "a.example", "x", "1\r\nEvil: 1")},
		{"upper case in a name", "PROTOCOL_ERROR", false, head("GET", "/x", "a.example", "X-Y", "1")},
		{"a pseudo-field behind others", "PROTOCOL_ERROR", false, head("GET", "/x", "a.example", "x", "1", ":path", "/evil")},
		{"a field named as ours", upstreams, false, head("GET", "/x", "a.example", "mishap-stream", "7")},
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			if got := sayHead(t, r.addr, !c.open, c.fields...); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestALengthOfNoContentIsTakenOut has an upstream that tells of a length of a 204, which must have none.
func TestALengthOfNoContentIsTakenOut(t *testing.T) {
	addr, _ := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		if m, ok := f.(*http2.MetaHeadersFrame); ok {
			p.head(m.StreamID, true, ":status", "204", "content-length", "5")
		}
	}, nil)
	r := start(t, addr)
	res, err := askOn(t.Context(), direct(t, r.addr), "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil || res.Header.Get("Content-Length") != "" {
		t.Errorf("status %d, length %q, %v", res.StatusCode, res.Header.Get("Content-Length"), err)
	}
}
