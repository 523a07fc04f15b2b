package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mishap"
	"mishap/experiments"
	"mishap/internal/config"
	"mishap/internal/outside"
	"mishap/internal/source"
	"mishap/internal/spawn"
)

// Policy is what the settings of a server let a merged file do: what it starts,
// reads and reaches is listed, or refused. It asks the kinds, which say so of what
// they have decoded, and never reads parameters itself.
type Policy struct {
	allow    config.Allow
	kinds    experiments.Catalogs
	programs programs
	hosts    outside.Hosts
	files    *outside.Files
}

// Policy is that of the settings, as they are now, for what comes from sources.
func (c *Catalog) Policy(sources []config.Source) Policy {
	programs := c.programs(sources)
	files, _ := outside.ParseFiles(c.settings.Server.Allow.Files, programs.sources) // as hosts
	return Policy{allow: c.settings.Server.Allow, kinds: c.declared(), programs: programs, hosts: c.listedHosts(), files: files}
}

func (c *Catalog) listedHosts() outside.Hosts {
	hosts, _ := outside.ParseHosts(c.settings.Server.Allow.Hosts) // settings with a wrong entry are refused when they are read
	return hosts
}

// Dial connects where this process may. Only a server is bound by allow.hosts.
func (c *Catalog) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.hosts == nil {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return c.hosts.Dial(ctx, network, address)
}

// Forbidden says what of an experiment is not allowed, and what to add to the
// settings; empty if all is allowed.
func (p Policy) Forbidden(e mishap.Experiment) string {
	parts, undeclared := p.parts(e)
	if undeclared != "" {
		return undeclared
	}
	var missing, refused []string
	need := func(list []string, key, value string) {
		if !slices.Contains(list, value) {
			missing = append(missing, fmt.Sprintf("allow.%s: [%q]", key, value))
		}
	}
	for _, u := range parts {
		for _, c := range u.Commands {
			entry, why := p.programs.forbids(c, p.allow.Commands)
			if why != "" {
				refused = append(refused, why)
			} else if entry != "" {
				missing = append(missing, fmt.Sprintf("allow.commands: [%q]", entry))
			}
			for _, name := range c.Env {
				need(p.allow.Commands, "commands", "env "+name) // it could put another program in the place of a listed one
			}
		}
		for _, name := range u.Env {
			need(p.allow.Env, "env", name)
		}
		for _, path := range u.Files {
			if p.files.Forbids(path) != nil {
				missing = append(missing, fmt.Sprintf("allow.files: [%q]", absolute(path)))
			} else if why := p.programs.led(absolute(path)); why != "" {
				refused = append(refused, why)
			}
		}
		for _, host := range u.Hosts {
			if p.hosts.Forbids(host) != nil {
				missing = append(missing, fmt.Sprintf("allow.hosts: [%q]", host))
			}
		}
	}
	if missing != nil {
		refused = append(refused, "they would need "+strings.Join(distinct(missing), " and "))
	}
	if refused == nil {
		return ""
	}
	return "the server's settings do not allow it; " + strings.Join(distinct(refused), "; ")
}

// parts is what each part of an experiment uses, or why that is not known.
func (p Policy) parts(e mishap.Experiment) (all []mishap.Uses, undeclared string) {
	ask := func(what, kind string, uses func() (mishap.Uses, error)) {
		if undeclared != "" {
			return
		}
		if uses == nil {
			undeclared = fmt.Sprintf("the %s %q does not declare what it starts, reads and reaches, so that no settings can allow it", what, kind)
			return
		}
		u, err := uses()
		if err != nil {
			undeclared = fmt.Sprintf("what the %s %q uses cannot be read: %s", what, kind, err)
		}
		all = append(all, u)
	}
	for _, s := range e.SteadyState {
		k := kindOf(p.kinds.Probes, func(k mishap.ProbeKind) bool { return k.Name == s.Probe })
		ask("probe", s.Probe, declared(k.Uses, s))
	}
	for _, f := range e.Faults {
		k := kindOf(p.kinds.Injectors, func(k mishap.InjectorKind) bool { return k.Name == f.Injector })
		ask("injector", f.Injector, declared(k.Uses, f))
	}
	for _, s := range e.Safeguards {
		k := kindOf(p.kinds.Safeguards, func(k mishap.SafeguardKind) bool { return k.Name == s.Safeguard })
		ask("safeguard", s.Safeguard, declared(k.Uses, s.With))
	}
	if e.Compare == nil {
		return all, undeclared
	}
	for _, m := range e.Compare.Metrics {
		k := kindOf(p.kinds.Sources, func(k mishap.SourceKind) bool { return k.Name == m.Source })
		ask("source", m.Source, declared(k.Uses, m))
	}
	return all, undeclared
}

