// Package server runs declared experiments by themselves: it follows their sources,
// dispatches what is due, takes over what lost servers left, and tells people.
//
// Each part is a type: the follower puts trees in force, which are desired; the
// dispatcher says what becomes of what is due, the launcher begins it, and the asker
// begins what somebody asks for; approvals, takeover, announcer, notices. [Server] wires
// them. It knows no HTTP: who asks over the network, and whether they may, is for
// internal/httpapi.
package server

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"mishap"
	"mishap/internal/aid"
	"mishap/internal/api"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/engine"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/notify"
	"mishap/internal/sweep"
	"mishap/internal/trace"
)

// Options say what a server works with, and what it serves.
type Options struct {
	Settings *config.Settings // as they are at the moment of a call
	Member   *member.Member   // that has joined the ledger
	Catalog  *catalog.Catalog // bound to the sources
	Engine   *engine.Engine
	Takeover *engine.Takeover
	Aid      *aid.Aider
	Sweeper  *sweep.Sweeper // nil: there are no vaults
	Book     ledger.Ledger
	Sources  []config.Source
	Version  string // of this program, for traces
	Log      *slog.Logger
}

// Server runs declared experiments by themselves.
type Server struct {
	*shared
	desired    *desired
	follower   *follower
	dispatcher *dispatcher
	launcher   *launcher
	asker      *asker
	approvals  *approvals
	takeover   *takeover
	announcer  *announcer
	notices    *notices
	reloader   *reloader
	events     *events
	retirer    retirer
	ready      atomic.Bool
}

// New makes a server, and starts nothing but who tells people.
func New(ctx context.Context, o Options) (*Server, error) {
	s := &shared{
		settings: o.Settings, member: o.Member, catalog: o.Catalog, engine: o.Engine, book: o.Book, log: o.Log,
		life: context.WithoutCancel(ctx), wake: make(chan struct{}, 1),
	}
	digest, err := newDigest(o.Settings)
	if err != nil {
		return nil, err
	}
	if _, err = o.Catalog.Rules(); err != nil {
		return nil, err
	}
	s.rules = func() *catalog.Rules { r, _ := o.Catalog.Rules(); return r }
	targets, err := targets(o.Settings)
	if err != nil {
		return nil, err
	}
	traces, err := trace.FromEnvironment(ctx, o.Version, o.Log)
	if err != nil {
		return nil, mishap.Invalid(err)
	}
	made := assemble(s, o, notify.New(notify.Options{Log: s.log, Dial: s.catalog.Dial, Targets: targets}))
	made.notices.traces = traces
	made.announcer.digest.Store(digest)
	return made, nil
}

// assemble hands each part what it works with.
func assemble(s *shared, o Options, notifier *notify.Notifier) *Server {
	s.metrics, s.notify = newMetrics(s.book, s.log, notifier.Stats), func(m notify.Message) { notifier.Tell(s.linked(m)) }
	ev, d := newEvents(s), newDesired(s, o.Sources)
	approvals := &approvals{shared: s, desired: d}
	launcher := newLauncher(s, d, approvals, ev)
	dispatcher := &dispatcher{shared: s, desired: d, events: ev, launch: launcher.begin, busy: launcher.busy}
	follower := newFollower(s, d, ev)
	announcer := &announcer{shared: s, desired: d, dispatcher: dispatcher, announced: map[string]time.Time{}}
	return &Server{
		shared: s, desired: d, follower: follower, dispatcher: dispatcher, launcher: launcher, approvals: approvals, events: ev,
		asker:     &asker{shared: s, desired: d, dispatcher: dispatcher, launcher: launcher, events: ev},
		takeover:  &takeover{shared: s, lost: o.Takeover, aid: o.Aid, sweeper: o.Sweeper, launcher: launcher, events: ev},
		announcer: announcer,
		notices:   &notices{shared: s, events: ev, notifier: notifier},
		reloader:  &reloader{shared: s, follower: follower, announcer: announcer, notifier: notifier},
		retirer:   retirer{s},
	}
}

// RunOptions say how a server is followed and ended.
type RunOptions struct {
	Ready  func()          // called once each source was looked at, or does not answer; may be nil
	Stop   <-chan struct{} // closed: revert everything and end
	Reload <-chan struct{} // each: read the settings again, and look at every source; may be nil
}

// Run runs the declared experiments until it is stopped. First of all it reverts
// what lost servers left.
func (s *Server) Run(ctx context.Context, o RunOptions) error {
	loops, stopLoops := context.WithCancel(ctx)
	defer stopLoops()
	s.takeover.recoverAll(loops, true)
	telling, stopTelling := context.WithCancel(ctx) // also of how runs end that are stopped
	defer stopTelling()
	var all, told sync.WaitGroup
	told.Go(func() { s.notices.tellAll(telling) })
	if err := s.follower.forgetSources(ctx); err != nil {
		return err
	}
	firstLooks, err := s.follower.followAll(loops, &all)
	if err != nil {
		return err
	}
	all.Go(func() { s.awaitReady(loops, firstLooks, o.Ready) })
	all.Go(func() { s.takeover.recoverLoop(loops) })
	all.Go(func() { s.takeover.sweepLoop(loops) })
	all.Go(func() { s.dispatcher.dispatch(loops) })
	all.Go(func() { s.retirer.loop(loops) })
	all.Go(func() { s.announcer.announceLoop(loops) })
	all.Go(func() { s.reloader.loop(loops, o.Reload) })

	select {
	case <-ctx.Done():
	case <-o.Stop:
	}
	s.log.Info("server stops: every run reverts")
	stopLoops()
	s.launcher.drain()
	all.Wait()
	stopTelling()
	told.Wait()
	return errors.Join(s.notices.closeNotifier(), s.notices.closeTraces())
}

// awaitReady waits for the first look at each source, but a source that hangs holds
// up no other.
func (s *Server) awaitReady(ctx context.Context, firstLooks <-chan struct{}, tell func()) {
	select {
	case <-firstLooks:
	case <-time.After(readyWithin):
	case <-ctx.Done():
		return
	}
	s.ready.Store(true)
	if tell != nil {
		tell()
	}
}

// Ready reports whether what was left is reverted, and the sources are read.
func (s *Server) Ready() bool { return s.ready.Load() }

// Metrics answers Prometheus.
func (s *Server) Metrics() http.Handler { return s.metrics.handler() }

// Events are everything that happens, from what is remembered after the event with
// that number. They end with the context, and for a listener that is too slow.
func (s *Server) Events(ctx context.Context, after int64) iter.Seq[api.Event] {
	return func(yield func(api.Event) bool) {
		events, done := s.events.hub.listen(after)
		defer done()
		for {
			select {
			case <-ctx.Done():
				return
			case e, ok := <-events:
				if !ok || !yield(e.Event) {
					return
				}
			}
		}
	}
}
