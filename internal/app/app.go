// Package app wires everything: it alone knows all catalogs and mechanisms. A
// verb of the command line is one call here.
package app

import (
	"log/slog"

	"mishap"
	"mishap/internal/aid"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/desk"
	"mishap/internal/engine"
	"mishap/internal/member"
	"mishap/internal/sweep"
)

// Options says where settings and state are.
type Options struct {
	Config string // settings file; empty means search
	State  string // state directory; empty means as in the settings
	Ledger string // address of the ledger's database; empty means as in the settings
	Listen string // address of a server's API; empty means as in the settings
	Log    *slog.Logger
	Around engine.Around // for tests; may be nil

	Injectors []mishap.InjectorKind // beside the catalog
}

// App is mishap with its settings: all that it is made of, wired.
type App struct {
	*member.Member
	*catalog.Catalog
	*aid.Aider
	*engine.Engine
	*engine.Takeover
	*desk.Desk
	Sweeper  *sweep.Sweeper // nil: there are no vaults
	Settings config.Settings
	log      *slog.Logger
}

// New reads the settings, and hands each part what it works with.
func New(o Options) (*App, error) {
	settings, err := config.Load(config.Options{File: o.Config, Flags: map[string]string{"state": o.State, "ledger": o.Ledger, "listen": o.Listen}})
	if err != nil {
		return nil, mishap.Invalid(err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &App{Settings: settings, log: o.Log}
	a.Member = member.New(member.Options{State: settings.State, Ledger: settings.Ledger, Lease: settings.ServerLease.Std(), Log: o.Log})
	a.Catalog = catalog.New(catalog.Options{Settings: &a.Settings, Beside: o.Injectors, Halted: a.HaltedBy, Others: a.Others, Log: o.Log})
	a.Aider = aid.New(aid.Options{Settings: &a.Settings, Member: a.Member, Kinds: a.Kinds, Restore: a.Restore, Taken: a.Vaults().Taken})
	with := engine.Options{Settings: &a.Settings, Member: a.Member, Catalog: a.Catalog, Aid: a.Aider, Log: o.Log, Around: o.Around}
	a.Engine, a.Takeover = engine.New(with), engine.NewTakeover(with)
	a.Desk = desk.New(desk.Options{Settings: &a.Settings, Member: a.Member, Catalog: a.Catalog})
	if v := a.Vaults(); v != nil {
		a.Sweeper = &sweep.Sweeper{Vaults: v, Places: a.Places(), Restore: a.Restore, RevertWithin: settings.RevertWithin.Std(), Log: o.Log}
	}
	return a, nil
}

// Close ends what a run needed, and this process as a server.
func (a *App) Close() {
	a.Member.Close()
	a.Engine.Close()
}
