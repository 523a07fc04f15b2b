package proxy_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mishap/internal/freeport"
	"mishap/internal/nettest"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
)

// udpEcho runs a server that sends back each datagram, and gives its address.
func udpEcho(t testing.TB) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(buf[:n], from)
		}
	}()
	return conn.LocalAddr().String()
}

// startUDP runs a proxy of datagrams, "dns".
func startUDP(t testing.TB, upstream string) *rig {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "c.sock")
	list, stop := serve(t, listener.Config{Name: "dns", Listen: "127.0.0.1:0", Upstream: upstream, Protocol: fault.UDP, Control: socket})
	return &rig{control.NewClient(socket), t, list[0].Listen, socket, stop}
}

func (r *rig) dialUDP() net.Conn {
	r.t.Helper()
	c, err := net.Dial("udp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	r.t.Cleanup(func() { c.Close() })
	return c
}

func onDNS(id string, e fault.Effect) fault.Fault {
	f := with(id, e)
	f.Proxy = "dns"
	return f
}

func TestDatagramsPassBothWays(t *testing.T) {
	r := startUDP(t, udpEcho(t))
	a, b := r.dialUDP(), r.dialUDP()
	for range 100 {
		ask(t, a, "from a")
		ask(t, b, "from b") // each gets its own answers
	}
	list, err := r.Proxies(t.Context())
	if err != nil || list[0].Total != 2 || list[0].Open != 2 || list[0].Protocol != fault.UDP {
		t.Fatalf("%+v, %v", list, err)
	}
}

func TestDatagramsAreLateAndNeverEarly(t *testing.T) {
	const delay, jitter = 40 * time.Millisecond, 10 * time.Millisecond
	r := startUDP(t, udpEcho(t))
	c := r.dialUDP()
	ask(t, c, "before")
	f := onDNS("slow", latency(delay, jitter))
	f.Direction = fault.Both
	r.put(f)
	for range 10 {
		if took := ask(t, c, "query"); took < 2*(delay-jitter) {
			t.Fatalf("answered after %v", took)
		}
	}
	s := r.remove("slow").Stats
	if s.Chunks != 20 || s.Bytes != 100 || s.Connections != 1 || s.Delivered.Min < s.Requested.Min || s.Requested.Min < delay-jitter {
		t.Fatalf("stats: %+v", s)
	}
	ask(t, c, "after")
}

func TestHeldDatagramsGoWhenTheirFaultEnds(t *testing.T) {
	r := startUDP(t, udpEcho(t))
	r.put(onDNS("slow", latency(fault.MaxDelay, 0)))
	c := r.dialUDP()
	_, _ = c.Write([]byte("query"))
	eventually(t, "the answer is held", func() bool { return r.get("slow").Stats.Connections == 1 })
	if s := r.remove("slow").Stats; s.Flushed != 1 {
		t.Fatalf("stats: %+v", s)
	}
	if n, err := c.Read(make([]byte, 10)); n != 5 || err != nil {
		t.Fatalf("got %d bytes, %v", n, err)
	}
}

func TestLossIsAsAskedAndRepeatable(t *testing.T) {
	const n = 400
	var first uint64
	for range 2 {
		r := startUDP(t, udpEcho(t))
		f := onDNS("loss", fault.Loss{Rate: 0.3})
		f.Direction, f.Seed = fault.Upstream, 5
		r.put(f)
		c := r.dialUDP()
		var echoed atomic.Uint64
		go func() {
			for answer := make([]byte, 10); ; echoed.Add(1) {
				if _, err := c.Read(answer); err != nil {
					return
				}
			}
		}()
		for i := range uint64(n) {
			_, _ = c.Write([]byte("query"))
			eventually(t, "the datagram is lost or answered", func() bool { // one at a time, so that loopback itself loses none
				return r.get("loss").Stats.Lost+echoed.Load() > i
			})
		}
		s := r.remove("loss").Stats
		if s.Lost < n/5 || s.Lost > n*2/5 || s.Dropped != 5*s.Lost || s.Connections != 1 {
			t.Fatalf("stats: %+v", s)
		}
		if first != 0 && s.Lost != first {
			t.Fatalf("lost %d, then %d with the same seed", first, s.Lost)
		}
		first = s.Lost
	}
}

func TestABlackHoleLosesDatagrams(t *testing.T) {
	r := startUDP(t, udpEcho(t))
	c := r.dialUDP()
	ask(t, c, "before")
	r.put(onDNS("hole", fault.Timeout{}))
	_, _ = c.Write([]byte("query"))
	eventually(t, "it is lost", func() bool { return r.get("hole").Stats.Lost == 1 })
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := c.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %d bytes, %v", n, err)
	}
	r.remove("hole")
	_ = c.SetReadDeadline(time.Now().Add(patience))
	ask(t, c, "after")
}

func TestDatagramsToAClosedPortHarmNobody(t *testing.T) {
	r := startUDP(t, freeport.Address())
	c := r.dialUDP()
	for range 10 {
		_, _ = c.Write([]byte("query"))
	}
	if list, err := r.Proxies(t.Context()); err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
}

func TestFaultsForStreamsAreRefusedOnDatagramsAndTheOtherWayRound(t *testing.T) {
	r := startUDP(t, udpEcho(t))
	for _, e := range []fault.Effect{fault.Bandwidth{Rate: 1}, fault.Refuse{}, fault.Reset{}, fault.Timeout{After: 1}} {
		if _, err := r.Put(t.Context(), onDNS("f", e)); err == nil || !strings.Contains(err.Error(), "is udp") {
			t.Errorf("%s: %v", e.Kind(), err)
		}
	}
	tcp := start(t, nettest.Serve(t, nettest.Echo))
	if _, err := tcp.Put(t.Context(), with("f", fault.Loss{Rate: 0.5})); err == nil || !strings.Contains(err.Error(), "is tcp") {
		t.Errorf("loss: %v", err)
	}
}
