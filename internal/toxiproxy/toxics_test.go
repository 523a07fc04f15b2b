package toxiproxy_test

import (
	"errors"
	"fmt"
	"io"
	"mishap/internal/nettest"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLatencyReachesOpenConnectionsAndIsNeverEarly(t *testing.T) {
	r := start(t)
	c := dial(t, r.proxied("web", nettest.Serve(t, nettest.Echo)))
	exchange(t, c, "before")
	r.toxic("web", `{"type": "latency", "attributes": {"latency": 60, "jitter": 20}}`)
	for i := range 5 {
		if took := exchange(t, c, fmt.Sprint("message ", i)); took < 40*time.Millisecond {
			t.Fatalf("answered after %v", took)
		}
	}
	r.ok("DELETE", "/proxies/web/toxics/latency_downstream", "")
	exchange(t, c, "after")
}

func TestTimesMayHaveFractions(t *testing.T) {
	r := start(t)
	c := dial(t, r.proxied("web", nettest.Serve(t, nettest.Echo)))
	if a := r.ok("POST", "/proxies/web/toxics", `{"type": "latency", "attributes": {"latency": 0.5}}`); fmt.Sprint(a["attributes"]) != "map[jitter:0 latency:0.5]" {
		t.Fatal(a)
	}
	exchange(t, c, "hello")
	list, err := r.control.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Stats.Requested.Max != 500*time.Microsecond {
		t.Fatalf("%+v, %v", list, err)
	}
}

func TestJitterAboveLatencyIsCutOffAtZero(t *testing.T) {
	r := start(t)
	c := dial(t, r.proxied("web", nettest.Serve(t, nettest.Echo)))
	r.toxic("web", `{"type": "latency", "attributes": {"latency": 2, "jitter": 10}}`)
	for range 400 { // so many that chance does not bring their mean to a bound below
		exchange(t, c, "hello")
	}
	list, _ := r.control.List(t.Context())
	d := list[0].Stats.Requested
	// A part of 0.4 is 0, and the others are even up to 12 ms: 3.6 ms on average.
	if d.Min != 0 || d.Max < 8*time.Millisecond || d.Max > 12*time.Millisecond || d.Mean < 2*time.Millisecond || d.Mean > 5*time.Millisecond {
		t.Fatalf("%+v", d)
	}
}

func TestAToxicRemovesItselfWhenItExpires(t *testing.T) {
	for _, body := range []string{`"type": "latency", "attributes": {"latency": 600000}`, `"type": "noop"`} {
		r := start(t)
		c := dial(t, r.proxied("web", nettest.Serve(t, nettest.Echo)))
		if a := r.ok("POST", "/proxies/web/toxics", `{"name": "t", "expires": 150, `+body+`}`); a["expires"] != "150ms" {
			t.Fatal(a)
		}
		exchange(t, c, "hello") // would take ten minutes
		eventually(t, "the toxic is over", func() bool {
			status, _ := r.call("GET", "/proxies/web/toxics/t", "")
			return status == 404
		})
		if v := r.ok("GET", "/proxies/web", ""); fmt.Sprint(v["toxics"]) != "[]" {
			t.Fatal(v)
		}
		r.toxic("web", `{"name": "t", "expires": "1m", `+body+`}`) // the name is free again
		if a := r.ok("PATCH", "/proxies/web/toxics/t", `{"expires": 0}`); a["expires"] != nil {
			t.Fatal(a)
		}
	}
}

func TestBandwidthLimitsInThousandBytesASecond(t *testing.T) {
	r := start(t)
	address := r.proxied("web", nettest.Serve(t, func(c *net.TCPConn) { _, _ = c.Write(make([]byte, 40_000)) }))
	r.toxic("web", `{"type": "bandwidth", "attributes": {"rate": 100}}`)
	begin := time.Now()
	if n, err := io.Copy(io.Discard, dial(t, address)); n != 40_000 || err != nil {
		t.Fatal(n, err)
	}
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Fatalf("40 KB at 100 KB/s took %v", took)
	}
}

func TestTimeoutLosesWhatComesAndCloses(t *testing.T) {
	r := start(t)
	c := dial(t, r.proxied("web", nettest.Serve(t, nettest.Echo)))
	exchange(t, c, "before")
	r.toxic("web", `{"type": "timeout", "attributes": {"timeout": 100}}`)
	_, _ = io.WriteString(c, "hello")
	if data, err := io.ReadAll(c); len(data) > 0 || err != nil {
		t.Fatalf("got %q, %v: want the end of the stream", data, err)
	}
}

func TestResetPeerResetsAWhileAfterSomethingCame(t *testing.T) {
	r := start(t)
	address := r.proxied("web", nettest.Serve(t, nettest.Echo))
	r.toxic("web", `{"type": "reset_peer", "attributes": {"timeout": 50}}`)
	c := dial(t, address)
	_ = c.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("before anything came: %v", err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	begin := time.Now()
	_, _ = io.WriteString(c, "hello")
	if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(n, err)
	}
	if took := time.Since(begin); took < 50*time.Millisecond {
		t.Fatalf("reset after %v", took)
	}
}

