package forward_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"golang.org/x/net/http2"

	"mishap/internal/forward"
)

// TestResetCodesPassThrough resets streams with every code of RFC 9113, 7, and with one that it does not know.
func TestResetCodesPassThrough(t *testing.T) {
	addr, _ := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		m, ok := f.(*http2.MetaHeadersFrame)
		if !ok {
			return
		}
		var code http2.ErrCode
		where := ""
		_, _ = fmt.Sscanf(m.PseudoValue("path"), "/%d/%s", &code, &where)
		if where == "body" {
			p.head(m.StreamID, false, ":status", "200", "content-length", "10")
			p.say(m.StreamID, false, "12345")
		}
		p.reset(m.StreamID, code)
	}, nil)
	r := start(t, addr)
	for _, code := range []http2.ErrCode{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0xff} {
		// net/http does not use a connection again on which PROTOCOL_ERROR was said.
		if _, err := askOn(t.Context(), direct(t, r.addr), fmt.Sprintf("/%d/head", code), nil); codeOf(err) != code {
			t.Errorf("%v in place of a head reached the client as %v", code, err)
		}
		res, err := askOn(t.Context(), direct(t, r.addr), fmt.Sprintf("/%d/body", code), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(res.Body); codeOf(err) != code || string(got) != "12345" {
			t.Errorf("%v in a body reached the client as %v after %q", code, err, got)
		}
		for range 2 {
			if x := r.exchange(); x.Failure != forward.UpstreamGone {
				t.Errorf("observed %+v", x)
			}
		}
	}
}

func TestACancelReachesTheUpstreamAsCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	codes := make(chan http2.ErrCode, 1)
	addr, _ := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			p.head(f.StreamID, false, ":status", "200")
			cancel()
		case *http2.RSTStreamFrame:
			codes <- f.ErrCode
		}
	}, nil)
	r := start(t, addr)
	if res, err := askOn(ctx, direct(t, r.addr), "/", nil); err == nil {
		_, _ = io.ReadAll(res.Body)
	}
	if code := <-codes; code != http2.ErrCodeCancel {
		t.Errorf("the upstream saw %v", code)
	}
}

// TestAnAnswerBeforeTheEndOfTheRequestIsWhole resets the rest of the request with NO_ERROR (RFC 9113, 8.1).
func TestAnAnswerBeforeTheEndOfTheRequestIsWhole(t *testing.T) {
	addr, _ := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		if m, ok := f.(*http2.MetaHeadersFrame); ok {
			p.head(m.StreamID, false, ":status", "413", "content-length", "9")
			p.say(m.StreamID, true, "too large")
			p.reset(m.StreamID, http2.ErrCodeNo)
		}
	}, nil)
	r := start(t, addr)
	res, err := askOn(t.Context(), direct(t, r.addr), "/", io.LimitReader(pattern{}, 8<<20))
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, res); res.StatusCode != 413 || got != "too large" {
		t.Errorf("got %d %q", res.StatusCode, got)
	}
}

// TestAGRPCCallWhoseConnectionEndsIsUnavailable also holds where the head of the answer has gone already.
func TestAGRPCCallWhoseConnectionEndsIsUnavailable(t *testing.T) {
	addr, _ := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		if m, ok := f.(*http2.MetaHeadersFrame); ok {
			p.head(m.StreamID, false, ":status", "200", "content-type", "application/grpc")
			p.say(m.StreamID, false, string(frame("one")))
			p.Close()
		}
	}, nil)
	r := start(t, addr)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	_, res := call(t, &http.Client{Transport: &http.Transport{Protocols: protocols}}, "http://"+r.addr+"/shop.Cart/Watch")
	if got := text(t, res); got != string(frame("one")) || res.Trailer.Get("Grpc-Status") != "14" {
		t.Errorf("got %q with trailer %v", got, res.Trailer)
	}
	if x := r.exchange(); x.Failure != forward.UpstreamGone || x.GRPC != 14 {
		t.Errorf("observed %+v", x)
	}
}

// TestHeldUploadsTakeNothingFromOthers holds more of some uploads than net/http's window of a connection, and sends others.
func TestHeldUploadsTakeNothingFromOthers(t *testing.T) {
	var server *forward.Server
	r, client := rigFor(t, "http2", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}, func(s *forward.Server) { server = s })
	client.Timeout = 0
	held := r.put(forward.Rule{Match: forward.Match{Path: forward.Exact("/slow")}, Before: constant(forward.MaxDelay)})
	const size, uploads = 200_000, 120
	send := func(path string) {
		res, err := client.Post("http://"+r.addr+path, "application/octet-stream", io.LimitReader(pattern{}, size))
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		if got := text(t, res); got != fmt.Sprint(size) {
			t.Errorf("%s got %s", path, got)
		}
	}
	send("/fast") // and all are on one connection
	var slow, fast sync.WaitGroup
	for range uploads {
		slow.Go(func() { send("/slow") })
	}
	eventually(t, "all held uploads have come", func() bool { return server.Unread() == uploads*size })
	for range 20 {
		fast.Go(func() { send("/fast") })
	}
	fast.Wait()
	r.board.Remove(held)
	slow.Wait()
	r.stop()
	if n := server.Unread(); n != 0 {
		t.Errorf("%d bytes are still counted as waiting", n)
	}
}

// TestAnswersThatNobodyReadsTakeNothingFromOthers leaves answers of many megabytes unread.
func TestAnswersThatNobodyReadsTakeNothingFromOthers(t *testing.T) {
	r, _ := rigFor(t, "http2", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			_, _ = io.Copy(w, io.LimitReader(pattern{}, 16<<20))
		}
		_, _ = io.WriteString(w, "ok")
	})
	c := direct(t, r.addr)
	for range 40 {
		res, err := askOn(t.Context(), c, "/large", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
	}
	for range 10 {
		res, err := askOn(t.Context(), c, "/small", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, res); got != "ok" {
			t.Errorf("got %q", got)
		}
	}
}

// cut is a connection that gives one byte at a time.
type cut struct {
	net.Conn
	in io.Reader
}

func (c cut) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c cut) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// TestFramesAreFoundHoweverTheBytesAreCut also has a header block of many frames, and a field that is named as ours.
func TestFramesAreFoundHoweverTheBytesAreCut(t *testing.T) {
	addr, _ := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		if m, ok := f.(*http2.MetaHeadersFrame); ok {
			own := ""
			for _, h := range m.RegularFields() {
				if strings.EqualFold(h.Name, "Mishap-Stream") {
					own += h.Value
				}
			}
			if own != "the client's" {
				t.Errorf("the upstream saw the field %q", own)
			}
			p.reset(m.StreamID, http2.ErrCodeEnhanceYourCalm)
		}
	}, nil)
	r := start(t, addr)
	c := directOver(t, r.addr, func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return cut{conn, iotest.OneByteReader(conn)}, err
	})
	for i := range 3 {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.example/", nil)
		req.Header.Set("X-Long", strings.Repeat("x", i*20_000))
		req.Header.Set("Mishap-Stream", "the client's")
		if _, err := c.RoundTrip(req); codeOf(err) != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("the client saw %v", err)
		}
	}
}
