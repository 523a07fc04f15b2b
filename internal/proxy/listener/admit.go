package listener

import (
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
	"mishap/internal/proxy/stream"
)

// admit lets a new connection wait, or ends it, as the faults of the moment want; true says that the upstream is to be
// dialled. When faults change it looks again: a connection never waits for a fault that is over.
func (l *TCP) admit(c *stream.Connection) bool {
	var met map[*registry.Counters]bool // each counts the connection once
	for {
		wait, by, instead, changed := l.arrive(c)
		for _, f := range by {
			if met == nil {
				met = make(map[*registry.Counters]bool)
			}
			if !met[f] {
				met[f] = true
				f.Touched()
			}
		}
		if instead != fault.GoesOn {
			c.Refuse(instead)
			return false
		}
		rest := wait - time.Since(c.Arrived)
		if rest <= 0 {
			for _, f := range by {
				f.Waited(wait, time.Since(c.Arrived))
			}
			return true
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-changed:
		case <-c.Done():
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

// arrive asks the faults that concern a connection before its upstream is dialled: how long it is to wait since it came,
// who says so, and how it is ended instead. changed is closed when the answer may be another.
func (l *TCP) arrive(c *stream.Connection) (wait time.Duration, by []*registry.Counters, instead fault.Ending, changed chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		a, ok := f.Effect.(fault.Arrival)
		if !ok || !f.Hits(c.Number) {
			continue
		}
		d, how := a.Arrive(fault.NewDraws(f.Seed, c.Number, ""))
		if how != fault.GoesOn {
			f.Counters.EndedOne()
			return 0, []*registry.Counters{f.Counters}, how, nil
		}
		wait, by = wait+d, append(by, f.Counters)
	}
	return wait, by, fault.GoesOn, l.changed
}
