package differential

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is one end of an HTTP/2 connection of which a test writes each frame, so that it can say what is legal and odd.
type peer struct {
	net.Conn
	frames  *http2.Framer
	acks    int          // of our settings, so far; of the goroutine that reads
	open    atomic.Int64 // streams, where a script counts them
	mu      sync.Mutex   // over what is written, and the table of the encoder
	encoded bytes.Buffer
	encoder *hpack.Encoder
}

func newPeer(c net.Conn) *peer {
	p := &peer{Conn: c, frames: http2.NewFramer(c, c)}
	p.frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.frames.MaxHeaderListSize = 1 << 20
	p.frames.AllowIllegalWrites = true
	p.encoder = hpack.NewEncoder(&p.encoded)
	return p
}

// do writes while nobody else does.
func (p *peer) do(write func(*http2.Framer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	write(p.frames)
}

// block encodes fields, given as name and value in turns.
func (p *peer) block(fields []string) []byte {
	p.encoded.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = p.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return slices.Clone(p.encoded.Bytes())
}

// head writes a head, in pieces of a frame if it is large.
func (p *peer) head(stream uint32, end bool, fields ...string) {
	p.do(func(f *http2.Framer) {
		b := p.block(fields)
		n := min(len(b), 16000)
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b[:n], EndStream: end, EndHeaders: n == len(b)})
		for b = b[n:]; len(b) > 0; b = b[n:] {
			n = min(len(b), 16000)
			_ = f.WriteContinuation(stream, n == len(b), b[:n])
		}
	})
}

func (p *peer) data(stream uint32, end bool, text string) {
	p.do(func(f *http2.Framer) { _ = f.WriteData(stream, end, []byte(text)) })
}

func (p *peer) reset(stream uint32, code http2.ErrCode) {
	p.do(func(f *http2.Framer) { _ = f.WriteRSTStream(stream, code) })
}

func (p *peer) goaway(last uint32, code http2.ErrCode) {
	p.do(func(f *http2.Framer) { _ = f.WriteGoAway(last, code, nil) })
}

// read gives the next frame, and answers what every end must answer.
func (p *peer) read() (http2.Frame, error) {
	frame, err := p.frames.ReadFrame()
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			p.acks++
		} else {
			p.do(func(f *http2.Framer) { _ = f.WriteSettingsAck() })
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			p.do(func(out *http2.Framer) { _ = out.WritePing(true, f.Data) })
		}
	case *http2.DataFrame:
		if n := len(f.Data()); n > 0 {
			p.do(func(out *http2.Framer) {
				_ = out.WriteWindowUpdate(0, uint32(n))
				_ = out.WriteWindowUpdate(f.StreamID, uint32(n))
			})
		}
	}
	return frame, err
}

// request is what a scripted server is asked.
type request struct {
	stream uint32
	path   string
	nth    int // of the connection's requests, from 1 on
}

// server is a scripted HTTP/2 server. answer is called in the order of the requests' heads.
func (b *bed) server(settings []http2.Setting, answer func(*peer, request)) string {
	return b.listen(func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		p := newPeer(c)
		p.do(func(f *http2.Framer) { _ = f.WriteSettings(settings...) })
		for nth := 0; ; {
			frame, err := p.read()
			if err != nil {
				return
			}
			if f, ok := frame.(*http2.MetaHeadersFrame); ok {
				nth++
				answer(p, request{f.StreamID, f.PseudoValue("path"), nth})
			}
		}
	})
}

// fine answers as every server would.
func (p *peer) fine(r request) {
	p.head(r.stream, false, ":status", "200")
	p.data(r.stream, true, "fine")
}

// told is what a client is told on one stream, in words.
type told struct {
	heads, trailers []string
	body            int
	end             string
}

func (t *told) String() string {
	return strings.Join(append(t.heads, fmt.Sprintf("body %d", t.body), strings.Join(t.trailers, ","), t.end), " ")
}

// exactly asks for paths, one after another on one connection while it lasts, and gives what it is told in frames: path → what.
func (b *bed) exactly(address string, method string, body int, paths ...string) outcome {
	o := outcome{}
	var p *peer
	var stream uint32
	for _, path := range paths {
		if p == nil {
			c, err := net.Dial("tcp", address)
			if err != nil {
				o.add(path + ": " + kind(err))
				continue
			}
			defer c.Close()
			_, _ = io.WriteString(c, http2.ClientPreface)
			p, stream = newPeer(c), 1
			p.do(func(f *http2.Framer) { _ = f.WriteSettings() })
		}
		t, err := p.ask(stream, method, path, body)
		stream += 2
		if err != nil {
			t.end, p = "connection lost", nil
		}
		o.add(path + ": " + t.String())
	}
	return o
}

// ask sends one request and reads until its stream ends.
func (p *peer) ask(stream uint32, method, path string, body int) (t told, err error) {
	p.head(stream, body == 0, ":method", method, ":scheme", "http", ":authority", "a.example", ":path", path, "te", "trailers")
	if body > 0 {
		p.data(stream, true, strings.Repeat("x", body))
	}
	for {
		frame, err := p.read()
		if err != nil {
			return t, err
		}
		if frame.Header().StreamID != stream {
			continue
		}
		ended := false
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			ended = f.StreamEnded()
			said := strings.Join(known(f.RegularFields()), ",")
			if status := f.PseudoValue("status"); status != "" {
				t.heads = append(t.heads, status+said)
			} else {
				t.trailers = append(t.trailers, said)
			}
		case *http2.DataFrame:
			t.body += len(f.Data())
			ended = f.StreamEnded()
		case *http2.RSTStreamFrame:
			t.end = "reset " + f.ErrCode.String()
			return t, nil
		}
		if ended {
			t.end = "ended"
			return t, nil
		}
	}
}

// known are the fields that a test sends on purpose.
func known(fields []hpack.HeaderField) (names []string) {
	for _, f := range fields {
		if f.Name != "x-content-type-options" && strings.HasPrefix(f.Name, "x-") || strings.HasPrefix(f.Name, "grpc-") {
			names = append(names, fmt.Sprintf("%s=%.20s(%d)", f.Name, f.Value, len(f.Value)))
		}
	}
	slices.Sort(names)
	return names
}
