// Package app wires everything: it alone knows all catalogs and mechanisms. A
// verb of the command line is one call here.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mishap"
	"mishap/experiments"
	"mishap/injectors"
	awsfault "mishap/injectors/aws"
	hostfault "mishap/injectors/host"
	proxyfault "mishap/injectors/proxy"
	"mishap/internal/cloud"
	"mishap/internal/config"
	"mishap/internal/ledger"
	sources "mishap/internal/metrics"
	"mishap/internal/outside"
	"mishap/internal/pulse"
	"mishap/probes"
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

// App is mishap with its settings. The ledger is opened when it is first
// needed, so that commands which touch nothing leave nothing.
type App struct {
	Settings config.Settings
	log      *slog.Logger
	around   Around
	beside   []mishap.InjectorKind // injectors that the catalog does not have
	cloud    *cloud.Cloud

	hosts  *outside.Hosts // what a server may connect to; nil: this is none, and a person answers for what is asked
	files  *outside.Files // what a server may read of what experiments name; nil: all, likewise
	house  house
	desk   desk
	aids   aids
	calls  callerWatches
	fenced atomic.Bool  // the lease was lost: nothing starts
	pulse  *pulse.Pulse // of this process, once it is a server
	mu     sync.Mutex
	book   ledger.Ledger
	server string            // this process, once it is one
	leave  func() error      // ends that
	otlp   *sources.Receiver // of metrics, once a run needs it
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
	return &App{Settings: settings, log: o.Log, around: o.Around, beside: o.Injectors, cloud: cloud.New()}, nil
}

// Close ends this process as a server and closes the ledger.
func (a *App) Close() {
	a.desk.close()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leave != nil {
		_ = a.leave()
	}
	if a.pulse != nil {
		a.pulse.Stop()
	}
	if a.otlp != nil {
		_ = a.otlp.Close()
	}
	if a.book != nil {
		_ = a.book.Close()
	}
}

// ledger opens the ledger, and makes it if there is none.
func (a *App) ledger(ctx context.Context) (ledger.Ledger, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.book != nil {
		return a.book, nil
	}
	var err error
	if address := a.Settings.Ledger; ledger.IsPostgres(address) {
		a.book, err = openPostgres(ctx, address, a.Settings.ServerLease.Std())
	} else {
		a.book, err = openFile(ctx, a.Settings.State)
	}
	return a.book, err
}

// The two answer an untyped nil with an error.
func openPostgres(ctx context.Context, address string, lease time.Duration) (ledger.Ledger, error) {
	book, err := ledger.OpenPostgres(ctx, address, lease)
	if err != nil {
		return nil, err
	}
	return book, nil
}

func openFile(ctx context.Context, dir string) (ledger.Ledger, error) {
	book, err := ledger.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	return book, nil
}

// hasLedger reports whether there is a ledger to read; reading makes none. One
// that cannot be looked for is there: who opens it is told why.
func (a *App) hasLedger(ctx context.Context) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.book != nil:
		return true
	case ledger.IsPostgres(a.Settings.Ledger):
		return ledger.ExistsPostgres(ctx, a.Settings.Ledger)
	}
	return ledger.Exists(a.Settings.State)
}

// register makes this process a server, once. Its kind is serve, run or revert.
func (a *App) register(ctx context.Context, kind string) (string, error) {
	book, err := a.ledger(ctx)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.server == "" {
		if a.server, a.leave, err = book.Join(ctx, a.leaseLost); err != nil {
			return "", err
		}
		leave, quiet := a.leave, a.announcePresence(a.server, kind)
		a.leave = func() error { quiet(); return leave() }
		if a.pulse == nil {
			a.pulse = pulse.New(a.stillFor())
			a.pulse.Start()
		}
		a.fenced.Store(false)
	}
	return a.server, nil
}

// Injectors is the catalog of faults.
func (a *App) Injectors() []mishap.InjectorKind {
	return append(injectors.Catalog(a.injectorDeps()), a.beside...)
}

// restore makes the injector of a recorded injection.
func (a *App) restore(in mishap.Injection) (mishap.Injector, error) {
	return mishap.Restore(append(injectors.Recorded(a.injectorDeps()), a.beside...), in)
}

