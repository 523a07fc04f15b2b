package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// idleConns need 18,000 files in a proxy; the limit of many machines is 20,000.
const idleConns = 9000

// runIdle opens many connections, and puts a fault on them.
func runIdle(_ *bench, t *target) (values, error) {
	memory, files := t.process.rss(), t.process.files()
	fds, err := openMany(t, idleConns)
	defer func() {
		for _, fd := range fds {
			reset(fd)
		}
	}()
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Second) // what the set-up needed settles
	v := values{
		"idle-rss":   (t.process.rss() - memory) / idleConns,
		"idle-files": float64(t.process.files()-files) / idleConns,
	}
	if t.control == nil {
		return v, nil
	}
	return v, switchMany(t, fds, v)
}

// openMany opens connections, each of which echoes once.
func openMany(t *target, count int) (fds []int, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for {
				mu.Lock()
				enough := len(fds) >= count || err != nil
				mu.Unlock()
				if enough {
					return
				}
				fd, failed := dialRaw(t.at(portEcho))
				if failed == nil {
					failed = echoOnce(fd)
				}
				mu.Lock()
				if failed != nil {
					err = failed
				} else {
					fds = append(fds, fd)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return fds, err
}

// switchMany puts a delay on many open connections and takes it off, and checks that they live.
func switchMany(t *target, fds []int, v values) error {
	const delay = 20 * time.Millisecond
	took, err := within(patience, func(ctx context.Context) error { return t.control.add(ctx, "echo", delay) })
	if err != nil {
		return fmt.Errorf("add with %d connections: %w", len(fds), err)
	}
	v["switch-add"] = took.Seconds() * 1e3
	if m, ok := t.control.(*mishap); ok {
		begin := time.Now()
		for {
			s, err := m.client.Get(context.Background(), m.in["echo"])
			if err != nil {
				return err
			}
			if s.Stats.InForceOn.Connections == s.Stats.InForceOn.Of || time.Since(begin) > patience {
				break
			}
		}
		v["switch-all"] = (took + time.Since(begin)).Seconds() * 1e3
	}
	for i := 0; i < len(fds); i += 500 {
		begin := time.Now()
		if err := echoOnce(fds[i]); err != nil {
			return fmt.Errorf("an open connection broke: %w", err)
		}
		if time.Since(begin) < delay {
			return fmt.Errorf("an open connection was not delayed: %v", time.Since(begin))
		}
	}
	took, err = within(patience, func(ctx context.Context) error { return t.control.remove(ctx, "echo") })
	if err != nil {
		return fmt.Errorf("remove with %d connections: %w", len(fds), err)
	}
	v["switch-remove"] = took.Seconds() * 1e3
	for i := 0; i < len(fds); i += 500 {
		if err := echoOnce(fds[i]); err != nil {
			return fmt.Errorf("an open connection broke: %w", err)
		}
	}
	return nil
}

// open is how many connections mishap proxy thinks it has.
func (m *mishap) open() (sum int, err error) {
	list, err := m.client.Proxies(context.Background())
	for _, p := range list {
		sum += p.Open
	}
	return sum, err
}
