package proxy_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

func TestDelayIsAppliedAndNeverEarly(t *testing.T) {
	const delay, jitter = 60 * time.Millisecond, 20 * time.Millisecond
	r := start(t, nettest.Serve(t, nettest.Echo))
	c := r.dial()
	ask(t, c, "before the fault") // the fault must also reach connections that are open
	f := delaying("slow", delay)
	f.Effect = latency(delay, jitter)
	r.put(f)
	eventually(t, "the fault is in force", func() bool {
		return r.get("slow").Stats.InForceOn == registry.Coverage{Connections: 1, Of: 1}
	})
	for i := range 10 {
		if took := ask(t, c, fmt.Sprint("message ", i)); took < delay-jitter {
			t.Fatalf("answered after %v, before %v", took, delay-jitter)
		}
	}
	s := r.remove("slow").Stats
	if s.Chunks != 10 || s.Connections != 1 || s.Flushed != 0 || s.Bytes != 90 {
		t.Fatalf("stats: %+v", s)
	}
	if s.Requested.Count != 10 || s.Requested.Min < delay-jitter || s.Requested.Max > delay+jitter ||
		s.Delivered.Min < s.Requested.Min || s.Delivered.P99 < s.Delivered.P50 || s.Delivered.Max < s.Delivered.P99 ||
		s.Delivered.Mean < s.Requested.Mean {
		t.Fatalf("delays: %+v", s)
	}
	ask(t, c, "after the fault")
	if again := r.remove("slow"); again.Stats.Chunks != 10 || again.State != registry.Ended {
		t.Fatalf("a second delete gave %+v", again)
	}
}

func TestFaultsAddUp(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	r.put(delaying("a", 30*time.Millisecond))
	up := delaying("b", 30*time.Millisecond)
	up.Direction = fault.Both
	r.put(up)
	if took := ask(t, r.dial(), "hello"); took < 90*time.Millisecond {
		t.Fatalf("answered after %v, before 90ms", took)
	}
	if a := r.get("a").Stats; a.Requested.Max != 60*time.Millisecond {
		t.Fatalf("downstream, both faults hold a chunk for 60ms: %+v", a)
	}
}

func TestNoTrafficNoStats(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	c := r.dial()
	ask(t, c, "before")
	r.put(delaying("idle", time.Millisecond))
	eventually(t, "in force", func() bool { return r.get("idle").Stats.InForceOn.Connections == 1 })
	if s := r.remove("idle").Stats; s != (registry.Stats{}) {
		t.Fatalf("without traffic: %+v", s)
	}
}

func TestRemovingFlushesWhatIsQueued(t *testing.T) {
	for _, end := range []string{"removed", "expired"} {
		t.Run(end, func(t *testing.T) {
			r := start(t, nettest.Serve(t, nettest.Echo))
			f := delaying("long", 10*time.Minute)
			f.Direction = fault.Upstream
			if end == "expired" {
				f.Expires = 300 * time.Millisecond
			}
			r.put(f)
			c := r.dial()
			_, _ = io.WriteString(c, "hello")
			if end == "removed" {
				// Once it is in force and the bytes are read they are queued; either way they arrive.
				eventually(t, "in force", func() bool { return r.get("long").Stats.InForceOn.Connections == 1 })
				r.remove("long")
			}
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestRemovingOneOfTwoKeepsTheOther(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	r.put(delaying("long", 10*time.Minute))
	r.put(delaying("short", 50*time.Millisecond))
	c := r.dial()
	begin := time.Now()
	_, _ = io.WriteString(c, "hello")
	eventually(t, "in force", func() bool { return r.get("long").Stats.InForceOn.Connections == 1 })
	r.remove("long")
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 50*time.Millisecond {
		t.Fatalf("answered after %v, before the fault that is left", took)
	}
}

func TestShareIsSticky(t *testing.T) {
	const n = 200
	r := start(t, nettest.Serve(t, nettest.Echo))
	var conns []net.Conn
	for range n {
		c := r.dial()
		ask(t, c, "open")
		conns = append(conns, c)
	}
	hit := func(id string, share float64) map[int]bool {
		f := delaying(id, time.Millisecond)
		f.Share, f.Seed = share, 7
		r.put(f)
		var of int
		eventually(t, "in force on all it is meant for", func() bool {
			on := r.get(id).Stats.InForceOn
			of = on.Of
			return on.Connections == on.Of
		})
		set, chunks := map[int]bool{}, uint64(0)
		for i, c := range conns {
			ask(t, c, "hello")
			// The answer has passed the send, and the count follows it: look until it settles.
			if share < 1 && r.get(id).Stats.Chunks > chunks {
				set[i], chunks = true, chunks+1
			}
		}
		if got := r.remove(id).Stats.Connections; int(got) > of {
			t.Fatalf("%d connections affected, meant for %d", got, of)
		}
		return set
	}
	first, again, more := hit("first", 0.3), hit("again", 0.3), hit("more", 0.6)
	if len(first) < n/10 || len(first) > n/2 {
		t.Fatalf("a share of 30 %% hit %d of %d", len(first), n)
	}
	for i := range first {
		if !again[i] || !more[i] {
			t.Fatalf("connection %d changed sides", i)
		}
	}
	if len(first) != len(again) || len(more) <= len(first) {
		t.Fatalf("hit %d, then %d, then %d with twice the share", len(first), len(again), len(more))
	}
}

func TestStalledClientDoesNotBlockTheAPI(t *testing.T) {
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) { // sends until nobody takes it
		for chunk := make([]byte, 1<<20); ; {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	}))
	stalled := r.dial() // never reads
	eventually(t, "dialled", func() bool { return connected(r) })
	for i := range 100 {
		id := fmt.Sprint("f", i)
		r.put(delaying(id, time.Hour/60/6))
		r.remove(id)
	}
	_ = stalled.Close()
	eventually(t, "the connection is over", func() bool {
		list, err := r.Proxies(t.Context())
		return err == nil && list[0].Open == 0
	})
}

func TestFullLineStopsReadingAndCounts(t *testing.T) {
	const size = 96 << 20 // far beyond the line and the buffers of the kernel
	var sent atomic.Int64
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		for rest := payload(9, size); len(rest) > 0; rest = rest[64<<10:] {
			if _, err := c.Write(rest[:64<<10]); err != nil {
				return
			}
			sent.Add(64 << 10)
		}
	}))
	r.put(delaying("long", 10*time.Minute))
	c := r.dial()
	eventually(t, "the line is full", func() bool { return r.get("long").Stats.Overflow > 0 })
	var before int64 = -1
	eventually(t, "the upstream is held up", func() bool {
		last := before
		before = sent.Load()
		return last == before
	})
	if before == size {
		t.Fatal("the proxy took in all that was sent")
	}
	r.remove("long")
	hash := sha256.New()
	if n, err := io.Copy(hash, c); n != size || err != nil {
		t.Fatalf("got %d of %d bytes, %v", n, size, err)
	}
	if want := sha256.Sum256(payload(9, size)); string(hash.Sum(nil)) != string(want[:]) {
		t.Fatal("the bytes were changed")
	}
	if s := r.get("long").Stats; s.Flushed == 0 || s.Chunks != 0 {
		t.Fatalf("stats: %+v", s)
	}
}

