package forward_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"mishap/internal/forward"
)

// TestALimitOfStreamsMakesAnotherConnection has more streams open than the upstream allows on one connection.
func TestALimitOfStreamsMakesAnotherConnection(t *testing.T) {
	const limit, streams = 5, 23
	var mu sync.Mutex
	open := map[int]int{}
	addr, conns := rawUpstream(t, []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: limit}}, func(p *peer, f http2.Frame) {
		if m, ok := f.(*http2.MetaHeadersFrame); ok {
			mu.Lock()
			defer mu.Unlock()
			open[p.number]++
			p.head(m.StreamID, false, ":status", "200")
		}
	}, nil)
	r := start(t, addr)
	c := direct(t, r.addr)
	for range streams {
		if _, err := askOn(t.Context(), c, "/", nil); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for number, n := range open {
		if n > limit {
			t.Errorf("connection %d has %d streams", number, n)
		}
	}
	if n := conns.Load(); n != (streams+limit-1)/limit {
		t.Errorf("%d connections for %d streams", n, streams)
	}
}

// bubble is a forwarder for one client, all in fake time: its clock stands still while anything runs.
type bubble struct {
	client   *http.ClientConn
	observed chan forward.Exchange
	dials    atomic.Int64
}

// inBubble serves a client whose upstream is what dial gives.
func inBubble(t *testing.T, dial func(context.Context) (net.Conn, error), test func(*testing.T, *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{observed: make(chan forward.Exchange, 1000)}
		s := &forward.Server{
			Dial: func(ctx context.Context) (net.Conn, error) {
				b.dials.Add(1)
				return dial(ctx)
			},
			Observe: func(x *forward.Exchange) { b.observed <- *x },
		}
		near, far := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		var tasks sync.WaitGroup
		tasks.Go(func() { s.Serve(ctx, far) })
		b.client = directOver(t, "proxy:80", func(context.Context, string, string) (net.Conn, error) { return near, nil })
		test(t, b)
		b.client.Close()
		cancel()
		tasks.Wait()
	})
}

// TestOneDialServesAllWhoWait has an upstream that does not answer its SYN.
func TestOneDialServesAllWhoWait(t *testing.T) {
	silent := func(ctx context.Context) (net.Conn, error) {
		select {
		case <-time.After(10 * time.Second):
			return nil, errors.New("no answer")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	inBubble(t, silent, func(t *testing.T, b *bubble) {
		begin := time.Now()
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 20 * time.Millisecond)
				res, err := askOn(t.Context(), b.client, "/", nil)
				if err != nil || res.StatusCode != 502 || time.Since(begin) != 10*time.Second {
					t.Errorf("request %d: %v, %v after %v", i, res, err, time.Since(begin))
				}
			})
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := askOn(ctx, b.client, "/", nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a request with a time of its own: %v", err)
			}
			synctest.Wait()
			if x := <-b.observed; x.Failure != forward.ClientGone || x.Total != time.Second {
				t.Errorf("observed %+v", x)
			}
		})
		all.Wait()
		if n := b.dials.Load(); n != 1 {
			t.Errorf("%d dials", n)
		}
	})
}

// queued is a pipe whose writes wait for nobody, as those of a socket.
type queued struct {
	net.Conn
	out chan []byte
}

func newQueued(conn net.Conn) *queued {
	q := &queued{conn, make(chan []byte, 1000)}
	go func() {
		for b := range q.out {
			if _, err := conn.Write(b); err != nil {
				return
			}
		}
	}()
	return q
}

// Write queues what is written.
func (q *queued) Write(p []byte) (int, error) {
	q.out <- bytes.Clone(p)
	return len(p), nil
}

// limited gives an upstream that allows as many streams as its settings say, and answers nothing.
func limited(limit uint32, at chan *peer) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			q := newQueued(far)
			defer close(q.out)
			p := newPeer(q, 1)
			at <- p
			p.serve([]http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: limit}}, func(p *peer, f http2.Frame) {
				if m, ok := f.(*http2.MetaHeadersFrame); ok {
					p.answer(m.StreamID, "ok")
				}
			})
		}()
		return near, nil
	}
}

// TestALimitOfNoStreamsIsNoSilentHang refuses, safe to repeat, what an upstream has had no place for in ten seconds.
func TestALimitOfNoStreamsIsNoSilentHang(t *testing.T) {
	inBubble(t, limited(0, make(chan *peer, 10)), func(t *testing.T, b *bubble) {
		begin := time.Now()
		_, err := askOn(t.Context(), b.client, "/", nil)
		if codeOf(err) != http2.ErrCodeRefusedStream || time.Since(begin) != 10*time.Second || b.dials.Load() != 1 {
			t.Errorf("the client saw %v after %v and %d dials", err, time.Since(begin), b.dials.Load())
		}
		if x := <-b.observed; x.Failure != forward.UpstreamFull {
			t.Errorf("observed %+v", x)
		}
	})
}

// TestALimitThatIsRaisedLetsRequestsGo raises it while a request waits.
func TestALimitThatIsRaisedLetsRequestsGo(t *testing.T) {
	at := make(chan *peer, 10)
	inBubble(t, limited(0, at), func(t *testing.T, b *bubble) {
		begin := time.Now()
		go func() {
			p := <-at
			time.Sleep(3 * time.Second)
			p.write(func() { _ = p.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1}) })
		}()
		res, err := askOn(t.Context(), b.client, "/", nil)
		if err != nil || fmt.Sprint(time.Since(begin)) != "3s" {
			t.Fatalf("got %v, %v after %v", res, err, time.Since(begin))
		}
		if got := text(t, res); got != "ok" {
			t.Errorf("got %q", got)
		}
	})
}
