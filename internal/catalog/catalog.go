package catalog

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"mishap"
	"mishap/experiments"
	"mishap/injectors"
	awsfault "mishap/injectors/aws"
	hostfault "mishap/injectors/host"
	proxyfault "mishap/injectors/proxy"
	"mishap/internal/cloud"
	"mishap/internal/config"
	"mishap/internal/outside"
	"mishap/internal/vault"
	"mishap/probes"
)

// Options say what the catalogs are made of.
type Options struct {
	Settings *config.Settings      // as they are at the moment of a call
	Beside   []mishap.InjectorKind // injectors that the catalog does not have

	// What safeguards ask the ledger; nil where no plan is checked.
	Halted func(context.Context) (whose string, halted bool, err error)
	Others func(ctx context.Context, run string, p mishap.Plan) ([]string, error)

	Log *slog.Logger // of vaults
}

// Catalog makes what experiments name.
type Catalog struct {
	o        Options
	settings *config.Settings
	cloud    *cloud.Cloud
	calls    callerWatches
	house    house
	declared func() experiments.Catalogs // what says what it uses: made once, since a server asks all day

	vaults     *vault.Vaults
	vaultsOnce sync.Once

	hosts *outside.Hosts // what a server may connect to; nil: this is none, and a person answers for what is asked
	files *outside.Files // what a server may read of what experiments name; nil: all, likewise

	sources []config.Source // of a server
}

// New makes the catalogs of a person's commands; [Catalog.Bind] those of a server.
func New(o Options) *Catalog {
	c := &Catalog{o: o, settings: o.Settings, cloud: cloud.New()}
	c.declared = sync.OnceValue(c.Checked)
	return c
}

// Injectors is the catalog of faults.
func (c *Catalog) Injectors() []mishap.InjectorKind {
	return append(injectors.Catalog(c.injectorDeps()), c.o.Beside...)
}

// Restore makes the injector of a recorded injection.
func (c *Catalog) Restore(in mishap.Injection) (mishap.Injector, error) {
	return mishap.Restore(append(injectors.Recorded(c.injectorDeps()), c.o.Beside...), in)
}

// Probes is the catalog of measurements.
func (c *Catalog) Probes() []mishap.ProbeKind {
	return probes.Catalog(probes.Deps{Callers: c.callersSeen, Dial: c.Dial, ReadFile: c.files.ReadFile})
}

// Safeguards is the catalog of refusals.
func (c *Catalog) Safeguards() []mishap.SafeguardKind { return c.safeguardsOf("", nil) }

// Kinds are the injectors by their names.
func (c *Catalog) Kinds() map[string]mishap.InjectorKind {
	kinds := map[string]mishap.InjectorKind{}
	for _, k := range c.Injectors() {
		kinds[k.Name] = k
	}
	return kinds
}

// RequestArms is the injector that sets up the arms of an experiment that compares
// requests.
func (c *Catalog) RequestArms(e mishap.Experiment) mishap.Injector {
	return proxyfault.RequestArms(c.injectorDeps().Proxy, *e.Compare, proxyfault.ExposureOf(e))
}

func (c *Catalog) injectorDeps() injectors.Deps {
	return injectors.Deps{
		AWS: awsfault.Deps{Recorded: c.cloud.Place, Place: func(ctx context.Context, account, region string) (cloud.Place, error) {
			return c.cloud.Listed(ctx, c.accounts(), account, region)
		}, Vault: c.vaultNeeds},
		Host:  hostfault.Deps{Secret: c.secret, Files: c.files},
		Proxy: proxyfault.Deps{Lease: c.settings.Lease.Std(), Proxies: c.proxies, Control: c.proxyControl},
	}
}

// accounts are those of the settings.
func (c *Catalog) accounts() (all []cloud.Account) {
	for _, a := range c.settings.Accounts {
		all = append(all, cloud.Account(a))
	}
	return all
}

// secret looks up what an experiment refers to.
func (c *Catalog) secret(s mishap.Secret) (string, error) {
	return s.Resolve(os.LookupEnv, c.files.ReadFile)
}

func (c *Catalog) proxies() []proxyfault.Address {
	var all []proxyfault.Address
	for _, p := range c.settings.Proxies {
		all = append(all, proxyfault.Address{Name: p.Name, Listen: p.Listen, Upstream: p.Upstream, Protocol: p.Protocol, Control: p.Control, Edge: p.Edge})
	}
	return all
}
