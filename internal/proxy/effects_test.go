package proxy_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// inForce puts a fault in and waits until it is in force on n connections.
func (r *rig) inForce(f fault.Fault, n int) {
	r.t.Helper()
	r.put(f)
	eventually(r.t, f.ID+" is in force", func() bool {
		return r.get(f.ID).Stats.InForceOn == registry.Coverage{Connections: n, Of: n}
	})
}

func TestBandwidthIsNotExceededAndChangesNoByte(t *testing.T) {
	const rate, size = 2 << 20, 1 << 20
	for _, direction := range []fault.Direction{fault.Downstream, fault.Both} {
		r := start(t, nettest.Serve(t, nettest.Echo))
		f := with("narrow", fault.Bandwidth{Rate: rate})
		f.Direction = direction
		r.put(f)
		begin := time.Now()
		exchange(t, r.dial(), 1, size)
		if took := time.Since(begin); took < time.Second*size/rate*9/10 { // but for what it may make up for
			t.Fatalf("%s: %d bytes passed in %v", direction, size, took)
		}
		s := r.remove("narrow").Stats
		if s.Connections != 1 || s.Bytes < size || s.Delivered.Min < s.Requested.Min || s.Overflow != 0 {
			t.Fatalf("stats: %+v", s)
		}
	}
}

// TestBandwidthReadsLittleAhead: what is read ahead of a bottleneck is latency that nobody asked for.
func TestBandwidthReadsLittleAhead(t *testing.T) {
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) { _, _ = c.Write(payload(1, 8<<20)) }))
	r.put(with("narrow", fault.Bandwidth{Rate: 100_000}))
	c := r.dial()
	if _, err := io.ReadFull(c, make([]byte, 50_000)); err != nil {
		t.Fatal(err)
	}
	if s := r.get("narrow").Stats; s.Requested.Max > time.Second {
		t.Fatalf("bytes waited for %v behind those that were read ahead", s.Requested.Max)
	}
}

func TestBytesOfABlackHoleGoOnWhenItEnds(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	c := r.dial()
	ask(t, c, "before")
	r.inForce(with("hole", fault.Timeout{}), 1)
	_, _ = io.WriteString(c, "hello")
	eventually(t, "the answer is held", func() bool { return r.get("hole").Stats.Connections == 1 })
	r.remove("hole")
	answer := make([]byte, 5)
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "hello" {
		t.Fatalf("got %q, %v", answer, err)
	}
	eventually(t, "it is counted as let go", func() bool { return r.get("hole").Stats.Flushed == 1 })
}

// TestAStreamWithAHoleNeverGoesOn: also if the connection is idle when the fault ends, or another is in its place.
func TestAStreamWithAHoleNeverGoesOn(t *testing.T) {
	for _, next := range []string{"nothing", "latency"} {
		t.Run(next, func(t *testing.T) {
			r := start(t, nettest.Serve(t, nettest.Echo))
			c := r.dial()
			ask(t, c, "before")
			r.inForce(with("hole", fault.Timeout{Data: "drop"}), 1)
			_, _ = io.WriteString(c, "hello")
			eventually(t, "the answer is lost", func() bool { return r.get("hole").Stats.Dropped == 5 })
			if next == "latency" {
				r.put(delaying("slow", time.Millisecond))
			}
			r.remove("hole")
			if _, err := io.ReadFull(c, make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("the client saw %v", err)
			}
		})
	}
}

func TestAConnectionThatLostNothingOutlivesABlackHole(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	c := r.dial()
	ask(t, c, "before")
	r.inForce(with("hole", fault.Timeout{Data: "drop"}), 1)
	r.remove("hole")
	ask(t, c, "after")
}

func TestABlackHoleResetsAfterItsTime(t *testing.T) {
	const after = 50 * time.Millisecond
	r := start(t, nettest.Serve(t, nettest.Echo))
	c := r.dial()
	ask(t, c, "before")
	begin := time.Now()
	r.put(with("hole", fault.Timeout{After: fault.Duration(after)}))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) || time.Since(begin) < after {
		t.Fatalf("after %v the client saw %v", time.Since(begin), err)
	}
	if s := r.remove("hole").Stats; s.Ended != 1 || s.Connections != 1 {
		t.Fatalf("stats: %+v", s)
	}
}

func TestResetReachesBothSidesOfOpenAndNewConnections(t *testing.T) {
	const after = 30 * time.Millisecond
	saw := make(chan error, 2)
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		_, err := io.Copy(c, c)
		saw <- err
	}))
	open := r.dial()
	ask(t, open, "before")
	r.put(with("reset", fault.Reset{After: fault.Duration(after)}))
	begin := time.Now()
	for name, c := range map[string]*net.TCPConn{"open": open, "new": r.dial()} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: the client saw %v", name, err)
		}
		if err := <-saw; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: the upstream saw %v", name, err)
		}
	}
	if took := time.Since(begin); took < after/2 {
		t.Errorf("reset after %v", took)
	}
	if s := r.remove("reset").Stats; s.Ended != 2 || s.Connections != 2 || s.Felt() != 2 {
		t.Errorf("stats: %+v", s)
	}
	ask(t, r.dial(), "after")
}

func TestARemovedResetHarmsNobody(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	c := r.dial()
	ask(t, c, "before")
	r.inForce(with("reset", fault.Reset{After: fault.Duration(200 * time.Millisecond)}), 1)
	r.remove("reset")
	r.inForce(delaying("slow", 250*time.Millisecond), 1)
	ask(t, c, "after the reset would have come")
}

