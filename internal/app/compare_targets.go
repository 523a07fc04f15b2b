package app

import (
	"encoding/json"
	"strings"

	"mishap"
)

// withTargets puts the names of the targets of both arms into the parameters of
// a metric's source, in the place of $control and $experiment: a regular
// expression that matches the id and the name of each.
func withTargets(with json.RawMessage, injections []mishap.Injection) (json.RawMessage, error) {
	var control, experiment []string
	for _, in := range injections {
		experiment = append(experiment, called(in.Target)...)
		if in.Control != nil {
			control = append(control, called(*in.Control)...)
		}
	}
	names := strings.NewReplacer("$control", strings.Join(control, "|"), "$experiment", strings.Join(experiment, "|"))
	var tree any
	if len(with) == 0 {
		return with, nil
	}
	if err := json.Unmarshal(with, &tree); err != nil {
		return nil, err
	}
	return json.Marshal(replaced(tree, names))
}

// called is what a target is called, as regular expressions.
func called(t mishap.Target) []string {
	all := []string{literal(t.ID)}
	if t.Name != "" && t.Name != t.ID {
		all = append(all, literal(t.Name))
	}
	return all
}

// literal matches the text. It has no backslash, because it may come to stand in
// a string of another language, which would take it for its own.
func literal(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case strings.ContainsRune(`\"^`, r):
			b.WriteByte('.')
		case strings.ContainsRune(".+*?()|[]{}$", r):
			b.WriteString("[" + string(r) + "]")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// replaced is a tree of JSON with all texts replaced.
func replaced(tree any, names *strings.Replacer) any {
	switch node := tree.(type) {
	case string:
		return names.Replace(node)
	case []any:
		for i := range node {
			node[i] = replaced(node[i], names)
		}
	case map[string]any:
		for key := range node {
			node[key] = replaced(node[key], names)
		}
	}
	return tree
}