func TestSlowCloseHoldsTheEndAlone(t *testing.T) {
	r := start(t)
	address := r.proxied("web", nettest.Serve(t, func(c *net.TCPConn) { _, _ = io.WriteString(c, "hello") }))
	r.toxic("web", `{"type": "slow_close", "attributes": {"delay": 100}}`)
	begin := time.Now()
	c := dial(t, address)
	if data, err := io.ReadAll(c); string(data) != "hello" || err != nil || time.Since(begin) < 100*time.Millisecond {
		t.Fatalf("%q, %v after %v", data, err, time.Since(begin))
	}
}

func TestSlicerCutsAndLimitDataEnds(t *testing.T) {
	r := start(t)
	address := r.proxied("web", nettest.Serve(t, nettest.Echo))
	r.toxic("web", `{"type": "slicer", "attributes": {"average_size": 10, "size_variation": 5, "delay": 5000}}`)
	r.toxic("web", `{"type": "limit_data", "attributes": {"bytes": 50}}`)
	c := dial(t, address)
	_, _ = io.WriteString(c, strings.Repeat("x", 100))
	if n, err := c.Read(make([]byte, 100)); n > 15 || err != nil {
		t.Fatal(n, err)
	}
	if rest, err := io.ReadAll(c); len(rest) < 35 || len(rest) > 49 || err != nil {
		t.Fatal(len(rest), err)
	}
}

func TestToxicityChoosesConnectionsOnceAndForGood(t *testing.T) {
	const n = 60
	r := start(t)
	address := r.proxied("web", nettest.Serve(t, nettest.Echo))
	r.toxic("web", `{"name": "t", "type": "latency", "toxicity": 0.5, "attributes": {"latency": 30}}`)
	var conns []net.Conn
	for range n {
		c := dial(t, address)
		conns = append(conns, c)
		exchange(t, c, "x") // in this order, so that numbers are those of the loop
	}
	slow := func() (hit []bool) {
		for _, c := range conns {
			hit = append(hit, exchange(t, c, "hello") >= 30*time.Millisecond)
		}
		return hit
	}
	first := slow()
	r.ok("PATCH", "/proxies/web/toxics/t", `{"attributes": {"latency": 40}}`)
	second, count := slow(), 0
	for i := range first {
		// A busy machine may be slow without a toxic, but never early with one.
		if first[i] {
			count++
		}
		if first[i] != second[i] {
			t.Logf("connection %d: %v, then %v", i, first[i], second[i])
		}
	}
	list, _ := r.control.List(t.Context())
	if on := list[0].Stats; on.InForceOn.Of < n/5 || on.InForceOn.Of > n*4/5 || int(on.Connections) != on.InForceOn.Of || count < on.InForceOn.Of {
		t.Fatalf("%+v, %d slow", on, count)
	}
}

func TestToxicityZeroTouchesNothing(t *testing.T) {
	r := start(t)
	address := r.proxied("web", nettest.Serve(t, nettest.Echo))
	r.toxic("web", `{"name": "r", "type": "reset_peer", "toxicity": 0}`)
	exchange(t, dial(t, address), "hello")
	r.ok("PATCH", "/proxies/web/toxics/r", `{"toxicity": 1}`)
	c := dial(t, address)
	_, _ = io.WriteString(c, "hello")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	r.ok("PATCH", "/proxies/web/toxics/r", `{"toxicity": 0}`)
	exchange(t, dial(t, address), "hello")
}

func TestStreamsAreTheWaysOfTheBytes(t *testing.T) {
	r := start(t)
	got := make(chan time.Time, 1)
	address := r.proxied("web", nettest.Serve(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 1))
		got <- time.Now()
		_, _ = c.Write([]byte("y"))
		_, _ = c.Read(make([]byte, 1))
	}))
	r.toxic("web", `{"type": "latency", "stream": "upstream", "attributes": {"latency": 80}}`)
	begin := time.Now()
	c := dial(t, address)
	_, _ = c.Write([]byte("x"))
	if arrived := <-got; arrived.Sub(begin) < 80*time.Millisecond {
		t.Fatalf("the upstream had it after %v", arrived.Sub(begin))
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

func TestAnOperatorsRemoveTakesTheToxicToo(t *testing.T) {
	r := start(t)
	r.proxied("web", nettest.Serve(t, nettest.Echo))
	r.toxic("web", `{"type": "latency", "attributes": {"latency": 100}}`)
	list, err := r.control.List(t.Context())
	if err != nil || len(list) != 1 || !list[0].Until.IsZero() {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := r.control.Delete(t.Context(), list[0].Fault.ID); err != nil {
		t.Fatal(err)
	}
	if v := r.ok("GET", "/proxies/web", ""); fmt.Sprint(v["toxics"]) != "[]" {
		t.Fatal(v)
	}
}