// Probes is the catalog of measurements.
func (a *App) Probes() []mishap.ProbeKind {
	return probes.Catalog(probes.Deps{Callers: a.callersSeen, Dial: a.dial, ReadFile: a.files.ReadFile})
}

// Safeguards is the catalog of refusals.
func (a *App) Safeguards() []mishap.SafeguardKind { return a.safeguards("", nil) }

func (a *App) catalogs() experiments.Catalogs {
	return experiments.Catalogs{Injectors: a.Injectors(), Probes: a.Probes(), Safeguards: a.Safeguards(), Sources: sourceKinds()}
}

func (a *App) kinds() map[string]mishap.InjectorKind {
	kinds := map[string]mishap.InjectorKind{}
	for _, k := range a.Injectors() {
		kinds[k.Name] = k
	}
	return kinds
}

// Load reads experiments. Names of proxies are checked if strict, or if there
// are settings.
func (a *App) Load(ctx context.Context, paths []string, given Given, strict bool) ([]mishap.Experiment, error) {
	list, err := experiments.Load(ctx, paths, a.loadOptions(given, strict))
	if err != nil {
		return nil, mishap.Invalid(err)
	}
	return list, nil
}

// Validate reads experiments as [App.Load] does, and says what keeps none of
// them from running, but does not mean what many would take it for.
func (a *App) Validate(ctx context.Context, paths []string, given Given) (list []mishap.Experiment, warnings experiments.Problems, err error) {
	o := a.loadOptions(given, false)
	o.Warn = func(w experiments.Problem) { warnings = append(warnings, w) }
	if list, err = experiments.Load(ctx, paths, o); err != nil {
		err = mishap.Invalid(err)
	}
	return list, warnings, err
}

// Given are the values that variables of experiments get from outside.
type Given struct {
	Vars        map[string]string
	Environment string // name of a file of values; empty: none
}

func (a *App) loadOptions(given Given, strict bool) experiments.Options {
	o := experiments.Options{
		Catalogs: a.catalogs(), Vars: given.Vars, Environment: given.Environment, LongestRun: a.Settings.LongestRun.Std(),
		CheckProxies: strict || a.Settings.File != "",
		Schedule:     a.checkSchedule,
	}
	for _, p := range a.Settings.Proxies {
		o.Proxies = append(o.Proxies, p.Name)
	}
	return o
}

// Schema is the JSON Schema of experiment files.
func (a *App) Schema() ([]byte, error) { return experiments.Schema(a.catalogs()) }

func (a *App) injectorDeps() injectors.Deps {
	return injectors.Deps{
		AWS: awsfault.Deps{Place: func(ctx context.Context, region string) (awsfault.Place, error) {
			p, err := a.cloud.Place(ctx, region)
			return awsfault.Place{Config: p.Config, Account: p.Account, Region: p.Region}, err
		}},
		Host:  hostfault.Deps{Secret: func(s mishap.Secret) (string, error) { return secretFrom(a.files, s) }, Files: a.files},
		Proxy: proxyfault.Deps{Lease: a.Settings.Lease.Std(), Proxies: a.proxies, Control: a.proxyControl},
	}
}

func (a *App) proxies() []proxyfault.Address {
	var all []proxyfault.Address
	for _, p := range a.Settings.Proxies {
		all = append(all, proxyfault.Address{Name: p.Name, Listen: p.Listen, Upstream: p.Upstream, Protocol: p.Protocol, Control: p.Control, Edge: p.Edge})
	}
	return all
}

// secret looks a reference of the settings up, at the moment of a call.
func secret(s mishap.Secret) (string, error) { return secretFrom(nil, s) }

// secretFrom looks one up among the files that may be read.
func secretFrom(files *outside.Files, s mishap.Secret) (string, error) {
	switch {
	case s.Env != "":
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", fmt.Errorf("environment variable %s of a secret is not set", s.Env)
		}
		return value, nil
	case s.File != "":
		text, err := files.ReadFile(s.File)
		if err != nil {
			return "", fmt.Errorf("read file of a secret: %w", err)
		}
		return strings.TrimSuffix(string(text), "\n"), nil
	}
	return s.Value, nil
}
