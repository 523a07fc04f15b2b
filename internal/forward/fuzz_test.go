package forward_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"

	"mishap/internal/forward"
)

// FuzzRequestHead compares with net/http: of what both take, they understand the same; and pieces make no difference.
func FuzzRequestHead(f *testing.F) {
	for _, s := range []string{
		head("GET / HTTP/1.1", "Host: a"), head("POST /x?y HTTP/1.1", "Host: a", "Content-Length: 5") + "hello",
		head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "0\r\n\r\n", head("GET http://a/ HTTP/1.1", "Host: a"),
		head("OPTIONS * HTTP/1.0", "Connection: close, x"), head("GET / HTTP/1.1", "Host: a", "X: \xff", "Y:\t"),
		"GET / HTTP/1.1\nHost: a\n\n", head("GET / HTTP/1.1", "Host: a", " folded"),
	} {
		f.Add([]byte(s), uint8(7))
	}
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		size, method, target, host, length, chunked, err := forward.ParseRequest(b, len(b)+1)
		size2, method2, target2, host2, length2, chunked2, err2 := forward.ParseRequest(b, int(piece)+1)
		if (err == nil) != (err2 == nil) || size != size2 || method != method2 || target != target2 || host != host2 ||
			length != length2 || chunked != chunked2 {
			t.Fatalf("pieces make a difference: %v and %v", err, err2)
		}
		if err != nil {
			return
		}
		if bytes.Count(b[:size], []byte("\n")) != bytes.Count(b[:size], []byte("\r\n")) || bytes.IndexByte(b[:size], 0) >= 0 {
			t.Fatal("a bare LF or a NUL went through")
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		if req.Method != method || req.RequestURI != target || !strings.EqualFold(req.Host, host) && !strings.Contains(target, "://") {
			t.Errorf("net/http read %q %q %q, we %q %q %q", req.Method, req.RequestURI, req.Host, method, target, host)
		}
		if theirs := len(req.TransferEncoding) > 0; theirs != chunked {
			t.Errorf("net/http found chunks: %v, we: %v", theirs, chunked)
		}
		if !chunked && req.ContentLength != length {
			t.Errorf("net/http read length %d, we %d", req.ContentLength, length)
		}
	})
}

// FuzzResponseHead compares with net/http too.
func FuzzResponseHead(f *testing.F) {
	for _, s := range []string{okAnswer, head("HTTP/1.0 200"), head("HTTP/1.1 304 Not", "Content-Length: 9"),
		head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), head("HTTP/1.1 101 X", "Upgrade: y")} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		size, status, length, chunked, err := forward.ParseResponse(b)
		if err != nil {
			return
		}
		if bytes.Count(b[:size], []byte("\n")) != bytes.Count(b[:size], []byte("\r\n")) || bytes.IndexByte(b[:size], 0) >= 0 {
			t.Fatal("a bare LF or a NUL went through")
		}
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil {
			return
		}
		if res.StatusCode != status || len(res.TransferEncoding) > 0 != chunked && status != 304 {
			t.Errorf("net/http read %d %v, we %d %v", res.StatusCode, res.TransferEncoding, status, chunked)
		}
		if status >= 200 && status != 204 && status != 304 && !chunked && res.ContentLength >= 0 && res.ContentLength != length {
			t.Errorf("net/http read length %d, we %d", res.ContentLength, length)
		}
	})
}

// FuzzChunks compares the content of what goes through with what net/http reads from it.
func FuzzChunks(f *testing.F) {
	for _, s := range []string{"0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n", "00a\r\n0123456789\r\n0\r\n\r\nrest", "1\nx\r\n0\r\n\r\n",
		"fffffffffffffffff\r\n", "2\r\nabc\r\n"} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		passed, content, whole, err := forward.Chunks(b, len(b)+1)
		passed2, content2, whole2, err2 := forward.Chunks(b, int(piece)+1)
		if whole != whole2 || (err == nil) != (err2 == nil) || err == nil && (passed != passed2 || content != content2) {
			t.Fatalf("pieces make a difference: %d %d %v %v and %d %d %v %v", passed, content, whole, err, passed2, content2, whole2, err2)
		}
		if err != nil || !whole {
			return
		}
		theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(b[:passed])))
		if err == nil && int64(len(theirs)) != content {
			t.Errorf("net/http read %d bytes, we %d", len(theirs), content)
		}
		if err != nil && !strings.Contains(err.Error(), "excess") && !strings.Contains(err.Error(), "too long") {
			t.Errorf("net/http refused what went through: %v", err)
		}
	})
}

// FuzzBaggage holds an edited field to what it promises: ours are there once, the others as they came and in order, and
// nothing that a receiver could take for ours.
func FuzzBaggage(f *testing.F) {
	const own = "mishap.run=r,mishap.arm=control,mishap.token=t"
	for _, s := range []string{"", "a=1", "a=1,b=2;p;q=3", "mishap.run=x, a", ",,= ,mishap%2erun", "%", "%6", "a=%zz", "MISHAP.x=1\n a=1", ";;;", "%256dishap.run=1"} {
		f.Add(s, "c=d")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		fields := []string{one, two}
		stripped := forward.EditBaggage("", fields)
		if forward.HasOwn([]string{stripped}) {
			t.Fatalf("%q still has ours: %q", fields, stripped)
		}
		if again := forward.EditBaggage("", []string{stripped}); again != stripped {
			t.Fatalf("stripping again changed %q to %q", stripped, again)
		}
		edited := forward.EditBaggage(own, fields)
		if run, arm, has := forward.ReadMembership([]string{edited}, "t"); run != "r" || arm != forward.Control || !has {
			t.Fatalf("%q says run %q, arm %q, token %v", edited, run, arm, has)
		}
		want := own
		if stripped != "" {
			want += "," + stripped
		}
		if edited != want {
			t.Fatalf("edited %q, want %q", edited, want)
		}
		for member := range strings.SplitSeq(stripped, ",") {
			key, _, _ := strings.Cut(member, "=")
			if strings.HasPrefix(strings.TrimSpace(strings.ToLower(forward.Unescape(key))), "mishap.") {
				t.Fatalf("member %q could be taken for ours", member)
			}
		}
	})
}
