package forward_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"mishap/internal/forward"
)

// TestAConnectionThatDrainsTakesNoNewStreams lets an upstream end its connections gently, while a stream lives on.
func TestAConnectionThatDrainsTakesNoNewStreams(t *testing.T) {
	first, over := make(chan *peer, 1), make(chan int, 10)
	addr, conns := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		m, ok := f.(*http2.MetaHeadersFrame)
		switch {
		case !ok:
		case m.PseudoValue("path") == "/stays":
			p.head(m.StreamID, false, ":status", "200")
			p.goAway(math.MaxInt32, http2.ErrCodeNo)
			p.goAway(m.StreamID, http2.ErrCodeNo)
			p.say(m.StreamID, false, "begun, ") // whoever has read it knows that the connection drains
			first <- p
		default:
			p.answer(m.StreamID, fmt.Sprint(p.number))
		}
	}, func(p *peer) { over <- p.number })
	r := start(t, addr)
	c := direct(t, r.addr)
	stays, err := askOn(t.Context(), c, "/stays", nil)
	if err != nil {
		t.Fatal(err)
	}
	begun := make([]byte, len("begun, "))
	if _, err := io.ReadFull(stays.Body, begun); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			res, err := askOn(t.Context(), c, "/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			if got := text(t, res); res.StatusCode != 200 || got != "2" {
				t.Errorf("got %d %q, want it from the second connection", res.StatusCode, got)
			}
		})
	}
	all.Wait()
	p := <-first
	p.say(1, true, "ended")
	if got := text(t, stays); got != "ended" {
		t.Errorf("the stream on the old connection ended with %q", got)
	}
	if n := <-over; n != 1 || conns.Load() != 2 {
		t.Errorf("connection %d of %d was closed first, want the drained one of 2", n, conns.Load())
	}
}

// TestWhatAnUpstreamRefusedIsSentAgain refuses the first attempt in each way that RFC 9113, 8.7 allows to repeat.
func TestWhatAnUpstreamRefusedIsSentAgain(t *testing.T) {
	refusals := map[string]func(*peer, uint32){
		"REFUSED_STREAM":            func(p *peer, id uint32) { p.reset(id, http2.ErrCodeRefusedStream) },
		"GOAWAY":                    func(p *peer, _ uint32) { p.goAway(0, http2.ErrCodeNo) },
		"GOAWAY, then closed":       func(p *peer, _ uint32) { p.goAway(0, http2.ErrCodeNo); p.hangUp() },
		"GOAWAY ENHANCE_YOUR_CALM":  func(p *peer, _ uint32) { p.goAway(0, http2.ErrCodeEnhanceYourCalm) },
		"GOAWAY twice, last lower":  func(p *peer, _ uint32) { p.goAway(math.MaxInt32, http2.ErrCodeNo); p.goAway(0, http2.ErrCodeNo) },
		"GOAWAY behind another":     func(p *peer, id uint32) { p.goAway(id-1, http2.ErrCodeNo) },
		"REFUSED_STREAM after body": nil,
	}
	for name, refuse := range refusals {
		for _, body := range []string{"", "small", strings.Repeat("x", forward.MaxReplay)} {
			t.Run(fmt.Sprint(name, " ", len(body)), func(t *testing.T) {
				var refused atomic.Bool
				var mu sync.Mutex
				got := map[string]*bytes.Buffer{}
				addr, _ := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
					mu.Lock()
					defer mu.Unlock()
					key := fmt.Sprint(p.number, " ", f.Header().StreamID)
					ended := false
					switch f := f.(type) {
					case *http2.MetaHeadersFrame:
						got[key], ended = &bytes.Buffer{}, f.StreamEnded()
						if refuse != nil && !refused.Swap(true) {
							delete(got, key)
							refuse(p, f.StreamID)
							return
						}
					case *http2.DataFrame:
						p.take(f)
						if got[key] == nil {
							return // of a stream that was refused
						}
						got[key].Write(f.Data())
						ended = f.StreamEnded()
					}
					switch {
					case ended && refuse == nil && !refused.Swap(true):
						p.reset(f.Header().StreamID, http2.ErrCodeRefusedStream)
					case ended:
						p.answer(f.Header().StreamID, fmt.Sprint(got[key].Len()))
					}
				}, nil)
				r := start(t, addr)
				var send io.Reader
				if body != "" {
					send = strings.NewReader(body)
				}
				res, err := askOn(t.Context(), direct(t, r.addr), "/", send)
				if err != nil {
					t.Fatal(err)
				}
				if answer := text(t, res); res.StatusCode != 200 || answer != fmt.Sprint(len(body)) {
					t.Errorf("got %d with %s bytes, want the %d that were sent", res.StatusCode, answer, len(body))
				}
				if x := r.exchange(); x.Failure != forward.None || x.Sent != int64(len(body)) {
					t.Errorf("observed %+v", x)
				}
			})
		}
	}
}

func TestABodyThatIsLostIsNotSentAgain(t *testing.T) {
	var attempts, came atomic.Int64
	addr, _ := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			attempts.Add(1)
		case *http2.DataFrame:
			p.take(f)
			if came.Add(int64(len(f.Data()))) > 2*forward.MaxReplay {
				p.reset(f.StreamID, http2.ErrCodeRefusedStream)
			}
		}
	}, nil)
	r := start(t, addr)
	_, err := askOn(t.Context(), direct(t, r.addr), "/", bytes.NewReader(make([]byte, 4*forward.MaxReplay)))
	if codeOf(err) != http2.ErrCodeRefusedStream || attempts.Load() != 1 {
		t.Errorf("the client saw %v after %d attempts, want REFUSED_STREAM after one", err, attempts.Load())
	}
}

func TestWhatIsRefusedAgainAndAgainIsRefused(t *testing.T) {
	var attempts atomic.Int64
	addr, _ := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		if m, ok := f.(*http2.MetaHeadersFrame); ok {
			attempts.Add(1)
			p.reset(m.StreamID, http2.ErrCodeRefusedStream)
		}
	}, nil)
	r := start(t, addr)
	_, err := askOn(t.Context(), direct(t, r.addr), "/", nil)
	if codeOf(err) != http2.ErrCodeRefusedStream || attempts.Load() != 1+forward.MaxAgain {
		t.Errorf("the client saw %v after %d attempts", err, attempts.Load())
	}
}

// codeOf is the code with which the peer has reset a stream, 1 << 31 if it has not.
func codeOf(err error) http2.ErrCode {
	var reset http2.StreamError
	if !errors.As(err, &reset) {
		return 1 << 31
	}
	return reset.Code
}

// TestARequestThatManyConnectionsRefuseIsSentUntilOneTakesIt has an upstream whose first connections end before they have
// taken it, as nginx's do when many requests come and each connection is to take few.
func TestARequestThatManyConnectionsRefuseIsSentUntilOneTakesIt(t *testing.T) {
	addr, conns := rawUpstream(t, nil, func(p *peer, f http2.Frame) {
		if m, ok := f.(*http2.MetaHeadersFrame); ok {
			if p.number <= 12 {
				p.goAway(0, http2.ErrCodeNo)
				return
			}
			p.answer(m.StreamID, "taken")
		}
	}, nil)
	r := start(t, addr)
	res, err := askOn(t.Context(), direct(t, r.addr), "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || conns.Load() != 13 {
		t.Errorf("status %d after %d connections", res.StatusCode, conns.Load())
	}
}
