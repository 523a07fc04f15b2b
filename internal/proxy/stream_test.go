package proxy_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"mishap/internal/freeport"
	"mishap/internal/nettest"
	"mishap/internal/proxy/fault"
)

// payload is repeatable noise.
func payload(seed uint64, size int) []byte {
	b := make([]byte, size)
	var key [32]byte
	key[0] = byte(seed)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// exchange sends a large payload both ways through an echo, with half-close, and compares the hashes.
func exchange(t *testing.T, c *net.TCPConn, seed uint64, size int) {
	t.Helper()
	sent := payload(seed, size)
	go func() {
		_, _ = c.Write(sent)
		_ = c.CloseWrite()
	}()
	hash := sha256.New()
	if n, err := io.Copy(hash, c); err != nil || int(n) != size {
		t.Errorf("got %d of %d bytes: %v", n, size, err)
		return
	}
	if want := sha256.Sum256(sent); string(want[:]) != string(hash.Sum(nil)) {
		t.Error("the bytes were changed")
	}
}

func TestPassThroughIsIntact(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	exchange(t, r.dial(), 1, 32<<20)
	eventually(t, "the connection is closed", func() bool {
		list, err := r.Proxies(t.Context())
		return err == nil && list[0].Open == 0 && list[0].Total == 1
	})
}

func TestDelayedStreamIsIntact(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	f := delaying("slow", 20*time.Millisecond)
	f.Effect, f.Direction = latency(20*time.Millisecond, 10*time.Millisecond), "both"
	r.put(f)
	exchange(t, r.dial(), 2, 16<<20)
	if s := r.remove("slow").Stats; s.Bytes != 32<<20 || s.Connections != 1 || s.Delivered.Min < 10*time.Millisecond {
		t.Fatalf("stats: %+v", s)
	}
}

// TestNoWayStarvesTheOther: an echo answers before it reads on, so that what is held one way can only go on when the
// other way is read.
func TestNoWayStarvesTheOther(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	f := delaying("slow", 300*time.Millisecond)
	f.Direction = "both"
	r.put(f)
	var all sync.WaitGroup
	for seed := range uint64(4) {
		all.Go(func() { exchange(t, r.dial(), seed, 24<<20) })
	}
	all.Wait()
	if s := r.remove("slow").Stats; s.Overflow == 0 {
		t.Error("no line was ever full")
	}
}

// TestSwitchingBreaksNothing moves bytes while faults come and go, at times two at once, and at times so long that only
// their end lets the bytes go.
func TestSwitchingBreaksNothing(t *testing.T) {
	for _, delay := range []time.Duration{time.Millisecond, 10 * time.Minute} {
		t.Run(delay.String(), func(t *testing.T) {
			r := start(t, nettest.Serve(t, nettest.Echo))
			c, stop, switches := r.dial(), make(chan struct{}), 0
			var switching sync.WaitGroup
			switching.Go(func() {
				for last := ""; ; switches++ {
					select {
					case <-stop:
						return
					default:
					}
					f := delaying(fmt.Sprint("f", switches), delay)
					f.Effect, f.Direction = latency(delay, delay), "both"
					if _, err := r.Put(context.Background(), f); err != nil {
						t.Error(err)
					}
					if last != "" {
						r.Delete(context.Background(), last)
					}
					if last = f.ID; switches%3 == 0 {
						r.Delete(context.Background(), last)
					}
				}
			})
			exchange(t, c, 3, 10<<20)
			close(stop)
			switching.Wait()
			t.Logf("%d switches", switches)
		})
	}
}

func TestHalfClose(t *testing.T) {
	for _, delay := range []time.Duration{0, 30 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
				question, _ := io.ReadAll(c) // ends only when the half-close arrives
				_, _ = c.Write(append([]byte("late answer to "), question...))
			}))
			if delay > 0 {
				f := delaying("f", delay)
				f.Direction = "both"
				r.put(f)
			}
			c := r.dial()
			_, _ = c.Write([]byte("you"))
			_ = c.CloseWrite()
			if got, err := io.ReadAll(c); err != nil || string(got) != "late answer to you" {
				t.Fatalf("got %q, %v", got, err)
			}
		})
	}
}

