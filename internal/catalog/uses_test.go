package catalog

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/outside"
)

// part is a kind of the catalogs, as whoever writes experiments meets it.
type part struct {
	name          string
	with, targets any // zero values of what is decoded
	uses          func(with, targets json.RawMessage) (mishap.Uses, error)
}

// everyPart lists all kinds that may be given something.
func everyPart(c *Catalog) (all []part) {
	kinds := c.Checked()
	for _, k := range kinds.Probes {
		all = append(all, part{"probe " + k.Name, k.Params, nil, func(with, _ json.RawMessage) (mishap.Uses, error) {
			return k.Uses(mishap.ProbeSpec{Probe: k.Name, With: with})
		}})
	}
	for _, k := range kinds.Injectors {
		all = append(all, part{"injector " + k.Name, k.Params, k.Targets, func(with, targets json.RawMessage) (mishap.Uses, error) {
			return k.Uses(mishap.Fault{Injector: k.Name, With: with, Targets: targets})
		}})
	}
	for _, k := range kinds.Safeguards {
		all = append(all, part{"safeguard " + k.Name, k.Params, nil, func(with, _ json.RawMessage) (mishap.Uses, error) { return k.Uses(with) }})
	}
	for _, k := range kinds.Sources {
		all = append(all, part{"source " + k.Name, k.Params, nil, func(with, _ json.RawMessage) (mishap.Uses, error) {
			return k.Uses(mishap.CompareMetric{Source: k.Name, With: with})
		}})
	}
	return all
}

// wants finds what a decoded value asks for by the names and types of its fields,
// wherever they are, so that what is added later is found as well.
type wants struct {
	catalog *Catalog
	mishap.Uses
}

func (u *wants) find(v reflect.Value, dir string, env []string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			u.find(v.Elem(), dir, env)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			u.find(v.MapIndex(key), dir, env)
		}
	case reflect.Slice:
		for i := range v.Len() {
			u.find(v.Index(i), dir, env)
		}
	case reflect.Struct:
		if secret, ok := v.Interface().(mishap.Secret); ok {
			u.secret(secret)
			return
		}
		u.fields(v, dir, env)
	}
}

func (u *wants) secret(s mishap.Secret) {
	if s.Env != "" {
		u.Env = append(u.Env, s.Env)
	}
	if s.File != "" {
		u.Files = append(u.Files, s.File)
	}
}

func (u *wants) fields(v reflect.Value, dir string, env []string) {
	named := map[string]any{}
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.IsExported() {
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			named[strings.ToLower(cmp.Or(tag, field.Name))] = v.Field(i).Interface()
		}
	}
	if own, ok := named["dir"].(string); ok {
		dir = own
	}
	if own, ok := named["env"].(map[string]mishap.Secret); ok {
		env = slices.Sorted(maps.Keys(own))
	}
	for name, value := range named {
		text, _ := value.(string)
		if s, ok := value.(mishap.Secret); ok {
			text = s.Value
		}
		switch {
		case name == "argv":
			if argv, _ := value.([]string); len(argv) > 0 {
				u.Commands = append(u.Commands, mishap.Command{Program: argv[0], Dir: dir, Env: env})
			}
		case text == "":
		case name == "shell":
			u.Commands = append(u.Commands, mishap.Command{Shell: text, Dir: dir, Env: env})
		case strings.HasSuffix(name, "file"):
			u.Files = append(u.Files, text)
		case name == "address":
			u.Hosts = append(u.Hosts, text)
		case name == "url":
			if at, err := url.Parse(text); err == nil && at.Hostname() != "" && (at.Scheme == "http" || at.Scheme == "https") {
				u.Hosts = append(u.Hosts, outside.HostPort(at))
			}
		case name == "probe":
			with, _ := named["with"].(json.RawMessage)
			u.inside(text, with)
		}
	}
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			u.find(v.Field(i), dir, env)
		}
	}
}

// inside is a probe that is a parameter.
func (u *wants) inside(name string, with json.RawMessage) {
	for _, k := range u.catalog.Probes() {
		if into := reflect.New(reflect.TypeOf(k.Params)); k.Name == name && mishap.Decode("with", with, into.Interface()) == nil {
			u.find(into.Elem(), "", nil)
		}
	}
}

// misses names what was asked for and is not declared.
func misses(declared, asked mishap.Uses) (all []string) {
	for _, want := range asked.Commands {
		if !slices.ContainsFunc(declared.Commands, func(c mishap.Command) bool {
			return c.Program == want.Program && c.Shell == want.Shell && c.Dir == want.Dir && slices.Equal(slices.Sorted(slices.Values(c.Env)), slices.Sorted(slices.Values(want.Env)))
		}) {
			all = append(all, "command "+want.Program+want.Shell)
		}
	}
	for what, lists := range map[string][2][]string{"env": {declared.Env, asked.Env}, "file": {declared.Files, asked.Files}, "host": {declared.Hosts, asked.Hosts}} {
		for _, want := range lists[1] {
			if !slices.Contains(lists[0], want) {
				all = append(all, what+" "+want)
			}
		}
	}
	return all
}

