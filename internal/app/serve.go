package app

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"mishap"
	"mishap/experiments"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/notify"
	"mishap/internal/runner"
	"mishap/internal/scheduler"
	"mishap/internal/source"
	"mishap/internal/trace"
)

// ServeOptions say what a server serves.
type ServeOptions struct {
	Sources []config.Source // beside those of the settings
	Listen  string          // address of the API instead of the one in the settings
	Version string          // of this program, for traces
	Ready   func(address string)
	Stop    <-chan struct{} // closed: revert everything and end
	Reload  <-chan struct{} // each: look again at what can be looked at without a restart; may be nil
}

// serving is a server: it runs declared experiments by themselves.
type serving struct {
	*App
	book     ledger.Ledger
	sources  []config.Source
	hub      hub
	notifier *notify.Notifier
	notify   func(notify.Message)                       // tells people; the notifier, except in tests
	launch   func(begins)                               // starts a due run; begin, except in tests
	readers  func(config.Source) (source.Reader, error) // readerOf, except in tests
	metrics  *metrics
	rules    *catalog.Rules
	retries  retries
	asking   singleflight.Group // runs that are asked for with a key, by their id
	refusals refusals
	provider provider
	traces   *trace.Exporter
	tracing  sync.WaitGroup
	digest   *scheduler.Timetable // nil: none
	version  string               // of this program

	wake    chan struct{}            // the dispatcher has something to look at
	refresh map[string]chan struct{} // by source: look now
	runs    sync.WaitGroup
	life    context.Context // of the runs: ends only when they are left to their keepers

	giveUp chan struct{} // closed when what could not be written is left to the next server

	clock     time.Time            // as the dispatcher saw it last
	announced map[string]time.Time // by experiment: the time of its schedule that was told to come

	mu       sync.Mutex
	trees    map[string]*source.Tree // by source: what is in force
	problems map[string]string       // by source: why what is there is not in force
	known    map[string]held         // experiments in force, by name
	starting map[string]bool         // experiments that are being started here
	looked   map[string]time.Time    // by source: when it was looked at last, since the server started
	reached  map[string]time.Time    // by source: when it last answered anybody
	holding  map[string]string       // by source: why none of it runs, as it was told last
	toldWait map[string]time.Time    // by experiment: the time of its schedule that it was told to wait for
	ready    bool
}

// held is an experiment in force.
type held struct {
	mishap.Experiment
	source string
	tree   *source.Tree         // that it is of
	table  *scheduler.Timetable // nil without a schedule
}

// Serve runs the declared experiments until it is stopped. First of all it
// reverts what lost servers left.
func (a *App) Serve(ctx context.Context, o ServeOptions) error {
	end := a.Aiding(ctx, "") // whatever the ledger does
	s, err := a.newServing(ctx, o)
	end()
	if err != nil {
		return err
	}
	listener, err := s.bind(ctx, o)
	if err != nil {
		return err
	}
	a.log.Info("server starts", "server", s.Server(), "state", a.Settings.State, "listen", address(listener))
	closeAPI, err := s.serveAPI(ctx, listener)
	if err != nil {
		return err
	}
	defer closeAPI()
	loops, stopLoops := context.WithCancel(ctx)
	defer stopLoops()

	s.recoverAll(loops, true)
	telling, stopTelling := context.WithCancel(ctx) // also of how runs end that are stopped
	defer stopTelling()
	var all, told sync.WaitGroup
	told.Go(func() { s.tellAll(telling) })
	if err := s.forgetSources(ctx); err != nil {
		return err
	}
	firstLooks, err := s.followAll(loops, &all)
	if err != nil {
		return err
	}
	all.Go(func() {
		select { // a source that hangs holds up no other
		case <-firstLooks:
		case <-time.After(readyWithin):
		case <-loops.Done():
			return
		}
		s.setReady()
		if o.Ready != nil {
			o.Ready(address(listener))
		}
	})
	all.Go(func() { s.recoverLoop(loops) })
	all.Go(func() { s.dispatch(loops) })
	all.Go(func() { s.retireLoop(loops) })
	all.Go(func() { s.sumLoop(loops) })
	all.Go(func() { s.announceLoop(loops) })
	all.Go(func() { s.reloadLoop(loops, o.Reload) })

	select {
	case <-ctx.Done():
	case <-o.Stop:
	}
	a.log.Info("server stops: every run reverts")
	stopLoops()
	s.drain()
	all.Wait()
	stopTelling()
	told.Wait()
	return errors.Join(s.closeNotifier(), s.closeTraces())
}

