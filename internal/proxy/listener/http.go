package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// headerTimeout bounds how long a client may take for the head of a request.
const headerTimeout = 30 * time.Second

// What HTTP/2 can meet besides failures of the network.
var (
	errUpstreamFull = errors.New("the upstream allows no more streams at a time; raise its limit (max concurrent streams)")
	errCrowded      = errors.New("256 MiB of the bodies of requests wait to be passed on; hold fewer uploads, or shorter")
)

// HTTP passes the requests of one proxy: HTTP/1.1, HTTP/2, gRPC and WebSocket, with TLS on either side.
type HTTP struct {
	Config
	log      *slog.Logger
	trouble  *registry.Troubles
	tcp      net.Listener
	tls      *tls.Config // towards clients; nil: none
	server   forward.Server
	calls    *attempts.Recorder
	met      *attempts.MetWatches
	board    forward.Board
	tasks    sync.WaitGroup
	open     atomic.Int64
	total    atomic.Uint64
	refused  atomic.Uint64 // requests whose upstream could not be reached
	requests atomic.Uint64

	mu     sync.Mutex
	rules  map[*registry.Active]*forward.Fault
	counts map[*forward.Fault]*registry.Counters // also of faults that have ended, while requests that they hit go on
	end    context.CancelFunc                    // resets all connections; nil until it serves
	closed bool
}

// NewHTTP makes a listener that does nothing yet.
func NewHTTP(config Config, log *slog.Logger) *HTTP {
	l := &HTTP{Config: config, log: log, trouble: registry.NewTroubles(config.Name, log), rules: make(map[*registry.Active]*forward.Fault),
		counts: make(map[*forward.Fault]*registry.Counters), calls: attempts.NewRecorder()}
	l.met = attempts.NewMetWatches(&l.board)
	l.server.Identify = l.calls.Identify
	l.server.Faults, l.server.Observe, l.server.HeaderTimeout = &l.board, l.observe, headerTimeout
	l.server.Crowded = func() { l.trouble.Met("a client of "+l.Name+" is not read for a while", errCrowded) }
	l.server.Edge, l.server.Egress = config.Edge, config.Egress
	return l
}

// Listen takes the port.
func (l *HTTP) Listen(ctx context.Context, ports Ports) error {
	if err := l.secure(); err != nil {
		return fmt.Errorf("proxy %q: %w", l.Name, err)
	}
	tcp, err := ports.tcp(ctx, l.Config)
	if err != nil {
		return l.cannotListen(err)
	}
	l.tcp = tcp
	return nil
}

// Serve passes requests on until the listener is closed.
func (l *HTTP) Serve(ctx context.Context) {
	ctx, end := context.WithCancel(ctx)
	l.mu.Lock()
	l.end = end // by close: connections go on when the port is given up
	l.mu.Unlock()
	accepting(ctx, l.trouble, l.tcp.Accept, func(client net.Conn) { l.begin(ctx, client) })
}

// begin serves a client in a goroutine of its own.
func (l *HTTP) begin(ctx context.Context, client net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = client.Close()
		return
	}
	if l.tls != nil {
		client = tls.Server(client, l.tls)
	}
	l.total.Add(1)
	l.open.Add(1)
	l.tasks.Go(func() {
		defer l.open.Add(-1)
		l.server.Serve(ctx, client)
	})
}

// Set puts these faults in force for requests that come and those that wait, and no others.
func (l *HTTP) Set(faults []*registry.Active) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := make(map[*registry.Active]bool)
	for _, f := range faults {
		keep[f] = true
		if l.rules[f] == nil {
			l.put(f)
		}
	}
	for f, rule := range l.rules {
		if !keep[f] {
			l.board.Remove(rule)
			delete(l.rules, f)
		}
	}
	l.forget()
}

