package proxy

import (
	"context"
	"fmt"
	"time"

	"mishap/internal/proxy/control"
	"mishap/internal/proxy/listener"
)

// drainFor is how long a server that was succeeded keeps its connections, unless its options say otherwise.
const drainFor = time.Hour

// Successor is a process that takes a server's place.
type Successor interface {
	// Start begins it, and returns when it has taken the ports. An error leaves the old server as it is. before is the
	// socket where this server answers the control API from Release on, for the connections that stay with it.
	Start(ports listener.Ports, before string) error
	// Release tells it that the control API is free, and that it may begin.
	Release() error
}

// handOver lets a successor take the ports and the control API; the connections that are open stay here. No fault
// survives: a successor has none. Those that it gets reach the connections here by another control API, which is given
// back. On an error this server still has the ports.
func (s *server) handOver(ctx context.Context, next Successor, outside *control.Endpoint) (*control.Endpoint, error) {
	ports := listener.Ports{}
	defer ports.Close()
	for i, l := range s.listeners {
		f, err := l.File()
		if err != nil {
			return nil, fmt.Errorf("hand over the port of proxy %q: %w", s.configs[i].Name, err)
		}
		ports[s.configs[i].Port()] = f
	}
	here, path, err := s.control.OpenLeft(ctx)
	if err != nil {
		return nil, err
	}
	if err := next.Start(ports, path); err != nil {
		here.Close()
		return nil, fmt.Errorf("start the successor: %w", err)
	}
	s.faults.End()
	outside.Close()
	if err := next.Release(); err != nil {
		here.Close()
		return nil, fmt.Errorf("let the successor begin: %w", err)
	}
	for _, l := range s.listeners {
		l.Retire()
	}
	return here, nil
}

// reopen opens the control API again if it was given up.
func (s *server) reopen(ctx context.Context, e *control.Endpoint) (*control.Endpoint, error) {
	if !e.Closed() {
		return e, nil
	}
	again, err := s.openControl(ctx)
	if err == nil {
		again.Serve()
	}
	return again, err
}

// leave ends the server as gently as can be in a time.
func (s *server) leave(ctx context.Context, endpoint *control.Endpoint, grace time.Duration) {
	for _, l := range s.listeners {
		l.Retire() // before faults let go of requests: their connections end too
	}
	s.faults.End()
	endpoint.Close()
	s.drain(ctx, grace, nil, front.Busy)
}

// drain waits until nothing is left on any listener and no fault is in force, whose numbers a successor still asks for, but
// not longer than most. It is false if it was told to hurry.
func (s *server) drain(ctx context.Context, most time.Duration, hurry <-chan struct{}, left func(front) int) bool {
	const look = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		open := 0
		for _, l := range s.listeners {
			open += left(l)
		}
		if open == 0 && !s.faults.Any() {
			return true
		}
		select {
		case <-tick.C:
		case <-hurry:
			return false
		case <-ctx.Done():
			s.log.Warn("connections are reset that did not end in time", "open", open)
			return true
		}
	}
}
