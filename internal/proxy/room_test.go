package proxy_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
)

// TestAPeerThatIsSlowHoldsUpTheSource: what is due and cannot leave must not pile up in the proxy, where it would be
// later than was asked for.
func TestAPeerThatIsSlowHoldsUpTheSource(t *testing.T) {
	const most = 64 << 20 // what the kernel may buffer, and some
	var sent atomic.Int64
	r := startWith(t, nettest.Serve(t, func(c *net.TCPConn) {
		for chunk := make([]byte, 64<<10); sent.Load() < 8*most; {
			if _, err := c.Write(chunk); err != nil {
				return
			}
			sent.Add(int64(len(chunk)))
		}
	}), func(o *proxy.Options) { o.Budget = 8 * most })
	r.put(delaying("slow", time.Millisecond))
	c := r.dial() // reads nothing
	_, _ = io.WriteString(c, "?")
	var before, looks int64
	eventually(t, "the upstream is held up", func() bool { // as twenty looks in a row find it
		if now := sent.Load(); now != before {
			before, looks = now, 0
		}
		looks++
		return before > 0 && looks == 20
	})
	if before > most {
		t.Fatalf("the proxy took in %d bytes that nobody reads", before)
	}
	if s := r.get("slow").Stats; s.Overflow != 0 {
		t.Fatalf("that is no overflow: %+v", s)
	}
}

// TestLatencyDoesNotNarrowABottleneck, in either order: bytes wait for both, and pass as fast as the bottleneck lets
// them.
func TestLatencyDoesNotNarrowABottleneck(t *testing.T) {
	const rate, size, delay = 2 << 20, 1 << 20, 300 * time.Millisecond
	for _, first := range []string{"latency", "bandwidth"} {
		r := start(t, nettest.Serve(t, func(c *net.TCPConn) { _, _ = c.Write(payload(1, size)) }))
		faults := []fault.Fault{delaying("a", delay), with("b", fault.Bandwidth{Rate: rate})}
		if first == "bandwidth" {
			faults[0], faults[1] = faults[1], faults[0]
		}
		for _, f := range faults {
			r.put(f)
		}
		begin := time.Now()
		if n, err := io.Copy(io.Discard, r.dial()); n != size || err != nil {
			t.Fatalf("got %d bytes, %v", n, err)
		}
		took, least := time.Since(begin), delay+time.Second*size/rate*9/10
		t.Logf("%s first: %v", first, took)
		if took < least || took > 4*least {
			t.Errorf("%s first: %d bytes passed in %v, want about %v", first, size, took, least)
		}
	}
}