// TestNewFaultReachesConnectionThatIsStillFlushed: a client that does not read keeps the end of one fault from being
// carried out, and must not keep the next fault out.
func TestNewFaultReachesConnectionThatIsStillFlushed(t *testing.T) {
	const size = 96 << 20
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) { _, _ = c.Write(payload(9, size)) }))
	r.put(delaying("first", 10*time.Minute))
	c := r.dial()
	eventually(t, "the line is full", func() bool { return r.get("first").Stats.Overflow > 0 })
	r.remove("first")
	r.put(delaying("second", time.Millisecond))
	eventually(t, "the second fault is in force", func() bool { return r.get("second").Stats.InForceOn.Connections == 1 })
	if n, err := io.Copy(io.Discard, c); n != size || err != nil {
		t.Fatalf("got %d of %d bytes, %v", n, size, err)
	}
}

// TestDeliveredDelayLiesBetweenRequestedAndSeen compares the proxy's word with what was asked and what a client sees.
func TestDeliveredDelayLiesBetweenRequestedAndSeen(t *testing.T) {
	const n = 40
	r := start(t, nettest.Serve(t, nettest.Echo))
	r.put(delaying("slow", 20*time.Millisecond))
	c := r.dial()
	var sum, longest time.Duration
	for range n {
		took := ask(t, c, "hello")
		sum, longest = sum+took, max(longest, took)
	}
	s := r.remove("slow").Stats
	t.Logf("asked %v, delivered %v, seen mean %v, max %v", s.Requested, s.Delivered, sum/n, longest)
	if s.Requested.Count != n || s.Requested.Mean != 20*time.Millisecond || s.Delivered.Count != n {
		t.Fatalf("stats: %+v", s)
	}
	if s.Delivered.Min < 20*time.Millisecond || s.Delivered.Mean > sum/n || s.Delivered.Max > longest {
		t.Fatalf("delivered %+v, seen mean %v, max %v", s.Delivered, sum/n, longest)
	}
}

func TestManyConnections(t *testing.T) {
	const n = 500
	r := start(t, nettest.Serve(t, nettest.Echo))
	conns := make([]*net.TCPConn, n)
	for i := range conns {
		conns[i] = r.dial()
		ask(t, conns[i], "open")
	}
	f := delaying("f", 5*time.Millisecond)
	f.Direction = fault.Both
	r.put(f)
	eventually(t, "in force on all", func() bool {
		return r.get("f").Stats.InForceOn == registry.Coverage{Connections: n, Of: n}
	})
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() { exchange(t, c, uint64(i), 20_000) })
	}
	all.Wait()
	if s := r.remove("f").Stats; s.Connections != n || s.Bytes != 2*n*20_000 {
		t.Fatalf("stats: %+v", s)
	}
	eventually(t, "all are closed", func() bool {
		list, err := r.Proxies(t.Context())
		return err == nil && list[0].Open == 0 && list[0].Total == n
	})
}

// TestARunChangesItsOwnFaultInOneStep: nothing passes without delay between two steps of a ramp, and what was counted
// stays.
func TestARunChangesItsOwnFaultInOneStep(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	f := delaying("ramp", 20*time.Millisecond)
	r.put(f)
	c := r.dial()
	if took := ask(t, c, "one"); took < 20*time.Millisecond {
		t.Errorf("the first step took %s", took)
	}
	before := r.get("ramp").Stats
	f.Effect = latency(80*time.Millisecond, 0)
	r.put(f)
	if took := ask(t, c, "two"); took < 80*time.Millisecond {
		t.Errorf("the second step took %s", took)
	}
	after := r.get("ramp")
	if after.Stats.Chunks <= before.Chunks || after.Stats.Connections != before.Connections || !reflect.DeepEqual(after.Fault.Effect, f.Effect) {
		t.Errorf("before %+v, after %+v", before, after)
	}
}