func TestHalfCloseOfUpstream(t *testing.T) {
	got := make(chan string, 1)
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "greeting")
		_ = c.CloseWrite()
		late, err := io.ReadAll(c)
		got <- fmt.Sprint(string(late), err)
	}))
	putIf(r, "both")
	c := r.dial()
	if greeting, err := io.ReadAll(c); string(greeting) != "greeting" || err != nil {
		t.Fatalf("got %q, %v", greeting, err)
	}
	_, _ = io.WriteString(c, "late")
	_ = c.CloseWrite()
	if s := <-got; s != "late<nil>" {
		t.Fatalf("the upstream got %s", s)
	}
}

// reset closes with a RST.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

func TestResetOfClientReachesUpstream(t *testing.T) {
	for _, direction := range []string{"", "upstream", "downstream", "both"} {
		t.Run("delayed "+direction, func(t *testing.T) {
			got := make(chan error, 1)
			r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
				_, err := io.Copy(io.Discard, c)
				got <- err
			}))
			putIf(r, direction)
			c := r.dial()
			_, _ = c.Write([]byte("hello"))
			eventually(t, "dialled", func() bool { return connected(r) })
			reset(c)
			if err := <-got; !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("the upstream saw %v", err)
			}
		})
	}
}

func TestResetOfUpstreamReachesClient(t *testing.T) {
	for _, direction := range []string{"", "upstream", "downstream", "both"} {
		t.Run("delayed "+direction, func(t *testing.T) {
			r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
				_, _ = c.Read(make([]byte, 5))
				_, _ = c.Write([]byte("last words"))
				if _, err := c.Read(make([]byte, 4)); err == nil {
					reset(c)
				}
			}))
			putIf(r, direction)
			c := r.dial()
			_, _ = c.Write([]byte("hello"))
			words := make([]byte, 10)
			if _, err := io.ReadFull(c, words); err != nil || string(words) != "last words" {
				t.Fatalf("got %q, %v", words, err)
			}
			_, _ = c.Write([]byte("die!"))
			if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("the client saw %v", err)
			}
		})
	}
}

// putIf puts a short fault in, unless there is no direction.
func putIf(r *rig, direction string) {
	if direction == "" {
		return
	}
	f := delaying("f", 30*time.Millisecond)
	f.Direction = fault.Direction(direction)
	r.put(f)
}

// connected says whether a connection to the upstream stands; it shows as one that a fault is meant for.
func connected(r *rig) bool {
	r.t.Helper()
	f := delaying("probe", time.Millisecond)
	f.ID += time.Now().Format("150405.000000000")
	r.put(f)
	defer r.remove(f.ID)
	return r.get(f.ID).Stats.InForceOn.Of > 0
}

func TestRefusedUpstreamResetsClient(t *testing.T) {
	r := start(t, freeport.Address())
	c, err := net.Dial("tcp", r.addr) // the reset may come before Dial looks at the new connection
	if err == nil {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the client saw %v", err)
	}
	eventually(t, "it is counted", func() bool {
		list, err := r.Proxies(t.Context())
		return err == nil && list[0].Refused == 1 && list[0].Open == 0
	})
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	hold := make(chan struct{})
	address := nettest.Serve(t, func(*net.TCPConn) { <-hold })
	defer close(hold)
	r0 := start(t, address)
	r0.stop() // what the runtime starts once is now started
	before := runtime.NumGoroutine()
	r := start(t, address)
	f := delaying("f", time.Minute)
	f.Direction = "both"
	r.put(f)
	const n = 5
	for range n {
		_, _ = r.dial().Write([]byte("held in the delay line"))
	}
	eventually(t, "all are open", func() bool { return r.get("f").Stats.InForceOn.Connections == n })
	r.stop()
	// The upstream's handlers, one for each connection, are still there.
	eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+n })
	r.stop()
}
