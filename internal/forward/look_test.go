package forward_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"mishap/internal/forward"
)

// seek looks for a text in bodies and for a header.
func seek() *forward.Look {
	return &forward.Look{
		Header: []forward.Named{{Name: "x-fallback", Value: forward.Exact("1")}},
		Body: func(content []byte) (found, known bool) {
			return bytes.Contains(content, []byte("needle")), !bytes.Contains(content, []byte("torn"))
		},
	}
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// TestAnswersOfBothArmsAreLookedAt: whatever the framing and the version, up to the bound, and what passes is what came.
func TestAnswersOfBothArmsAreLookedAt(t *testing.T) {
	hay := strings.Repeat("hay ", forward.LookBytes/4-4)
	large := strings.Repeat("hay ", 10_000) + "needle" + strings.Repeat(hay, 8)
	for name, c := range map[string]struct {
		header, body  string // header: NAME=VALUE
		pieces        bool   // sent in pieces, without a length
		found, sealed bool
	}{
		"nothing there":               {body: "hay"},
		"no body":                     {},
		"in the body":                 {body: "a needle", found: true},
		"in pieces":                   {body: "a nee" + "dle", pieces: true, found: true},
		"at the end of the bound":     {body: hay + "needle", found: true},
		"in pieces, at the end of it": {body: hay[:len(hay)-4096] + "needle", pieces: true, found: true},
		"beyond it":                   {body: hay + hay + "needle" + hay},
		"much behind it":              {body: "needle" + strings.Repeat(hay, 20), found: true},
		"in what the kernel may move": {header: fmt.Sprint("Content-Length=", len(large)), body: large, pieces: true, found: true},
		"packed":                      {header: "Content-Encoding=gzip", body: packed("a needle"), found: true},
		"packed in pieces":            {header: "Content-Encoding=gzip", body: packed("a needle"), pieces: true, found: true},
		"packed, beyond the bound":    {header: "Content-Encoding=gzip", body: packed(hay + hay + "needle")},
		"said to be packed":           {header: "Content-Encoding=gzip", body: "a needle", sealed: true},
		"it does not tell":            {body: "torn", sealed: true},
		"packed otherwise":            {header: "Content-Encoding=br", body: "a needle", sealed: true},
		"packed twice":                {header: "Content-Encoding=gzip, gzip", body: packed("a needle"), sealed: true},
		"a header":                    {header: "X-Fallback=1", body: "hay", found: true},
		"another value of it":         {header: "X-Fallback=0", body: "hay"},
	} {
		for _, version := range []string{"http1", "http2"} {
			t.Run(name+" "+version, func(t *testing.T) {
				r, client := rigFor(t, version, func(w http.ResponseWriter, _ *http.Request) {
					if k, v, ok := strings.Cut(c.header, "="); ok {
						w.Header().Set(k, v)
					}
					rest := c.body
					for c.pieces && len(rest) > 3 {
						_, _ = io.WriteString(w, rest[:len(rest)/2])
						rest = rest[len(rest)/2:]
						_ = http.NewResponseController(w).Flush()
					}
					_, _ = io.WriteString(w, rest)
				})
				rule := armsRule(t, .3, nil)
				rule.Arms.Look = seek()
				r.put(rule)
				for _, arm := range []forward.Arm{forward.Control, forward.Experiment} {
					if status, got := askWith(t, client, r.addr, "X-User", userIn(t, rule, arm)); status != 200 || got != c.body {
						t.Fatalf("the client got %d and %d bytes of %d", status, len(got), len(c.body))
					}
					if x := r.exchange(); x.Found != c.found || x.Sealed != c.sealed {
						t.Errorf("found %v, sealed %v", x.Found, x.Sealed)
					}
				}
				if _, got := askWith(t, client, r.addr, "X-User", userIn(t, rule, forward.NoArm)); got != c.body || r.exchange().Found {
					t.Error("one in neither arm was looked at")
				}
			})
		}
	}
}

// TestWhatAFaultAnswersIsLookedAtToo: the user gets it.
func TestWhatAFaultAnswersIsLookedAtToo(t *testing.T) {
	for name, fault := range map[string]forward.Rule{
		"an answer":           {Reply: &forward.Reply{Status: 200, Body: []byte("a needle")}},
		"a header of it":      {Reply: &forward.Reply{Status: 200, Header: []forward.Field{{Name: "X-Fallback", Value: "1"}}}},
		"another body":        {ReplaceBody: []byte("a needle")},
		"a body slowed down":  {Rate: 1 << 20, Match: forward.Match{Path: forward.Exact("/slow")}},
		"a call that it ends": {GRPC: &forward.GRPCStatus{Code: 14, Message: "x"}},
	} {
		for _, version := range []string{"http1", "http2"} {
			r, client := rigFor(t, version, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", map[bool]string{true: "identity", false: "br"}[r.URL.Path == "/slow"])
				_, _ = io.WriteString(w, map[bool]string{true: "needle", false: "hay"}[r.URL.Path == "/slow"])
			})
			rule := armsRule(t, .3, nil)
			rule.Arms.Look = seek()
			r.put(rule)
			r.put(fault)
			req, _ := http.NewRequest(http.MethodGet, "http://"+r.addr+"/slow", nil)
			req.Header.Set("X-User", userIn(t, rule, forward.Experiment))
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if x := r.exchange(); x.Found != (fault.GRPC == nil) || x.Sealed {
				t.Errorf("%s, %s: found %v, sealed %v", name, version, x.Found, x.Sealed)
			}
		}
	}
}

// TestABodyThatNobodyLooksAtIsNotKept: without a rule for bodies no buffer is taken, and the kernel moves what it can.
func TestABodyThatNobodyLooksAtIsNotKept(t *testing.T) {
	for _, look := range []*forward.Look{nil, {Header: seek().Header}} {
		if n := forward.Kept(look, "some content"); n != 0 {
			t.Errorf("%d bytes were kept", n)
		}
	}
	if n := forward.Kept(seek(), strings.Repeat("x", 2*forward.LookBytes)); n != forward.LookBytes {
		t.Errorf("%d bytes were kept, the bound is %d", n, forward.LookBytes)
	}
}
