package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/runner"
	"mishap/safeguards"
)

// safeguards makes the catalog for one run; run is empty while planning. Keeper
// answers the keeper's process id, and may be nil.
func (a *App) safeguards(run string, keeper func() int) []mishap.SafeguardKind {
	s := a.Settings
	return safeguards.Catalog(safeguards.Deps{
		Accounts: s.Accounts, Regions: s.Regions, Hosts: s.Hosts, OptInTag: s.OptInTag, Protected: s.Protected,
		LongestRun:   s.LongestRun.Std(),
		Irreversible: func(name string) bool { return a.kinds()[name].Irreversible },
		Halted:       a.halted,
		Others:       func(ctx context.Context, p mishap.Plan) ([]string, error) { return a.others(ctx, run, p) },
		Self: func(context.Context) (safeguards.Self, error) {
			self := safeguards.Self{PIDs: ancestors(os.Getpid()), Instance: ownInstance()}
			if keeper != nil {
				self.PIDs = append(self.PIDs, keeper())
			}
			return self, nil
		},
		Probe: a.makeProbe, ProbeUses: a.probeUses, Dial: a.dial, Files: a.files,
	})
}

// guards makes the safeguards of a run: those always asked, with what the
// experiment says to them, and those that it names.
func guards(kinds []mishap.SafeguardKind, e mishap.Experiment) ([]runner.Guard, error) {
	var all []runner.Guard
	for _, k := range kinds {
		named := false
		for _, spec := range e.Safeguards {
			if spec.Safeguard != k.Name {
				continue
			}
			named = true
			g, err := k.New(spec.With)
			if err != nil {
				return nil, fmt.Errorf("make safeguard %s: %w", k.Name, err)
			}
			all = append(all, runner.Guard{Name: uniqueName(all, k.Name), Safeguard: g})
		}
		if named || !k.Always {
			continue
		}
		g, err := k.New(nil)
		if err != nil {
			return nil, fmt.Errorf("make safeguard %s: %w", k.Name, err)
		}
		all = append(all, runner.Guard{Name: k.Name, Safeguard: g})
	}
	return all, nil
}

// uniqueName tells two safeguards of one kind apart.
func uniqueName(all []runner.Guard, name string) string {
	n := 1
	for _, g := range all {
		if g.Name == name || strings.HasPrefix(g.Name, name+" ") {
			n++
		}
	}
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s %d", name, n)
}

// halted asks the ledger; without one nobody has halted anything.
func (a *App) halted(ctx context.Context) (string, bool, error) {
	h, err := a.Halted(ctx)
	if err != nil || h == nil {
		return "", false, err
	}
	return h.String(), true, nil
}

// others names the active runs of the experiment or its group, and those that
// a thing belongs to which the plan touches.
func (a *App) others(ctx context.Context, run string, p mishap.Plan) ([]string, error) {
	if !a.HasLedger(ctx) {
		return nil, nil
	}
	book, err := a.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	active, err := book.Unfinished(ctx)
	var names []string
	for _, r := range active {
		if r.ID == run {
			continue
		}
		what := ""
		if r.Experiment != p.Experiment.Name && r.Group != p.Experiment.Group {
			touched, err := book.Injections(ctx, r.ID)
			if err != nil {
				return nil, err
			}
			if what = p.Shared(touched); what == "" {
				continue
			}
			what = ", and has " + what
		}
		names = append(names, fmt.Sprintf("run %s of %s is %s%s", r.ID, r.Experiment, r.State, what))
	}
	return names, err
}

func (a *App) makeProbe(spec mishap.ProbeSpec) (mishap.Probe, error) {
	k, err := a.probeKind(spec.Probe)
	if err != nil {
		return nil, err
	}
	return k.New(spec)
}

// probeUses is what a probe uses that a safeguard asks.
func (a *App) probeUses(spec mishap.ProbeSpec) (mishap.Uses, error) {
	k, err := a.probeKind(spec.Probe)
	switch {
	case err != nil:
		return mishap.Uses{}, err
	case k.Uses == nil:
		return mishap.Uses{}, fmt.Errorf("the probe %q does not declare what it uses", spec.Probe)
	}
	return k.Uses(spec)
}

func (a *App) probeKind(name string) (mishap.ProbeKind, error) {
	var names []string
	for _, k := range a.Probes() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return mishap.ProbeKind{}, &mishap.FieldError{Path: "probe", Msg: fmt.Sprintf("there is no probe %q", name), Hint: mishap.Suggest(name, names)}
}

func (a *App) makeProbes(e mishap.Experiment) ([]mishap.Probe, error) {
	all := make([]mishap.Probe, len(e.SteadyState))
	for i, spec := range e.SteadyState {
		p, err := a.makeProbe(spec)
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
