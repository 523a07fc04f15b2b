package app

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/config"
)

// forbidden says what of an experiment the server's settings do not allow, and
// what to add to them; empty if all is allowed. A merged file must not mean a
// shell on the server: what it starts and what it reads is listed, or refused.
func forbidden(e mishap.Experiment, allow config.Allow) string {
	var missing []string
	want := func(list []string, key, value string) {
		entry := fmt.Sprintf("allow.%s: [%q]", key, value)
		if !slices.Contains(list, value) && !slices.Contains(missing, entry) {
			missing = append(missing, entry)
		}
	}
	inspect := func(kind string, raw json.RawMessage) {
		var tree any
		if len(raw) == 0 || json.Unmarshal(raw, &tree) != nil {
			return
		}
		walkReferences(tree, func(key, value string) {
			if key == "env" {
				want(allow.Env, "env", value)
			} else {
				want(allow.Files, "files", value)
			}
		})
		if kind == "exec" {
			for _, program := range programs(tree) {
				want(allow.Commands, "commands", program)
			}
		}
	}
	for _, p := range e.SteadyState {
		inspect(p.Probe, p.With)
		inspect("", p.Expect)
	}
	for _, f := range e.Faults {
		inspect(f.Injector, f.With)
		inspect("", f.Targets)
	}
	if e.Compare != nil {
		for _, m := range e.Compare.Metrics {
			kind := ""
			if m.Source == "command" {
				kind = "exec" // it starts what exec would
			}
			inspect(kind, m.With)
		}
	}
	for _, s := range e.Safeguards {
		inspect("", s.With)
		inspect(probeOf(s))
		if file := fileOf(s); file != "" {
			want(allow.Files, "files", file)
		}
	}
	if missing == nil {
		return ""
	}
	return "the server's settings do not allow it; they would need " + strings.Join(missing, " and ")
}

// probeOf is the probe inside a safeguard that has one, with its parameters.
func probeOf(s mishap.SafeguardSpec) (string, json.RawMessage) {
	var inner struct {
		Probe string          `json:"probe"`
		With  json.RawMessage `json:"with"`
	}
	_ = json.Unmarshal(s.With, &inner)
	return inner.Probe, inner.With
}

// fileOf is a file that a safeguard reads.
func fileOf(s mishap.SafeguardSpec) string {
	var with struct {
		File string `json:"file"`
	}
	_ = json.Unmarshal(s.With, &with)
	return with.File
}

// walkReferences tells of every {env: NAME} and {file: PATH} in a tree, also
// where no secret is expected: it is better to refuse too much.
func walkReferences(tree any, tell func(key, value string)) {
	switch node := tree.(type) {
	case map[string]any:
		if len(node) == 1 {
			for key, value := range node {
				if text, ok := value.(string); ok && (key == "env" || key == "file") {
					tell(key, text)
				}
			}
		}
		for _, value := range node {
			walkReferences(value, tell)
		}
	case []any:
		for _, value := range node {
			walkReferences(value, tell)
		}
	}
}

// programs lists what exec starts: the first argument of every command, with
// the folder that a relative path is meant in, or a whole shell line; and the
// variables it sets, which could put another program in the place of a listed
// one.
func programs(tree any) (all []string) {
	with, ok := tree.(map[string]any)
	if !ok {
		return nil
	}
	dir, _ := with["dir"].(string)
	for key, value := range with {
		switch node := value.(type) {
		case []any: // a command
			if first, ok := at(node, 0).(string); ok {
				all = append(all, located(first, dir))
			}
		case map[string]any:
			if line, ok := node["shell"].(string); ok {
				all = append(all, line)
			}
			if key == "env" {
				for name := range node {
					all = append(all, "env "+name)
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// located is a program as it must be listed: a name that PATH finds, or a path.
func located(program, dir string) string {
	if strings.Contains(program, "/") && !filepath.IsAbs(program) {
		return filepath.Join(dir, program)
	}
	return program
}
