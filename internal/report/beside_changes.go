package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mishap"
)

// Change is one value that differs between two plans; empty is: not there.
type Change struct {
	What string `json:"what"` // such as faults[payments is slow].with.delay
	From string `json:"from"`
	To   string `json:"to"`
}

// changed lists what differs: first where the experiments come from, then what
// they say, then the targets.
func changed(first, second mishap.Plan) []Change {
	all := []Change{}
	add := func(what, from, to string) {
		if from != to {
			all = append(all, Change{what, from, to})
		}
	}
	a, b := first.Experiment, second.Experiment
	add("commit", commitOf(a.Source), commitOf(b.Source))
	add("digest of the experiment", a.Source.Digest, b.Source.Digest)
	before, after := flatten(a), flatten(b)
	keys := maps.Clone(before)
	maps.Copy(keys, after)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		add(key, before[key], after[key])
	}
	add("targets", targetsOf(first), targetsOf(second))
	return all
}

func commitOf(s mishap.Source) string {
	if s.Dirty {
		return s.Commit + ", with uncommitted changes"
	}
	return s.Commit
}

func targetsOf(p mishap.Plan) string {
	var all []string
	for _, in := range p.Injections {
		all = append(all, in.Target.Label())
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// flatten is every value of an experiment by its path. Parts of a list that
// have a name are found by it, so that a new one moves no other.
func flatten(e mishap.Experiment) map[string]string {
	e.Source = mishap.Source{} // said apart
	all := map[string]string{}
	text, err := json.Marshal(e)
	if err != nil {
		return map[string]string{"experiment": err.Error()}
	}
	var v any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		return map[string]string{"experiment": err.Error()}
	}
	collect(all, "", v)
	delete(all, "source.file") // empty, but always there
	delete(all, "source.digest")
	return all
}

// collect puts the values below a path into all.
func collect(all map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, one := range v {
			collect(all, strings.TrimPrefix(path+"."+key, "."), one)
		}
	case []any:
		for i, one := range v {
			collect(all, fmt.Sprintf("%s[%s]", path, elementName(i, one)), one)
		}
	default:
		all[path] = fmt.Sprint(v)
	}
}

// elementName is how a part of a list is called.
func elementName(i int, v any) string {
	if m, ok := v.(map[string]any); ok {
		for _, key := range []string{"name", "safeguard"} {
			if name, ok := m[key].(string); ok && name != "" {
				return name
			}
		}
	}
	return fmt.Sprint(i)
}
