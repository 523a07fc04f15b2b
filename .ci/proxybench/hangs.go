package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"
)

// runStalled puts a fault in while a client does not read, and takes it out; 100 times, or until it hangs.
func runStalled(_ *bench, t *target) (values, error) {
	const times = 100
	v := values{"stalled-ok": 0, "stalled-fast": 0}
	for n := range times {
		c, err := net.Dial("tcp", t.at(portBulk))
		if err != nil {
			return nil, err
		}
		time.Sleep(50 * time.Millisecond) // the buffers on the way fill
		took, err := within(patience, func(ctx context.Context) error { return t.control.add(ctx, "bulk", 20*time.Millisecond) })
		if err == nil {
			var more time.Duration
			more, err = within(patience, func(ctx context.Context) error { return t.control.remove(ctx, "bulk") })
			took = max(took, more)
		}
		if err == nil {
			err = alive(t)
		}
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
		if err != nil {
			v["stalled-hung-at"] = float64(n + 1)
			return v, onlyHang(t, err)
		}
		v["stalled-worst"] = max(v["stalled-worst"], took.Seconds()*1e3)
		v["stalled-ok"]++
		if took <= 50*time.Millisecond {
			v["stalled-fast"]++
		}
	}
	return v, nil
}

// onlyHang makes an error of what is a finding in others.
func onlyHang(t *target, err error) error {
	if t.name == "mishap" {
		return fmt.Errorf("hangs: %w", err)
	}
	return nil
}

// alive says whether a new connection gets bytes.
func alive(t *target) error {
	c, err := net.DialTimeout("tcp", t.at(portBulk), patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err = io.ReadFull(c, make([]byte, 1)); err != nil {
		return fmt.Errorf("a new connection gets nothing: %w", err)
	}
	return nil
}

// runLeave takes a fault out right after bulk clients have left.
func runLeave(b *bench, t *target) (values, error) {
	times, v := 200, values{"leave-hung": 0}
	if t.name != "mishap" {
		times = 10 // each hang costs the limit
	}
	for range times {
		err := leaveOnce(t)
		if err == nil {
			v["leave-ok"]++
			continue
		}
		v["leave-hung"]++
		if err := onlyHang(t, err); err != nil {
			return v, err
		}
		t.stop() // before the next takes its ports
		next, err := b.start(t.name, "leave")
		if err != nil {
			return v, err
		}
		*t = *next
	}
	return v, nil
}

func leaveOnce(t *target) error {
	const limit = 2 * time.Second
	if _, err := within(limit, func(ctx context.Context) error { return t.control.add(ctx, "bulk", 50*time.Millisecond) }); err != nil {
		return err
	}
	if _, _, err := bulk(t, 4, 60*time.Millisecond, 40*time.Millisecond); err != nil && !errors.Is(err, errNothing) {
		return err
	}
	_, err := within(limit, func(ctx context.Context) error { return t.control.remove(ctx, "bulk") })
	return err
}

// lookForHangs adds and removes faults on mishap proxy while clients stall, leave and flood.
func (b *bench) lookForHangs(times int) error {
	t, err := b.start("mishap", "hangs")
	if err != nil {
		return err
	}
	defer t.stop()
	h := &hanger{t: t, rng: rand.New(rand.NewPCG(1, uint64(times)))}
	files := t.process.files()
	begin := time.Now()
	for n := range times {
		if err := h.once(); err != nil {
			h.hung++
			fmt.Printf("%d: %v\n", n+1, err)
		}
		if n%1000 == 999 {
			fmt.Fprintf(os.Stderr, "%d of %d, %d hang, slowest call %v, %v\n", n+1, times, h.hung, h.slowest.Round(time.Microsecond), time.Since(begin).Round(time.Second))
		}
	}
	h.leave(len(h.clients))
	time.Sleep(2 * time.Second)
	open, err := t.control.(*mishap).open()
	fmt.Printf("%d of %d additions and removals hang (limit %v); slowest call %v; afterwards %d connections are open and %d files more than before\n",
		h.hung, times, patience, h.slowest.Round(time.Microsecond), open, t.process.files()-files)
	if h.hung > 0 || open > 0 {
		return errors.Join(err, errors.New("the proxy hangs, or keeps what has left"))
	}
	return err
}

// hanger drives clients that behave badly. The seed is fixed, so that a run can be repeated.
type hanger struct {
	t       *target
	rng     *rand.Rand
	clients []net.Conn
	hung    int
	slowest time.Duration
}

// once opens clients, adds a fault, lets some clients leave, removes it, and sees whether a new client is served.
func (h *hanger) once() error {
	for range 1 + h.rng.IntN(3) {
		c, err := net.DialTimeout("tcp", h.t.at(portBulk), patience)
		if err != nil {
			return err
		}
		h.clients = append(h.clients, c)
		h.behave(c)
	}
	h.pause()
	if err := h.call(func(ctx context.Context) error {
		return h.t.control.add(ctx, "bulk", time.Duration(1+h.rng.IntN(50))*time.Millisecond)
	}); err != nil {
		return fmt.Errorf("add: %w", err)
	}
	h.pause()
	h.leave(max(h.rng.IntN(len(h.clients)+1), len(h.clients)-8))
	if err := h.call(func(ctx context.Context) error { return h.t.control.remove(ctx, "bulk") }); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return alive(h.t)
}

// behave lets a client stall, read, or flood the upstream; a flood that nobody answers with reading stalls too.
func (h *hanger) behave(c net.Conn) {
	switch h.rng.IntN(3) {
	case 0: // reads nothing
	case 1:
		go func() { _, _ = io.Copy(io.Discard, c) }()
	case 2:
		go func() {
			for chunk := make([]byte, 64<<10); ; {
				if _, err := c.Write(chunk); err != nil {
					return
				}
			}
		}()
	}
}

// leave lets the oldest clients leave, some with a reset and some in order.
func (h *hanger) leave(count int) {
	for _, c := range h.clients[:count] {
		if h.rng.IntN(2) == 0 {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
		_ = c.Close()
	}
	h.clients = h.clients[count:]
}

func (h *hanger) pause() { time.Sleep(time.Duration(h.rng.IntN(3000)) * time.Microsecond) }

func (h *hanger) call(call func(context.Context) error) error {
	took, err := within(patience, call)
	h.slowest = max(h.slowest, took)
	return err
}
