package app

import (
	"context"
	"errors"
	"net"
	"runtime/debug"
	"slices"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/console"
	"mishap/internal/httpapi"
	"mishap/internal/ledger"
	"mishap/internal/server"
	"mishap/internal/source"
)

// ServeOptions say what a server serves.
type ServeOptions struct {
	Sources []config.Source // beside those of the settings
	Version string          // of this program, for traces
	Ready   func(address string)
	Stop    <-chan struct{} // closed: revert everything and end
	Reload  <-chan struct{} // each: read the settings again, and look at every source; may be nil
}

// Serve runs the declared experiments until it is stopped. First of all it
// reverts what lost servers left.
func (a *App) Serve(ctx context.Context, o ServeOptions) error {
	end := a.Aiding(ctx, "") // whatever the ledger does
	s, book, err := a.newServer(ctx, o)
	end()
	if err != nil {
		return err
	}
	api := httpapi.New(httpapi.Options{Settings: &a.Settings, Server: s, Desk: a.Desk, Member: a.Member, Book: book, Version: o.Version, Log: a.log, FileAt: fileAt(&a.Settings, o.Sources)})
	api.Show(console.New(console.Options{
		API: api.Inner(), Admit: api.Admit, WhileIn: api.WhileIn, NeedsSignIn: api.NeedsSignIn, Provider: api.SignIn(), Events: func() int64 { _, n := s.Going(); return n }, Version: o.Version, Log: a.log,
	}))
	listener, err := api.Listen(ctx)
	if err != nil {
		return err
	}
	a.log.Info("server starts", "server", a.Server(), "state", a.Settings.State, "listen", address(listener))
	closeAPI, err := api.Serve(ctx, listener)
	if err != nil {
		return err
	}
	defer closeAPI()
	ready := func() {
		if o.Ready != nil {
			o.Ready(address(listener))
		}
	}
	return s.Run(ctx, server.RunOptions{Ready: ready, Stop: o.Stop, Reload: o.Reload})
}

// newServer joins the ledger as what runs experiments by themselves.
func (a *App) newServer(ctx context.Context, o ServeOptions) (*server.Server, ledger.Ledger, error) {
	book, err := a.Ledger(ctx)
	if err != nil {
		return nil, nil, err
	}
	id, err := a.Join(ctx, "serve")
	if err != nil {
		return nil, nil, err
	}
	if err := a.TakeStops(id); err != nil {
		return nil, nil, err
	}
	sources := slices.Concat(a.Settings.Server.Sources, o.Sources)
	if len(sources) == 0 {
		return nil, nil, mishap.Invalid(mishap.WithHint(errors.New("serve: there is nothing to serve"), "give --experiments DIR, or sources in the settings"))
	}
	if err := a.Bind(sources); err != nil {
		return nil, nil, err
	}
	debug.SetGCPercent(50) // a server of many experiments is idle most of the time, and shares its machine
	s, err := server.New(ctx, server.Options{
		Settings: &a.Settings, Member: a.Member, Catalog: a.Catalog, Engine: a.Engine, Takeover: a.Takeover, Aid: a.Aider, Sweeper: a.Sweeper,
		Book: book, Sources: sources, Version: o.Version, Log: a.log,
	})
	return s, book, err
}

// fileAt reads files out of what the sources of a server keep.
func fileAt(settings *config.Settings, more []config.Source) func(context.Context, mishap.Source) (string, error) {
	return func(ctx context.Context, s mishap.Source) (string, error) {
		return source.FileAt(ctx, settings.State, slices.Concat(settings.Server.Sources, more), s.Commit, s.Path)
	}
}

func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}