// NotHere is what an experiment names and this machine does not have: programs to
// start, files to read, variables to look up. Nothing is started, opened or
// connected to.
func (c *Catalog) NotHere(e mishap.Experiment) (all []error) {
	parts, _ := c.Policy(c.settings.Server.Sources).parts(e)
	for _, u := range parts {
		for _, one := range u.Commands {
			if one.Shell != "" || slices.Contains(one.Env, "PATH") {
				continue // which programs a shell starts is not known
			}
			if _, err := spawn.Find(one.Program, one.Dir, os.Getenv("PATH")); err != nil {
				all = append(all, fmt.Errorf("program %s is not there: %w", one.Program, err))
			}
		}
		for _, path := range u.Files {
			if _, err := os.Stat(path); err != nil {
				all = append(all, fmt.Errorf("file %s cannot be read: %w", path, err))
			}
		}
		for _, name := range u.Env {
			if _, is := os.LookupEnv(name); !is {
				all = append(all, fmt.Errorf("variable %s is not set", name))
			}
		}
	}
	return all
}

// kindOf is the kind that is asked for; one that there is not declares nothing.
func kindOf[K any](kinds []K, is func(K) bool) (k K) {
	if i := slices.IndexFunc(kinds, is); i >= 0 {
		return kinds[i]
	}
	return k
}

// declared is a kind's answer for one of its uses; nil if it has none.
func declared[S any](uses func(S) (mishap.Uses, error), spec S) func() (mishap.Uses, error) {
	if uses == nil {
		return nil
	}
	return func() (mishap.Uses, error) { return uses(spec) }
}

// distinct leaves out what was said before.
func distinct(all []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool {
		was := seen[s]
		seen[s] = true
		return was
	})
}

// checkout is the folder of the checkout that a folder is in, or the folder
// itself if it is in none.
func checkout(folder string) string {
	if git := source.GitDir(folder); git != "" {
		return filepath.Dir(git)
	}
	return folder
}

// absolute is a path as it is compared and opened.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// Bind lets this process connect to and read what the settings allow a server that
// runs what comes from the sources, and nothing else.
func (c *Catalog) Bind(sources []config.Source) (err error) {
	hosts := c.listedHosts()
	c.hosts, c.sources = &hosts, sources
	c.files, err = c.boundFiles(c.settings)
	return err
}

// boundFiles binds this process to what the settings list, and to what they name
// themselves: the policy has looked at the names, and here what is opened counts.
func (c *Catalog) boundFiles(s *config.Settings) (*outside.Files, error) {
	var own mishap.Uses
	g := s.Live().Governor
	for _, one := range g.Freezes {
		u, err := c.probeUses(one)
		if err != nil {
			return nil, mishap.Invalid(fmt.Errorf("%s: governor: freeze %s: %w", s.At("governor.freezes"), one.Name, err))
		}
		own = own.And(u)
	}
	if calendar := kindOf(c.Safeguards(), func(k mishap.SafeguardKind) bool { return k.Name == "calendar" }); g.Calendar != nil {
		u, err := calendar.Uses(besideSettings(s, g.Calendar))
		if err != nil {
			return nil, mishap.Invalid(err)
		}
		own = own.And(u)
	}
	listed := slices.Clone(c.settings.Server.Allow.Files)
	for _, path := range own.Files {
		listed = append(listed, absolute(path))
	}
	files, err := outside.ParseFiles(listed, c.programs(c.sources).sources)
	if err != nil {
		return nil, mishap.Invalid(err)
	}
	return files, nil
}

// besideSettings makes the path of a calendar's file absolute: in the settings it
// is relative to their file.
func besideSettings(s *config.Settings, with json.RawMessage) json.RawMessage {
	var keys map[string]json.RawMessage
	var file string
	if json.Unmarshal(with, &keys) != nil || json.Unmarshal(keys["file"], &file) != nil || file == "" || filepath.IsAbs(file) {
		return with
	}
	if keys["file"], _ = json.Marshal(filepath.Join(filepath.Dir(s.File), file)); keys["file"] == nil {
		return with
	}
	changed, err := json.Marshal(keys)
	if err != nil {
		return with
	}
	return changed
}
