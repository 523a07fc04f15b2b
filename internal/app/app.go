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

	"mishap"
	"mishap/experiments"
	"mishap/injectors"
	awsfault "mishap/injectors/aws"
	hostfault "mishap/injectors/host"
	proxyfault "mishap/injectors/proxy"
	"mishap/internal/cloud"
	"mishap/internal/config"
	"mishap/internal/member"
	sources "mishap/internal/metrics"
	"mishap/internal/outside"
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

// App is mishap with its settings, as a member of its ledger.
type App struct {
	*member.Member
	Settings config.Settings
	log      *slog.Logger
	around   Around
	beside   []mishap.InjectorKind // injectors that the catalog does not have
	cloud    *cloud.Cloud

	hosts *outside.Hosts // what a server may connect to; nil: this is none, and a person answers for what is asked
	files *outside.Files // what a server may read of what experiments name; nil: all, likewise
	house house
	aids  aids
	calls callerWatches
	mu    sync.Mutex
	otlp  *sources.Receiver // of metrics, once a run needs it
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
	return &App{
		Member:   member.New(member.Options{State: settings.State, Ledger: settings.Ledger, Lease: settings.ServerLease.Std(), Log: o.Log}),
		Settings: settings, log: o.Log, around: o.Around, beside: o.Injectors, cloud: cloud.New(),
	}, nil
}

// Close ends what a run needed, and this process as a server.
func (a *App) Close() {
	a.Member.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.otlp != nil {
		_ = a.otlp.Close()
	}
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
