package chaostoolkit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	written "go.yaml.in/yaml/v3"

	"mishap/internal/plaintext"
)

// write is the file: what is not in it stands above it, as comments.
func (i *importing) write(source, version, title, description string, head, tags yaml.MapSlice) ([]byte, error) {
	var b bytes.Buffer
	comment := func(format string, args ...any) {
		for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
			b.WriteString(strings.TrimRight("# "+plaintext.Line(line), " ") + "\n")
		}
	}
	comment("Imported from %s, an experiment of Chaos Toolkit.", source)
	for _, said := range []string{title, description} {
		if said != "" {
			comment("%s", said)
		}
	}
	if version != "" {
		comment("Its version was %s.", version)
	}
	if len(i.Open) > 0 {
		comment("\nTo complete:")
		for _, one := range i.Open {
			comment("- %s", one)
		}
	}
	for _, some := range []struct {
		title string
		notes []Note
	}{{"Not mapped:", i.Left}, {"What mishap does by itself:", i.Does}} {
		if len(some.notes) > 0 {
			comment("\n%s", some.title)
		}
		for _, n := range some.notes {
			comment("- %s: %s", n.Path, n.Why)
			comment("  %s", n.What)
		}
	}
	all := head
	if len(tags) > 0 {
		all = append(all, yaml.MapItem{Key: "tags", Value: tags})
	}
	if len(i.vars) > 0 {
		all = append(all, yaml.MapItem{Key: "vars", Value: i.vars})
	}
	all = append(all, yaml.MapItem{Key: "steadyState", Value: i.steady}, yaml.MapItem{Key: "faults", Value: i.faults},
		yaml.MapItem{Key: "blastRadius", Value: yaml.MapSlice{{Key: "targets", Value: max(i.targets, 1)}}})
	b.WriteString("\n")
	e := written.NewEncoder(&b)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(node(all)), e.Close()); err != nil {
		return nil, fmt.Errorf("write experiment %s: %w", i.Name, err)
	}
	return b.Bytes(), nil
}

// node is a value as the file has it: texts in one line whatever is in them, lists of
// texts and numbers in one line too.
func node(value any) *written.Node {
	switch v := value.(type) {
	case yaml.MapSlice:
		n := &written.Node{Kind: written.MappingNode}
		for _, pair := range v {
			n.Content = append(n.Content, node(fmt.Sprint(pair.Key)), node(pair.Value))
		}
		return n
	case []yaml.MapSlice:
		return list(v)
	case []string:
		return flat(list(v))
	case []any:
		return flat(list(v))
	}
	n := &written.Node{}
	if err := n.Encode(value); err != nil { // of JSON and YAML, all can be written
		n.SetString(fmt.Sprint(value))
	}
	if n.Style == written.LiteralStyle || plaintext.Line(n.Value) != n.Value {
		n.Style = written.DoubleQuotedStyle
	}
	return n
}

func list[T any](all []T) *written.Node {
	n := &written.Node{Kind: written.SequenceNode}
	for _, one := range all {
		n.Content = append(n.Content, node(one))
	}
	if len(all) == 0 {
		n.Style = written.FlowStyle
	}
	return n
}

func flat(n *written.Node) *written.Node {
	n.Style = written.FlowStyle
	return n
}