// put puts a fault on the board, in the place of what it was before its run changed it.
func (l *HTTP) put(f *registry.Active) {
	rule, err := f.Rule()
	if err != nil {
		l.log.Error("fault without effect", "fault", f.ID, "err", err) // check refuses it before
		return
	}
	next, err := forward.NewFault(rule)
	if err != nil {
		l.log.Error("fault without effect", "fault", f.ID, "err", err)
		return
	}
	l.counts[next] = f.Counters
	f.Counters.Spares(next.Overflow)
	for g, old := range l.rules {
		if g.Counters == f.Counters {
			l.board.Replace(old, next)
			delete(l.rules, g)
			l.rules[f] = next
			return
		}
	}
	l.board.Put(next)
	l.rules[f] = next
}

// forget drops the counters of faults that are over and hit no request any more.
func (l *HTTP) forget() {
	inForce := make(map[*forward.Fault]bool)
	for _, rule := range l.rules {
		inForce[rule] = true
	}
	for rule := range l.counts {
		if !inForce[rule] && rule.Active() == 0 {
			delete(l.counts, rule)
		}
	}
}

// observe counts what faults did to a request.
func (l *HTTP) observe(x *forward.Exchange) {
	l.requests.Add(1)
	l.calls.Exchange(x)
	switch x.Failure {
	case forward.Unreachable:
		l.refused.Add(1)
	case forward.UpstreamFull:
		l.trouble.Met("a request found no place on "+l.Upstream, errUpstreamFull)
	default:
	}
	if len(x.Hits)+len(x.Passed) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range x.Hits {
		if c := l.counts[h.Fault]; c != nil {
			c.Request(h, x)
			if h.Fault.Rule().Match.Member.Token != "" {
				c.InArm(x, true, h.LetGo)
			}
		}
	}
	for _, f := range x.Passed {
		if c := l.counts[f]; c != nil {
			c.InArm(x, false, false)
		}
	}
}

// Takes says why the proxy cannot have a fault with the effect; nil if it can.
func (l *HTTP) Takes(e fault.Effect) error { return fault.Suits(e, l.Name, fault.HTTP) }

// Coverage is all open connections: a fault concerns requests, and those that wait too.
func (l *HTTP) Coverage(*registry.Active) registry.Coverage {
	n := int(l.open.Load())
	return registry.Coverage{Connections: n, Of: n}
}

// Status is what the control API says of the proxy.
func (l *HTTP) Status() registry.ProxyStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return registry.ProxyStatus{Name: l.Name, Listen: l.tcp.Addr().String(), Upstream: l.Upstream, Protocol: fault.HTTP,
		Open: int(l.open.Load()), Total: l.total.Load(), Refused: l.refused.Load(), Requests: l.requests.Load(), Faults: len(l.rules),
		Edge: l.Edge, Egress: l.Egress, Trouble: l.trouble.Status()}
}

// Attempts are what can be watched of its requests.
func (l *HTTP) Attempts() attempts.Watchable {
	return attempts.Watchable{Protocol: fault.HTTP, Calls: l.calls, Met: l.met}
}

// Close stops accepting, resets every open connection, and waits until their goroutines have ended.
func (l *HTTP) Close() {
	if l.tcp == nil {
		return
	}
	_ = l.tcp.Close()
	l.calls.Close()
	l.met.Close()
	l.mu.Lock()
	l.closed = true
	end := l.end
	l.mu.Unlock()
	if end != nil {
		end()
	}
	l.tasks.Wait()
}

// File is the port, for a successor.
func (l *HTTP) File() (*os.File, error) {
	if tcp, ok := l.tcp.(*net.TCPListener); ok {
		return tcp.File()
	}
	return nil, errNotListening
}

// Retire stops accepting. Requests go on, and each connection ends with its next response.
func (l *HTTP) Retire() {
	_ = l.tcp.Close()
	l.server.Drain()
}

// Busy is how many requests are under way.
func (l *HTTP) Busy() int { return int(l.server.Active()) }
