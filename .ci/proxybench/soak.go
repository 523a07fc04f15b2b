package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"mishap/internal/proxy/fault"
)

const (
	soakConns   = 9000
	soakWorkers = 128
	soakPause   = 10 * time.Second // for what has left to be given back

	settleWithin = 6 * time.Minute
	settled      = 5 // of the memory that 9,000 connections took, at most a fifth may be left
)

// soakFor keeps 9,000 connections open for a time while the fault on them changes every second. Each is used again and again,
// and must give back what was sent. Afterwards the proxy must have no more files and goroutines than before,
// and have given the memory back.
func (b *bench) soakFor(length time.Duration) error {
	fresh, err := b.goroutinesOfFresh()
	if err != nil {
		return err
	}
	t, err := b.start("mishap", "soak")
	if err != nil {
		return err
	}
	defer t.stop()
	files, memory := t.process.files(), t.process.rss()
	fds, err := openMany(t, soakConns)
	defer func() {
		for _, fd := range fds {
			reset(fd)
		}
	}()
	if err != nil {
		return err
	}
	s := &soaker{t: t, fds: fds, rng: rand.New(rand.NewPCG(1, 2))}
	s.run(length)
	most := t.process.files() - files
	full := t.process.rss() - memory
	for _, fd := range fds {
		reset(fd)
	}
	fds = nil
	time.Sleep(soakPause)
	open, openErr := t.control.(*mishap).open()
	left := t.process.files() - files
	kept, after := t.settle(memory, full)
	goroutines, err := goroutinesOf(t)
	fmt.Printf("%v with %d connections: %d exchanges (%d bytes each way), %d wrong or broken; %d faults put in, slowest call %v; at most %d files and %.0f MiB more; afterwards %d connections, %d files, %.0f MiB (%v later) and %d goroutines more than before\n",
		length, soakConns, s.exchanges.Load(), s.bytes.Load(), s.broken.Load(), s.faults, s.slowest.Round(time.Microsecond), most, full/1024, open, left, kept/1024, after.Round(time.Second), goroutines-fresh)
	if s.broken.Load() > 0 || open > 0 || left > 4 || goroutines > fresh+4 || kept > full/settled {
		return errors.New("the proxy breaks connections, or keeps what has left")
	}
	return errors.Join(openErr, err)
}

// settle waits until the process has given back the memory of connections that are over: the runtime collects garbage every
// two minutes where nothing goes on, and then returns pages little by little.
func (t *target) settle(before, most float64) (more float64, after time.Duration) {
	begin := time.Now()
	for {
		more, after = t.process.rss()-before, time.Since(begin)
		if more <= most/settled || after > settleWithin {
			return more, after
		}
		time.Sleep(time.Second)
	}
}

// goroutinesOfFresh is how many goroutines a proxy has that has served nothing but its start.
func (b *bench) goroutinesOfFresh() (int, error) {
	t, err := b.start("mishap", "soak")
	if err != nil {
		return 0, err
	}
	defer t.stop()
	return goroutinesOf(t)
}

// goroutinesOf ends the process by a signal that makes Go print all of them.
func goroutinesOf(t *target) (int, error) {
	if err := t.process.cmd.Process.Signal(unix.SIGQUIT); err != nil {
		return 0, err
	}
	<-t.process.ended
	log, err := os.ReadFile(t.process.log)
	return bytes.Count(log, []byte("\ngoroutine ")), err
}

// soaker uses connections and changes faults.
type soaker struct {
	t         *target
	fds       []int
	rng       *rand.Rand
	exchanges atomic.Int64
	bytes     atomic.Int64
	broken    atomic.Int64
	faults    int
	slowest   time.Duration
}

func (s *soaker) run(length time.Duration) {
	end := time.Now().Add(length)
	var workers sync.WaitGroup
	for w := range soakWorkers {
		workers.Go(func() {
			for round := uint64(1); time.Now().Before(end); round++ {
				for i := w; i < len(s.fds) && time.Now().Before(end); i += soakWorkers {
					s.exchange(i, round)
				}
			}
		})
	}
	for next := time.Now(); time.Now().Before(end); next = next.Add(time.Second) {
		s.change()
		time.Sleep(time.Until(next.Add(time.Second)))
	}
	workers.Wait()
}

// exchange sends bytes that only this connection and round have, and wants them back.
func (s *soaker) exchange(i int, round uint64) {
	sent := make([]byte, 64+int(round*uint64(i)%4000))
	for k := 0; k+8 <= len(sent); k += 8 {
		binary.LittleEndian.PutUint64(sent[k:], uint64(i)<<40|round<<16|uint64(k))
	}
	if err := echoBack(s.fds[i], sent); err != nil {
		if s.broken.Add(1) <= 10 {
			fmt.Fprintf(os.Stderr, "connection %d: %v\n", i, err)
		}
		return
	}
	s.exchanges.Add(1)
	s.bytes.Add(int64(len(sent)))
}

func echoBack(fd int, sent []byte) error {
	for out := sent; len(out) > 0; {
		n, err := again(unix.Write, fd, out)
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		out = out[n:]
	}
	got := make([]byte, len(sent))
	for in := got; len(in) > 0; {
		n, err := again(unix.Read, fd, in)
		if err != nil || n == 0 {
			return fmt.Errorf("await %d bytes of %d: %w", len(in), len(sent), errors.Join(err, errNothing))
		}
		in = in[n:]
	}
	if !bytes.Equal(got, sent) {
		return errors.New("it gave back other bytes")
	}
	return nil
}

// change takes the fault of the moment off, and puts another in, or none.
func (s *soaker) change() {
	m := s.t.control.(*mishap)
	if id := m.in["echo"]; id != "" {
		s.call(func(ctx context.Context) error { _, err := m.client.Delete(ctx, id); return err })
		delete(m.in, "echo")
	}
	effects := []fault.Effect{
		fault.Latency{Spread: fault.Spread{Delay: fault.Duration(time.Duration(1+s.rng.IntN(30)) * time.Millisecond)}},
		fault.Bandwidth{Rate: 1 << 20}, fault.Slicer{Size: 100, Vary: 50}, nil,
	}
	effect := effects[s.rng.IntN(len(effects))]
	if effect == nil {
		return
	}
	m.count++
	f := fault.Fault{ID: fmt.Sprintf("soak-%d", m.count), Proxy: "echo", Effect: effect, Direction: []fault.Direction{fault.Upstream, fault.Downstream, fault.Both}[s.rng.IntN(3)], Expires: fault.MaxExpires}
	s.call(func(ctx context.Context) error { _, err := m.client.Put(ctx, f); return err })
	m.in["echo"] = f.ID
	s.faults++
}

func (s *soaker) call(call func(context.Context) error) {
	took, err := within(patience, call)
	s.slowest = max(s.slowest, took)
	if err != nil {
		s.broken.Add(1)
		fmt.Fprintln(os.Stderr, "call:", err)
	}
}