// given are parameters of each part that starts, reads or reaches something.
func given() map[string][2]string {
	return map[string][2]string{
		"probe exec":            {`{"argv": ["a", "b"], "dir": "d", "env": {"A": {"env": "X"}, "B": "b"}, "stdin": {"file": "f"}}`},
		"probe http":            {`{"url": "http://a:1/x", "headers": {"H": {"file": "f"}}, "body": {"env": "B"}, "caFile": "c"}`},
		"probe prometheus":      {`{"url": "https://a/x", "query": "up", "headers": {"H": {"env": "T"}}, "caFile": "c"}`},
		"probe tcp":             {`{"address": "a:1"}`},
		"injector exec":         {`{"inject": ["a"], "revert": {"argv": ["/bin/sh"]}, "verify": {"shell": "y"}, "prepare": ["p"], "env": {"A": {"file": "f"}}, "dir": "d", "diesWith": "boot"}`},
		"injector process-stop": {``, `{"pidFile": "p"}`},
		"injector process-kill": {`{"signal": "TERM"}`, `{"pidFile": "p"}`},
		"safeguard calendar":    {`{"file": "f", "url": "https://a/b", "timezone": "UTC"}`},
		"safeguard probe":       {`{"probe": "exec", "with": {"argv": ["a"], "env": {"A": {"env": "X"}}}}`},
		"source command":        {`{"argv": ["a"], "dir": "d", "env": {"A": {"env": "X"}}}`},
		"source prometheus":     {`{"url": "http://a:9090", "headers": {"H": {"file": "f"}}, "caFile": "c"}`},
	}
}

// FuzzEveryPartDeclaresWhatItIsAskedFor finds what is asked for in the decoded
// value, and not as the kind does.
func FuzzEveryPartDeclaresWhatItIsAskedFor(f *testing.F) {
	c := New(Options{Settings: new(config.Settings)})
	all := everyPart(c)
	tried := 0
	for i, p := range all {
		if g, ok := given()[p.name]; ok {
			tried++
			f.Add(uint8(i), []byte(g[0]), []byte(g[1]))
		}
	}
	if tried != len(given()) {
		f.Fatalf("%d of %d parts are known", tried, len(given()))
	}
	f.Fuzz(func(t *testing.T, n uint8, with, targets []byte) {
		p := all[int(n)%len(all)]
		asked := wants{catalog: c}
		for _, one := range []struct {
			of  any
			raw []byte
		}{{p.with, with}, {p.targets, targets}} {
			if one.of == nil {
				continue
			}
			into := reflect.New(reflect.TypeOf(one.of))
			if mishap.Decode("with", one.raw, into.Interface()) != nil {
				return
			}
			asked.find(into.Elem(), "", nil)
		}
		declared, err := p.uses(with, targets)
		if err != nil {
			return // the policy refuses it
		}
		if all := misses(declared, asked.Uses); all != nil {
			t.Errorf("%s of %s and %s uses, and does not declare: %s", p.name, with, targets, strings.Join(all, ", "))
		}
	})
}

// What the fuzzer looks for it must be able to find: each part that starts, reads
// or reaches something is asked for all of it, and declares it.
func TestEveryPartDeclaresWhatItIsAskedFor(t *testing.T) {
	c := New(Options{Settings: new(config.Settings)})
	for _, p := range everyPart(c) {
		g, ok := given()[p.name]
		asked := wants{catalog: c}
		for i, of := range []any{p.with, p.targets} {
			if of == nil {
				continue
			}
			into := reflect.New(reflect.TypeOf(of))
			if err := mishap.Decode("with", json.RawMessage(g[i]), into.Interface()); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
			asked.find(into.Elem(), "", nil)
			if !ok && speaks(into.Elem().Type()) {
				t.Errorf("%s may start, read or reach something: add it to given", p.name)
			}
		}
		declared, err := p.uses(json.RawMessage(g[0]), json.RawMessage(g[1]))
		if !ok {
			continue
		}
		if all := misses(declared, asked.Uses); err != nil || all != nil || len(asked.Commands)+len(asked.Env)+len(asked.Files)+len(asked.Hosts) == 0 {
			t.Errorf("%s: %v, not declared: %v, asked for: %+v", p.name, err, all, asked.Uses)
		}
	}
}

// speaks reports a type with a field by whose name something is asked for.
func speaks(of reflect.Type) bool {
	if of.Kind() != reflect.Struct {
		return false
	}
	for i := range of.NumField() {
		tag, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		name := strings.ToLower(cmp.Or(tag, of.Field(i).Name))
		if slices.Contains([]string{"argv", "shell", "address", "url"}, name) || strings.HasSuffix(name, "file") || of.Field(i).Type == reflect.TypeFor[mishap.Secret]() {
			return true
		}
	}
	return false
}
