package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"mishap"
	"mishap/safeguards"
)

// safeguardsOf makes the catalog for one run; run is empty while planning. Keeper
// answers the keeper's process id, and may be nil.
func (c *Catalog) safeguardsOf(run string, keeper func() int) []mishap.SafeguardKind {
	return safeguards.Catalog(c.safeguardDeps(run, keeper))
}

func (c *Catalog) safeguardDeps(run string, keeper func() int) safeguards.Deps {
	s, l := c.settings, c.settings.Live()
	return safeguards.Deps{
		Accounts: s.Places(), Hosts: l.Hosts, OptInTag: s.OptInTag, Protected: l.Protected,
		LongestRun:   s.LongestRun.Std(),
		Irreversible: func(name string) bool { return c.Kinds()[name].Class == mishap.Irreversible },
		Halted:       c.o.Halted,
		Others:       func(ctx context.Context, p mishap.Plan) ([]string, error) { return c.o.Others(ctx, run, p) },
		Self: func(context.Context) (safeguards.Self, error) {
			self := safeguards.Self{PIDs: ancestors(os.Getpid()), Instance: ownInstance(), Roles: c.roles(), Keys: c.vaultKeys()}
			if self.Instance != "" {
				self.StandsOn = func(ctx context.Context) (map[string]string, error) { return c.standsOn(ctx, self.Instance) }
			}
			if keeper != nil {
				self.PIDs = append(self.PIDs, keeper())
			}
			return self, nil
		},
		Probe: c.MakeProbe, ProbeUses: c.probeUses, Dial: c.Dial, Secret: c.secret, Files: c.files,
	}
}

// roles are those that AWS is called as: of the settings, and of the credentials.
func (c *Catalog) roles() []string {
	roles := c.cloud.Roles()
	for _, a := range c.settings.Accounts {
		if a.Role != "" {
			roles = append(roles, a.Role)
		}
	}
	return roles
}

// standsOn is what the instance that this is needs. In a place that the settings do
// not list nothing is touched, and nothing is asked.
func (c *Catalog) standsOn(ctx context.Context, instance string) (map[string]string, error) {
	account, region, err := c.cloud.Instance(ctx)
	if err != nil || !slices.Contains(c.settings.Places()[account], region) {
		return nil, err
	}
	place, err := c.cloud.Listed(ctx, c.accounts(), account, region)
	if err != nil {
		return nil, err
	}
	return c.cloud.StandsOn(ctx, place, instance)
}

// MakeProbe makes a probe.
func (c *Catalog) MakeProbe(spec mishap.ProbeSpec) (mishap.Probe, error) {
	k, err := c.probeKind(spec.Probe)
	if err != nil {
		return nil, err
	}
	return k.New(spec)
}

// probeUses is what a probe uses that a safeguard asks.
func (c *Catalog) probeUses(spec mishap.ProbeSpec) (mishap.Uses, error) {
	k, err := c.probeKind(spec.Probe)
	switch {
	case err != nil:
		return mishap.Uses{}, err
	case k.Uses == nil:
		return mishap.Uses{}, fmt.Errorf("the probe %q does not declare what it uses", spec.Probe)
	}
	return k.Uses(spec)
}

func (c *Catalog) probeKind(name string) (mishap.ProbeKind, error) {
	var names []string
	for _, k := range c.Probes() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return mishap.ProbeKind{}, &mishap.FieldError{Path: "probe", Msg: fmt.Sprintf("there is no probe %q", name), Hint: mishap.Suggest(name, names)}
}

// MakeProbes makes the probes of an experiment.
func (c *Catalog) MakeProbes(e mishap.Experiment) ([]mishap.Probe, error) {
	all := make([]mishap.Probe, len(e.SteadyState))
	for i, spec := range e.SteadyState {
		p, err := c.MakeProbe(spec)
		if err != nil {
			return nil, fmt.Errorf("make probe %q: %w", spec.Name, err)
		}
		all[i] = p
	}
	return all, nil
}

// ancestors lists a process and what started it, up to the first.
func ancestors(pid int) []int {
	var all []int
	for pid > 1 && !slices.Contains(all, pid) {
		all = append(all, pid)
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return all
		}
		// pid (comm) state ppid; the name may hold anything
		_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			return all
		}
		pid = 0
		_ = json.Unmarshal([]byte(fields[1]), &pid)
	}
	return all
}

// ownInstance is the EC2 instance that this is, as Nitro machines say it;
// empty elsewhere.
func ownInstance() string {
	text, err := os.ReadFile("/sys/devices/virtual/dmi/id/board_asset_tag")
	id := strings.TrimSpace(string(text))
	if err != nil || !strings.HasPrefix(id, "i-") {
		return ""
	}
	return id
}