func TestSlicerCutsAndChangesNoByte(t *testing.T) {
	const size = 20_000
	r := start(t, nettest.Serve(t, nettest.Echo))
	r.put(with("knife", fault.Slicer{Size: 100, Vary: 50, Delay: fault.Duration(time.Millisecond)}))
	begin := time.Now()
	exchange(t, r.dial(), 1, size)
	s := r.remove("knife").Stats
	if s.Bytes != size || s.Chunks < size/150 || s.Chunks > size/50+20 || time.Since(begin) < size/150*time.Millisecond/2 {
		t.Fatalf("after %v: %+v", time.Since(begin), s)
	}
}

func TestLimitPassesExactlySoManyBytes(t *testing.T) {
	const size = 100_000
	for _, c := range []struct {
		limit fault.Limit
		want  error
	}{
		{fault.Limit{Bytes: 0}, nil}, {fault.Limit{Bytes: 1}, nil}, {fault.Limit{Bytes: 50_001}, nil},
		{fault.Limit{Bytes: 33_000, How: "reset"}, syscall.ECONNRESET},
	} {
		ended := make(chan struct{})
		r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
			_, _ = c.Read(make([]byte, 1))
			_, _ = c.Write(payload(1, size))
			_, _ = io.Copy(io.Discard, c)
			close(ended)
		}))
		r.put(with("limit", c.limit))
		conn := r.dial()
		_, _ = conn.Write([]byte("?"))
		got, err := io.ReadAll(conn)
		if !errors.Is(err, c.want) || c.want == nil && (err != nil || len(got) != int(c.limit.Bytes)) || len(got) > int(c.limit.Bytes) {
			t.Errorf("%+v: got %d bytes, %v", c.limit, len(got), err)
		}
		conn.Close()
		<-ended
		if s := r.remove("limit").Stats; s.Ended != 1 || s.Connections != 1 || s.Felt() != 1 {
			t.Errorf("%+v: %+v", c.limit, s)
		}
	}
}

// TestLimitEndsConnectionsOfClientsThatStay: the connection is over even if the client never closes.
func TestLimitEndsConnectionsOfClientsThatStay(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	r.put(with("limit", fault.Limit{Bytes: 3}))
	c := r.dial()
	_, _ = io.WriteString(c, "hello")
	if got, err := io.ReadAll(c); string(got) != "hel" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	eventually(t, "the connection is over", func() bool {
		list, err := r.Proxies(t.Context())
		return err == nil && list[0].Open == 0
	})
}

func TestSlowCloseDelaysTheEndAndNoByte(t *testing.T) {
	const delay = 150 * time.Millisecond
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) { _, _ = io.WriteString(c, "bye") }))
	r.put(with("slow", fault.SlowClose{Delay: fault.Duration(delay)}))
	c := r.dial()
	if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if s := r.get("slow").Stats; s.Ends != 0 {
		t.Fatalf("the end came with the bytes: %+v", s)
	}
	if rest, err := io.ReadAll(c); len(rest) != 0 || err != nil {
		t.Fatalf("got %q, %v", rest, err)
	}
	s := r.remove("slow").Stats
	if s.Chunks != 0 || s.Ends != 1 || s.Connections != 1 || s.Delivered.Min < delay {
		t.Fatalf("stats: %+v", s)
	}
}

func TestConnectDelayHoldsNewConnectionsOnly(t *testing.T) {
	const delay = 80 * time.Millisecond
	r := start(t, nettest.Serve(t, nettest.Echo))
	open := r.dial()
	ask(t, open, "before")
	r.put(with("late", fault.ConnectDelay{Spread: latency(delay, 0).Spread}))
	c := r.dial()
	if took := ask(t, c, "first"); took < delay*9/10 { // counted from the accept, which comes before the question
		t.Errorf("the first answer took %v", took)
	}
	ask(t, open, "an open connection is not touched")
	if s := r.remove("late").Stats; s.Connections != 1 || s.Delivered.Count != 1 || s.Delivered.Min < delay {
		t.Errorf("stats: %+v", s)
	}
}

func TestNobodyWaitsForAConnectDelayThatIsOver(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	r.put(with("late", fault.ConnectDelay{Spread: latency(fault.MaxDelay, 0).Spread}))
	c := r.dial()
	eventually(t, "the connection waits", func() bool { return r.get("late").Stats.Connections == 1 })
	r.remove("late")
	ask(t, c, "hello")
}

func TestRefuseEndsNewConnectionsOnly(t *testing.T) {
	for how, want := range map[string]error{"": syscall.ECONNRESET, "close": io.EOF} {
		r := start(t, nettest.Serve(t, nettest.Echo))
		open := r.dial()
		ask(t, open, "before")
		effect, err := fault.DecodeEffect("refuse", []byte(`{"how": "`+how+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.put(with("refuse", effect))
		c, err := net.Dial("tcp", r.addr)
		if err == nil {
			_ = c.SetDeadline(time.Now().Add(patience))
			// A reset is told once, to the first call that meets it.
			if _, err = io.WriteString(c, "unread"); err == nil {
				_, err = c.Read(make([]byte, 1))
			}
			c.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("how %q: the client saw %v, want %v", how, err, want)
		}
		ask(t, open, "an open connection is not touched")
		if s := r.remove("refuse").Stats; s.Ended != 1 || s.Connections != 1 {
			t.Errorf("how %q: %+v", how, s)
		}
		ask(t, r.dial(), "after")
	}
}
