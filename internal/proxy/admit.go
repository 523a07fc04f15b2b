package proxy

import (
	"io"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// admit lets a new connection wait, or ends it, as the faults of the moment want; true says that the upstream is to be
// dialled. When faults change it looks again: a connection never waits for a fault that is over.
func (l *listener) admit(c *connection) bool {
	for {
		wait, by, instead, changed := l.arrive(c)
		for _, b := range by {
			b.touch()
		}
		if instead != fault.GoesOn {
			refuseAs(c, instead)
			return false
		}
		rest := wait - time.Since(c.arrived)
		if rest <= 0 {
			for _, b := range by {
				b.fault.Counters.Waited(wait, time.Since(c.arrived))
			}
			return true
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-changed:
		case <-c.done:
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

// arrive asks the faults that concern a connection before its upstream is dialled: how long it is to wait since it came,
// who says so, and how it is ended instead. changed is closed when the answer may be another.
func (l *listener) arrive(c *connection) (wait time.Duration, by []*bond, instead fault.Ending, changed chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		a, ok := f.Effect.(fault.Arrival)
		if !ok || !f.Hits(c.number) {
			continue
		}
		d, how := a.Arrive(fault.NewDraws(f.Seed, c.number, ""))
		wait += d
		b := c.arrivals[f.Counters]
		if b == nil {
			if c.arrivals == nil {
				c.arrivals = make(map[*registry.Counters]*bond)
			}
			b = &bond{fault: f}
			c.arrivals[f.Counters] = b
		}
		by = append(by, b)
		if how != fault.GoesOn {
			f.Counters.EndedOne()
			return 0, []*bond{b}, how, nil
		}
	}
	return wait, by, fault.GoesOn, l.changed
}

// refuseAs ends a connection that has no upstream yet.
func refuseAs(c *connection, how fault.Ending) {
	if how == fault.ByClose {
		// A close with bytes unread would be a RST.
		_ = c.client.CloseWrite()
		_ = c.client.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.Copy(io.Discard, c.client)
		c.close()
		return
	}
	c.reset()
}
