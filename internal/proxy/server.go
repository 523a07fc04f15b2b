package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"mishap/internal/certs"
	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
	"mishap/internal/proxy/stream"
)

// Options are what Serve needs.
type Options struct {
	Listeners []listener.Config
	API       API          // may be nil; with it Listeners may be empty
	Control   string       // where the control API is, if no listener says so
	Log       *slog.Logger // may be nil
	// Ready, if set, is called once, when every listener and the control API can be used. It gets the real addresses.
	Ready func([]registry.ProxyStatus)

	// Ports are those of a server that this one succeeds; Standby is called when they are taken, and returns when the
	// control API is free. Both may be nil. Before is where that server answers from then on; see [Successor].
	Ports   listener.Ports
	Standby func() error
	Before  string
	// Succeed gives a process that takes this server's place; nil: none ever. The server then ends when its last
	// connection has, or after Drain, which is an hour unless it is given.
	Succeed <-chan Successor
	Drain   time.Duration

	// Stop, once closed, lets what is open end: faults end at once, no connection is taken any more, and Serve returns when
	// no request is under way and no connection of TCP is open, or after Grace. Nil: only ctx ends it.
	Stop  <-chan struct{}
	Grace time.Duration

	// Budget is how many bytes delay lines may hold together; 0 is a part of the machine's memory.
	Budget int64

	clock func() time.Duration // of leases; bootTime but in tests
}

// Serve runs the proxies, their faults and the control API until ctx is done. It listens on every port, or on none and
// says all that is in the way. When ctx is done it ends every fault and every connection (with a reset: a stream that
// was cut must not look like one that ended), waits until all its goroutines have ended, and gives nil. If the control
// API fails Serve ends too, with that error.
func Serve(ctx context.Context, o Options) error {
	s, err := newServer(o)
	if err != nil {
		return err
	}
	defer s.shared.Clock.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if o.Standby != nil {
		return s.succeed(ctx, stop, o)
	}
	endpoint, err := s.openControl(ctx) // first: it says best that the same proxy is running already
	if err != nil {
		return err
	}
	if err := s.listen(ctx, nil); err != nil {
		endpoint.Close()
		return err
	}
	return s.run(ctx, stop, o, endpoint)
}

// succeed takes over from a server that runs, whose control API is free only then.
func (s *server) succeed(ctx context.Context, stop func(), o Options) error {
	err := s.listen(ctx, o.Ports)
	o.Ports.Close()
	if err != nil {
		return err
	}
	var endpoint *control.Endpoint
	if err = o.Standby(); err == nil {
		endpoint, err = s.openControl(ctx)
	}
	if err != nil {
		s.close()
		return err
	}
	return s.run(ctx, stop, o, endpoint)
}

// run serves until ctx is done, or a successor has taken over.
func (s *server) run(ctx context.Context, stop func(), o Options, endpoint *control.Endpoint) error {
	defer s.close()
	defer stop() // before close waits
	defer func() { endpoint.Close() }()
	endpoint.Serve()
	failed := make(chan error, 1)
	end, err := s.beside(ctx, o.API, failed)
	if err != nil {
		return err
	}
	defer end()
	s.tasks.Go(func() { s.faults.Expire(ctx) })
	s.tasks.Go(s.shared.Clock.Run)
	for _, l := range s.listeners {
		now := l.Status()
		s.log.Info("proxy listens", "proxy", now.Name, "listen", now.Listen, "upstream", now.Upstream)
		s.tasks.Go(func() { l.Serve(ctx) })
	}
	if o.Ready != nil {
		o.Ready(s.proxies())
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case err := <-endpoint.Failed():
			return fmt.Errorf("serve control API on %s: %w", s.path, err)
		case <-o.Stop:
			s.leave(ctx, endpoint, o.Grace)
			return nil
		case next := <-o.Succeed:
			here, err := s.handOver(ctx, next, endpoint)
			if err == nil {
				endpoint = here // which the deferred close ends
				endpoint.Serve()
				s.log.Info("a successor has the ports; connections that are open end here")
				if !s.drain(ctx, cmp.Or(o.Drain, drainFor), o.Stop, func(l front) int { return l.Status().Open }) {
					s.drain(ctx, o.Grace, nil, front.Busy)
				}
				return nil
			}
			s.log.Error("no successor; this proxy goes on", "err", err)
			if endpoint, err = s.reopen(ctx, endpoint); err != nil {
				return err
			}
		}
	}
}

