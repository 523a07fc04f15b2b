package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	"mishap"
)

// undecidable is up to how many targets in each arm a comparison can show
// nothing: that five of five are worse than five others by chance alone is not
// rare enough.
const undecidable = 5

// fewTargets refuses a plan whose comparison cannot decide, where no probe
// watches the fault either.
func fewTargets(plan mishap.Plan) error {
	e := plan.Experiment
	n := len(plan.Injections)
	if !e.SamplesTargets() || plan.NoFault || n > undecidable || watched(e) {
		return nil
	}
	return mishap.WithHint(fmt.Errorf("%s per arm: a comparison cannot decide; that up to %d differ from as many others is never shown", mishap.Plural(n, "target"), undecidable),
		"remove compare and let probes judge (when: [before, during, after]), take at least 7 targets per arm, or arms from requests")
}

// withTargets puts the targets of both arms into the parameters of a metric's
// source, in the place of $control and $experiment: a regular expression that
// matches the id of each. Names will not do: like targets often share one.
func withTargets(with json.RawMessage, injections []mishap.Injection) (json.RawMessage, error) {
	var control, experiment []string
	for _, in := range injections {
		experiment = append(experiment, literal(in.Target.ID))
		if in.Control != nil {
			control = append(control, literal(in.Control.ID))
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
