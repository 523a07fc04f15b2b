package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
)

const resolveTimeout = 5 * time.Second

// Options are what Serve needs.
type Options struct {
	Listeners []Listener
	API       API          // may be nil; with it Listeners may be empty
	Control   string       // where the control API is, if no listener says so
	Log       *slog.Logger // may be nil
	// Ready, if set, is called once, when every listener and the control API can be used. It gets the real addresses.
	Ready func([]ProxyStatus)

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
	defer s.clock.close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	socket, release, err := listenControl(ctx, s.path, s.files) // first: it says best that the same proxy is running already
	if err != nil {
		return err
	}
	defer release()
	if err := s.listen(ctx); err != nil {
		return err
	}
	defer s.close()
	defer stop() // before close waits
	failed := make(chan error, 2)
	control := s.newControl()
	s.tasks.Go(func() { failed <- fmt.Errorf("serve control API on %s: %w", s.path, control.Serve(socket)) })
	defer control.Close()
	end, err := s.beside(ctx, o.API, failed)
	if err != nil {
		return err
	}
	defer end()
	s.tasks.Go(func() { s.faults.expire(ctx) })
	s.tasks.Go(s.clock.run)
	for _, l := range s.listeners {
		now := l.status()
		s.log.Info("proxy listens", "proxy", now.Name, "listen", now.Listen, "upstream", now.Upstream)
		s.tasks.Go(func() { l.serve(ctx) })
	}
	if o.Ready != nil {
		o.Ready(s.proxies())
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// front is one proxy, as its server sees it.
type front interface {
	port
	listen(context.Context) error // takes the port
	serve(context.Context)        // until close
	status() ProxyStatus
	close() // also without listen
}

// server is the proxies of one process and their faults.
type server struct {
	log       *slog.Logger
	path      string   // of the control socket, or tcp://host:port
	files     TLSFiles // of the control API, if it is not on this machine alone
	held      *budget  // of all delay lines
	clock     *clock   // of all delay lines
	pool      *bufferPool
	configs   []Listener
	listeners []front // of those
	guests    guests  // proxies that came later
	faults    *registry
	tasks     sync.WaitGroup
}

// newServer makes a server that does nothing yet.
func newServer(o Options) (*server, error) {
	if err := validate(o.Listeners); err != nil && (o.API == nil || len(o.Listeners) > 0) {
		return nil, err
	}
	s := &server{log: o.Log, clock: newClock(), pool: new(bufferPool)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.held = &budget{limit: cmp.Or(o.Budget, serverBudget())}
	byName := make(map[string]port)
	for _, config := range o.Listeners {
		var l front = newUDPListener(config, s.log, s.held, s.clock)
		if config.Protocol != UDP {
			l = s.newListener(config)
		}
		s.path, s.files = cmp.Or(s.path, config.Control), cmp.Or(s.files, config.ControlTLS)
		s.configs, s.listeners = append(s.configs, config), append(s.listeners, l)
		byName[config.Name] = l
	}
	s.path = cmp.Or(s.path, o.Control)
	s.faults = newRegistry(byName, s.log)
	if o.clock != nil {
		s.faults.clock = o.clock
	}
	return s, nil
}

// newListener makes a listener of TCP that does nothing yet.
func (s *server) newListener(config Listener) *listener {
	return &listener{Listener: config, log: s.log, pool: s.pool, bytes: s.held, clock: s.clock,
		open: make(map[*connection]struct{}), changed: make(chan struct{})}
}

// listen takes every port, or none.
func (s *server) listen(ctx context.Context) error {
	var errs []error
	for i, l := range s.listeners {
		errs = append(errs, s.configs[i].resolve(ctx), l.listen(ctx))
	}
	err := errors.Join(errs...)
	if err != nil {
		s.close()
	}
	return err
}

// proxies gives the state of every proxy.
func (s *server) proxies() []ProxyStatus {
	list := make([]ProxyStatus, 0, len(s.listeners))
	for _, l := range s.listeners {
		list = append(list, l.status())
	}
	return append(list, s.guests.status()...)
}

// close ends every connection and waits until all goroutines have ended.
func (s *server) close() {
	for _, l := range s.listeners {
		l.close()
	}
	s.guests.close()
	s.clock.close() // nobody waits any more
	s.tasks.Wait()
}

// resolve checks that the upstream's host has an address.
func (l Listener) resolve(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	host, _, err := net.SplitHostPort(l.Upstream)
	if err == nil {
		_, err = net.DefaultResolver.LookupHost(ctx, host)
	}
	if err != nil {
		return fmt.Errorf("proxy %q cannot find its upstream %q: correct the host name, or wait until it resolves: %w",
			l.Name, l.Upstream, err)
	}
	return nil
}

// listen takes the port.
func (l *listener) listen(ctx context.Context) error {
	var config net.ListenConfig
	tcp, err := config.Listen(ctx, "tcp", l.Listen)
	if err != nil {
		return l.cannotListen(err)
	}
	l.tcp = tcp.(*net.TCPListener) // what the network "tcp" gives
	return nil
}

// cannotListen says why the port could not be taken, and what to do.
func (l Listener) cannotListen(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("proxy %q cannot listen on %s: the port is in use; stop what uses it, or change listen: %w",
			l.Name, l.Listen, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("proxy %q may not listen on %s: use a port from 1024 up, or grant CAP_NET_BIND_SERVICE: %w",
			l.Name, l.Listen, err)
	default:
		return fmt.Errorf("proxy %q cannot listen on %s: use an address of this machine: %w", l.Name, l.Listen, err)
	}
}
