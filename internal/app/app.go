// Package app wires everything: it alone knows all catalogs and mechanisms. A
// verb of the command line is one call here.
package app

import (
	"log/slog"

	"mishap"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/member"
)

// Options says where settings and state are.
type Options struct {
	Config string // settings file; empty means search
	State  string // state directory; empty means as in the settings
	Ledger string // address of the ledger's database; empty means as in the settings
	Log    *slog.Logger
	Around Around // for tests; may be nil

	Injectors []mishap.InjectorKind // beside the catalog
}

// App is mishap with its settings, as a member of its ledger.
type App struct {
	*member.Member
	*catalog.Catalog
	*aider
	Settings config.Settings
	log      *slog.Logger
	around   Around

	house    house
	comparer *comparer
}

// New reads the settings.
func New(o Options) (*App, error) {
	settings, err := config.Load(config.Options{File: o.Config, Flags: map[string]string{"state": o.State, "ledger": o.Ledger}})
	if err != nil {
		return nil, mishap.Invalid(err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return wire(settings, member.Options{Log: o.Log}, o), nil
}

// wire makes a member of the settings' ledger, and the catalogs that ask it.
func wire(settings config.Settings, m member.Options, o Options) *App {
	m.State, m.Ledger, m.Lease = settings.State, settings.Ledger, settings.ServerLease.Std()
	a := &App{Member: member.New(m), Settings: settings, log: m.Log, around: o.Around}
	a.Catalog = catalog.New(catalog.Options{Settings: &a.Settings, Beside: o.Injectors, Halted: a.HaltedBy, Others: a.Others})
	a.aider = &aider{settings: &a.Settings, member: a.Member, catalog: a.Catalog}
	a.comparer = &comparer{settings: &a.Settings, catalog: a.Catalog, member: a.Member, log: a.log}
	return a
}

// Close ends what a run needed, and this process as a server.
func (a *App) Close() {
	a.Member.Close()
	a.comparer.close()
}
