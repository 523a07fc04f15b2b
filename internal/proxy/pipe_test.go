package proxy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mishap/internal/nettest"
	"mishap/internal/proxy/fault"
)

// pipes counts the pipes of this process.
func pipes(t *testing.T) (n int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("SKIPPED: no /proc")
	}
	for _, f := range list {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "pipe:") {
			n++
		}
	}
	return n
}

// TestBulkComesOutAsItWentInWhileFaultsComeAndGo downloads much through faults that move bytes between buffers, pipes and
// the delay line, and wants each byte, and every pipe back.
func TestBulkComesOutAsItWentInWhileFaultsComeAndGo(t *testing.T) {
	before := pipes(t)
	const size = 64 << 20
	sum := sha256.New()
	seed := [32]byte{7}
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		_, _ = io.CopyN(c, rand.NewChaCha8(seed), size)
	}))
	_, _ = io.CopyN(sum, rand.NewChaCha8(seed), size)
	got := sha256.New()
	c := r.dial()
	done := make(chan error, 1)
	go func() {
		n, err := io.CopyBuffer(got, c, make([]byte, 100<<10))
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes of %d", n, size)
		}
		done <- err
	}()
	effects := []fault.Effect{latency(3*time.Millisecond, 2*time.Millisecond), fault.Slicer{Size: 30_000}, latency(time.Millisecond, 0), fault.Bandwidth{Rate: 400_000_000}}
	for i := 0; ; i++ {
		id := fmt.Sprintf("f%d", i)
		if _, err := r.Put(context.Background(), with(id, effects[i%len(effects)])); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Sum(nil), sum.Sum(nil)) {
				t.Errorf("got %s", hex.EncodeToString(got.Sum(nil)))
			}
			t.Logf("%d faults came and went", i)
			r.stop()
			eventually(t, "every pipe is closed", func() bool { return pipes(t) <= before })
			return
		case <-time.After(time.Duration(rand.IntN(6)) * time.Millisecond):
		}
		if i%3 != 0 { // and now and then two at once
			r.remove(id)
		}
		if i%7 == 6 {
			for j := range i {
				_, _ = r.Delete(context.Background(), fmt.Sprintf("f%d", j))
			}
		}
	}
}