func (a *App) newServing(ctx context.Context, o ServeOptions) (*serving, error) {
	book, err := a.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	id, err := a.Join(ctx, "serve")
	if err != nil {
		return nil, err
	}
	if err := a.TakeStops(id); err != nil {
		return nil, err
	}
	sources := append(append([]config.Source(nil), a.Settings.Server.Sources...), o.Sources...)
	if len(sources) == 0 {
		return nil, mishap.Invalid(mishap.WithHint(errors.New("serve: there is nothing to serve"), "give --experiments DIR, or sources in the settings"))
	}
	if err := a.Bind(sources); err != nil {
		return nil, err
	}
	debug.SetGCPercent(50) // a server of many experiments is idle most of the time, and shares its machine
	s := &serving{
		App: a, book: book, sources: sources,
		wake: make(chan struct{}, 1), refresh: map[string]chan struct{}{}, giveUp: make(chan struct{}), life: context.WithoutCancel(ctx),
		trees: map[string]*source.Tree{}, problems: map[string]string{}, known: map[string]held{}, starting: map[string]bool{},
		looked: map[string]time.Time{}, reached: map[string]time.Time{}, holding: map[string]string{}, toldWait: map[string]time.Time{}, announced: map[string]time.Time{},
	}
	for _, src := range sources {
		s.refresh[src.Name] = make(chan struct{}, 1)
	}
	if s.digest, err = s.newDigest(); err != nil {
		return nil, err
	}
	if s.rules, err = a.Rules(); err != nil {
		return nil, err
	}
	if s.notifier, err = a.newNotifier(); err != nil {
		return nil, err
	}
	s.provider.about = a.Settings.Server.OIDC
	s.version = o.Version
	if s.traces, err = trace.FromEnvironment(ctx, o.Version, a.log); err != nil {
		return nil, mishap.Invalid(err)
	}
	s.metrics = newMetrics(s)
	s.launch, s.notify, s.readers = s.begin, s.notifier.Tell, s.readerOf
	return s, nil
}

func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// drain asks every run to revert and waits for all of them.
func (s *serving) drain() {
	over := make(chan struct{})
	go func() { s.runs.Wait(); close(over) }()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	const patience = 20 * time.Second
	defer time.AfterFunc(patience, func() { close(s.giveUp) }).Stop()
	for {
		s.StopAll(runner.Stop{Cause: mishap.CauseInterrupt, Reason: "the server was stopped", By: "the operating system"})
		select {
		case <-over:
			return
		case <-again.C:
		}
	}
}

func (s *serving) setReady() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = true
}

// readerOf makes what reads a source.
func (s *serving) readerOf(src config.Source) (source.Reader, error) {
	about := s.LoadOptions(catalog.Given{Environment: src.Environment}, false)
	about.AllowEmpty = true
	about.Cache = &experiments.Cache{}
	reading := source.Reading{Source: src, About: about, Dir: filepath.Join(s.Settings.State, "sources", src.Name), Secret: catalog.Secret}
	if src.Folder == "" {
		before, err := s.book.Revision(s.life, src.Name)
		if err != nil {
			return nil, err
		}
		reading.Before = before.Commit
	}
	return source.NewReader(reading)
}