// front is one proxy, as its server sees it.
type front interface {
	registry.Port
	Listen(context.Context, listener.Ports) error // takes the port
	Serve(context.Context)                        // until Close
	Status() registry.ProxyStatus
	Attempts() attempts.Watchable
	File() (*os.File, error) // the port, for a successor
	Retire()                 // gives the port up, and keeps the connections
	Busy() int               // requests under way, or connections where there are none
	Close()                  // also without Listen
}

// server is the proxies of one process and their faults.
type server struct {
	log       *slog.Logger
	path      string            // of the control socket, or tcp://host:port
	files     certs.Mutual      // of the control API, if it is not on this machine alone
	shared    *stream.Resources // by all connections
	configs   []listener.Config
	listeners []front // of those
	guests    guests  // proxies that came later
	faults    *registry.Registry
	control   control.API
	tasks     sync.WaitGroup
}

// newServer makes a server that does nothing yet.
func newServer(o Options) (*server, error) {
	if err := validate(o.Listeners); err != nil && (o.API == nil || len(o.Listeners) > 0) {
		return nil, err
	}
	s := &server{log: o.Log, shared: stream.NewResources(o.Budget)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	byName := make(map[string]registry.Port)
	for _, config := range o.Listeners {
		var l front
		switch config.Protocol {
		case fault.UDP:
			l = listener.NewUDP(config, s.log, s.shared)
		case fault.HTTP:
			l = listener.NewHTTP(config, s.log)
		default:
			l = listener.NewTCP(config, s.log, s.shared)
		}
		s.path, s.files = cmp.Or(s.path, config.Control), cmp.Or(s.files, config.ControlTLS)
		s.configs, s.listeners = append(s.configs, config), append(s.listeners, l)
		byName[config.Name] = l
	}
	s.path = cmp.Or(s.path, o.Control)
	s.faults = registry.New(byName, s.log, o.clock)
	s.control = control.API{Faults: s.faults, Proxies: s.proxies, Attempts: s.attempts, Held: s.shared.Budget.State, Before: control.NewLeft(o.Before), Log: s.log}
	return s, nil
}

// listen takes every port, or none.
func (s *server) listen(ctx context.Context, ports listener.Ports) error {
	var errs []error
	for i, l := range s.listeners {
		errs = append(errs, s.configs[i].Resolve(ctx), l.Listen(ctx, ports))
	}
	err := errors.Join(errs...)
	if err != nil {
		s.close()
	}
	return err
}

// openControl takes the address of the control API.
func (s *server) openControl(ctx context.Context) (*control.Endpoint, error) {
	return s.control.Open(ctx, s.path, s.files)
}

// attempts are those of a proxy of the settings; guests have none.
func (s *server) attempts(name string) (attempts.Watchable, bool) {
	for i, config := range s.configs {
		if config.Name == name {
			return s.listeners[i].Attempts(), true
		}
	}
	return attempts.Watchable{}, false
}

// proxies gives the state of every proxy.
func (s *server) proxies() []registry.ProxyStatus {
	list := make([]registry.ProxyStatus, 0, len(s.listeners))
	for _, l := range s.listeners {
		list = append(list, l.Status())
	}
	return s.faults.FillOwners(append(list, s.guests.status()...))
}

// endWithin is how long connections that have been reset may take to end. Only a fault in a library keeps one longer, and no
// stop waits for that.
const endWithin = 5 * time.Second

// close ends every connection and waits until all goroutines have ended, for endWithin.
func (s *server) close() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var fronts sync.WaitGroup
		for _, l := range s.listeners {
			fronts.Go(l.Close)
		}
		fronts.Go(s.guests.close)
		fronts.Wait()
		s.shared.Clock.Close() // nobody waits any more
		s.tasks.Wait()
		s.shared.Close()
	}()
	timer := time.NewTimer(endWithin)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		s.log.Warn("connections were reset and have not ended", "after", endWithin)
	}
}
