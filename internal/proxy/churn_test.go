package proxy_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy/proxytest"
	"mishap/internal/proxy/registry"
)

// TestNothingHangsWhileClientsStallLeaveOrFlood: the calls answer, and in the end new connections work and old ones are
// gone.
func TestNothingHangsWhileClientsStallLeaveOrFlood(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 12 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				visit(r.addr, i)
			}
		})
	}
	rounds := 60
	if n, err := strconv.Atoi(os.Getenv("MISHAP_CHURN")); err == nil {
		rounds = n
	}
	draw := rand.New(rand.NewPCG(1, 2))
	var longest time.Duration
	for i := range rounds {
		id, effects := fmt.Sprint("f", i), proxytest.Effects()
		f := with(id, effects[draw.IntN(len(effects))])
		f.Share, f.Seed = 0.7, uint64(i)
		begin := time.Now()
		r.put(f)
		if i > 0 {
			r.remove(fmt.Sprint("f", i-1))
		}
		longest = max(longest, time.Since(begin))
	}
	r.remove(fmt.Sprint("f", rounds-1))
	t.Logf("%d faults; the longest pair of calls took %v", rounds, longest)
	close(stop)
	clients.Wait()
	ask(t, r.dial(), "hello")
	eventually(t, "all are gone", func() bool {
		list, err := r.Proxies(t.Context())
		return err == nil && list[0].Open <= 1
	})
}

// visit is a client that stalls, leaves, floods or behaves.
func visit(address string, manner int) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	c := conn.(*net.TCPConn)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(50 * time.Millisecond))
	switch manner % 4 {
	case 0: // stalls: sends and never reads
		_, _ = c.Write(make([]byte, 1<<20))
	case 1: // leaves in the middle
		_, _ = c.Write(make([]byte, 100_000))
		reset(c)
	case 2: // floods
		go func() { _, _ = io.Copy(io.Discard, c) }()
		_, _ = c.Write(make([]byte, 1<<20))
	default:
		_, _ = io.WriteString(c, "hello")
		_ = c.CloseWrite()
		_, _ = io.ReadAll(c)
	}
}

// TestAFaultThatHitsNobodyChangesNothing: with a share that hits nobody nothing changes.
func TestAFaultThatHitsNobodyChangesNothing(t *testing.T) {
	r := start(t, nettest.Serve(t, nettest.Echo))
	for i, e := range proxytest.Effects() {
		f := with(fmt.Sprint("f", i), e)
		f.Share = 1e-12
		r.put(f)
	}
	exchange(t, r.dial(), 1, 1<<20)
	for i := range proxytest.Effects() {
		if s := r.remove(fmt.Sprint("f", i)).Stats; s != (registry.Stats{}) {
			t.Errorf("%d: %+v", i, s)
		}
	}
}
