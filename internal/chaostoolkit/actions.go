package chaostoolkit

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// fault is one of mishap's, before it has a name and a time.
type fault struct {
	injector string
	targets  yaml.MapSlice
	with     yaml.MapSlice
	count    int    // of its targets
	open     string // what a person must complete
}

// usually is how long a fault lasts where the experiment does not say it.
const usually = "1m"

// method makes faults of the actions, and of the rollbacks what reverts them.
func (i *importing) method(top *part, rollbacks []*part) {
	method, notes := top.list("method")
	i.Left = append(i.Left, notes...)
	for _, one := range method {
		if kind := one.text("type"); kind != "action" {
			i.Left = append(i.Left, one.asWhole("a probe in the method: what is to be met all through stands in steadyState, what is only to be read is in no verdict"))
			continue
		}
		made, why := i.action(one, &rollbacks)
		if why != "" {
			i.Left = append(i.Left, one.asWhole(why))
			continue
		}
		i.add(one, made)
	}
	for _, one := range rollbacks {
		if why := reverted(one); why != "" {
			i.Does = append(i.Does, one.asWhole(why))
		} else {
			i.Left = append(i.Left, one.asWhole("no fault before it says that this reverts it: each fault of mishap has its own `revert`"))
		}
	}
}

// add gives the fault its name and its time: the pause after the action.
func (i *importing) add(p *part, made fault) {
	name := p.text("name")
	if name == "" {
		name = fmt.Sprintf("fault %d", len(i.faults)+1)
	}
	last := usually
	pauses := p.part("pauses")
	if after, is := pauses.number("after"); is && after > 0 {
		last = lasting(after)
	} else {
		i.Open = append(i.Open, fmt.Sprintf("fault %q lasts %s: the experiment does not say for how long", name, usually))
	}
	one := yaml.MapSlice{{Key: "name", Value: name}, {Key: "injector", Value: made.injector}}
	if len(made.targets) > 0 {
		one = append(one, yaml.MapItem{Key: "targets", Value: made.targets})
	}
	if len(made.with) > 0 {
		one = append(one, yaml.MapItem{Key: "with", Value: made.with})
	}
	if made.open != "" {
		i.Open = append(i.Open, fmt.Sprintf("fault %q %s", name, made.open))
	}
	i.faults, i.targets = append(i.faults, append(one, yaml.MapItem{Key: "for", Value: last})), i.targets+max(made.count, 1)
}

// action makes a fault of an action; else it says why not. A command or a request is
// undone by the first rollback of its kind.
func (i *importing) action(p *part, rollbacks *[]*part) (fault, string) {
	provider := p.part("provider")
	kind := provider.text("type")
	if kind == "python" {
		return pythonAction(provider)
	}
	inject, why := started(kind, provider)
	if why != "" {
		return fault{}, why
	}
	made := fault{injector: "exec", with: yaml.MapSlice{{Key: "inject", Value: inject}},
		open: "needs `verify`, which says whether it is in force, and `diesWith`: `mishap catalog exec` says what they are"}
	for at, one := range *rollbacks {
		undo := one.part("provider")
		if undo.text("type") != kind {
			continue
		}
		revert, cannot := started(kind, undo)
		if cannot != "" {
			continue
		}
		for _, key := range []string{"type", "name"} {
			one.text(key)
		}
		i.Left = append(i.Left, one.left()...)
		*rollbacks = append((*rollbacks)[:at:at], (*rollbacks)[at+1:]...)
		made.with = append(made.with, yaml.MapItem{Key: "revert", Value: revert})
		return made, ""
	}
	made.open = "needs `revert`, since no rollback undoes it, and " + strings.TrimPrefix(made.open, "needs ")
	return made, ""
}

// started is the command of an action: its own, or one that makes its request.
func started(kind string, provider *part) (argv []string, why string) {
	var timeout string
	if seconds, is := provider.number("timeout"); is {
		timeout = fmt.Sprint(seconds)
	}
	switch kind {
	case "process":
		argv, why = command(provider)
		if timeout != "" && why == "" {
			argv = append([]string{"timeout", timeout}, argv...)
		}
		return argv, why
	case "http":
		with, why := request(provider)
		argv = []string{"curl", "--silent", "--show-error", "--fail"}
		if timeout != "" {
			argv = append(argv, "--max-time", timeout)
		}
		for _, item := range with {
			switch value := item.Value.(type) {
			case yaml.MapSlice:
				for _, header := range value {
					argv = append(argv, "--header", fmt.Sprintf("%v: %v", header.Key, header.Value))
				}
			default:
				argv = append(argv, map[any][]string{"method": {"--request"}, "url": {"--url"}, "body": {"--data-binary"}}[item.Key]...)
				argv = append(argv, fmt.Sprint(value))
			}
		}
		return argv, why
	}
	return nil, ofType(kind)
}

// command is what a process starts. Chaos Toolkit gives arguments that are a text to a
// shell.
func command(provider *part) (argv []string, why string) {
	path := provider.text("path")
	if path == "" {
		return nil, "it has no path"
	}
	arguments, _ := provider.take("arguments")
	var all []any
	switch a := arguments.(type) {
	case string:
		return []string{"sh", "-c", path + " " + a}, ""
	case []any:
		all = a
	case yaml.MapSlice:
		for _, pair := range a {
			all = append(all, pair.Key, pair.Value)
		}
	}
	argv = []string{path}
	for _, one := range all {
		if one != nil && one != "" {
			argv = append(argv, plain(one))
		}
	}
	return argv, ""
}
