package experiments

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"mishap"
)

// schemaID names the schema; nothing is fetched from it.
const schemaID = "https://mishap.example/schema/experiment-v1.json"

// Schema returns the JSON Schema (draft 2020-12) of an experiment file:
// generated from the form that the reader follows and from the parameters in
// the catalogs, and closed, so that it knows no key that the reader does not.
// What relates two values, such as the names of faults, only [Load] checks.
func Schema(c Catalogs) ([]byte, error) {
	root, err := schemaOf(reflect.TypeFor[experimentForm]())
	if err != nil {
		return nil, err
	}
	root.Schema, root.ID = "https://json-schema.org/draft/2020-12/schema", schemaID
	root.Title, root.Description = "mishap experiment", "A falsifiable claim about a system, with a method and limits."
	addLimits(root)
	if err := addKinds(root, c); err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(out, '\n'), nil
}

// FileSchema returns the JSON Schema of another file that mishap reads, closed as
// that of an experiment: for each key the zero value of what may be there; of several
// lists, whose items any of them may hold.
func FileSchema(id, title string, keys map[string][]any) ([]byte, error) {
	root := &jsonschema.Schema{
		Schema: "https://json-schema.org/draft/2020-12/schema", ID: id, Title: title,
		Type: "object", Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: never(),
	}
	for key, zeros := range keys {
		var all []*jsonschema.Schema
		for _, zero := range zeros {
			s, err := schemaOf(reflect.TypeOf(zero))
			if err != nil {
				return nil, fmt.Errorf("write schema: %s: %w", key, err)
			}
			nothingRequired(s)
			all = append(all, s)
		}
		root.Properties[key] = all[0]
		if len(all) > 1 {
			items := &jsonschema.Schema{}
			for _, s := range all {
				items.AnyOf = append(items.AnyOf, s.Items)
			}
			root.Properties[key] = &jsonschema.Schema{Type: "array", Items: items}
		}
	}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(out, '\n'), nil
}

// nothingRequired leaves it to the reader what has to be there: types do not say
// what has a default.
func nothingRequired(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	s.Required = nil
	for _, p := range s.Properties {
		nothingRequired(p)
	}
	nothingRequired(s.Items)
}

// addLimits adds the rules that are not in the types.
func addLimits(root *jsonschema.Schema) {
	one := 1.0
	p := root.Properties
	p["version"].Const = jsonschema.Ptr[any](mishap.Version)
	p["name"].Pattern = experimentName.String()
	p["claim"].MinLength = jsonschema.Ptr(1)
	p["vars"].PropertyNames = &jsonschema.Schema{Pattern: varName.String()}
	for _, key := range []string{"steadyState", "faults"} {
		p[key].MinItems = jsonschema.Ptr(1)
	}
	for _, key := range []string{"steadyState", "faults", "safeguards"} {
		p[key].MaxItems = jsonschema.Ptr(mostItems)
	}
	p["blastRadius"].Properties["targets"].Minimum = &one
	p["recovery"].Properties["factor"].Minimum = &one
	p["ready"].Properties["factor"].Minimum = &one
	probe := p["steadyState"].Items.Properties
	probe["onDeviation"].Enum = []any{mishap.StopOnDeviation, mishap.NoteDeviation}
	compare := p["compare"].Properties
	compare["metrics"].MinItems = jsonschema.Ptr(1)
	compare["metrics"].Items.Properties["metric"].Enum = []any{mishap.SuccessRate, mishap.EventRate, mishap.Latency, mishap.Gauge}
	compare["arms"].Properties["from"].Enum = []any{mishap.ArmsFromRequests, mishap.ArmsFromTargets}
	when := probe["when"]
	when.MinItems, when.UniqueItems = jsonschema.Ptr(1), true
	when.Items.Enum = nil
	for _, phase := range phases() {
		when.Items.Enum = append(when.Items.Enum, phase)
	}
}

// variant is what one entry of a catalog adds to the item that names it; a nil
// type is a key that the entry does not have.
type variant struct {
	name, summary string
	keys          map[string]any // key → zero value of its struct
}

func addKinds(root *jsonschema.Schema, c Catalogs) error {
	var probes, injectors, safeguards, sources []variant
	for _, k := range c.Probes {
		probes = append(probes, variant{k.Name, k.Summary, map[string]any{"with": k.Params, "expect": k.Expect}})
	}
	for _, k := range c.Injectors {
		injectors = append(injectors, variant{k.Name, k.Summary, map[string]any{"with": k.Params, "targets": k.Targets}})
	}
	for _, k := range c.Safeguards {
		safeguards = append(safeguards, variant{k.Name, k.Summary, map[string]any{"with": k.Params}})
	}
	for _, k := range c.Sources {
		sources = append(sources, variant{k.Name, k.Summary, map[string]any{"with": k.Params}})
	}
	return firstError(
		addVariants(root.Properties["steadyState"].Items, "probe", probes),
		addVariants(root.Properties["faults"].Items, "injector", injectors),
		addVariants(root.Properties["safeguards"].Items, "safeguard", safeguards),
		addVariants(root.Properties["compare"].Properties["metrics"].Items, "source", sources),
	)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// addVariants makes item's parameters depend on the entry that it names.
func addVariants(item *jsonschema.Schema, catalog string, variants []variant) error {
	name := item.Properties[catalog]
	name.Enum = []any{}
	for _, v := range variants {
		name.Enum = append(name.Enum, v.name)
		then := &jsonschema.Schema{Description: v.summary, Properties: map[string]*jsonschema.Schema{}}
		for key, zero := range v.keys {
			t := structType(zero)
			if t == nil {
				then.Properties[key] = &jsonschema.Schema{MaxProperties: jsonschema.Ptr(0)}
				continue
			}
			s, err := schemaOf(t)
			if err != nil {
				return fmt.Errorf("describe %s %s: %w", catalog, v.name, err)
			}
			if len(s.Required) > 0 {
				then.Required = append(then.Required, key)
			}
			then.Properties[key] = s
		}
		slices.Sort(then.Required)
		item.AllOf = append(item.AllOf, &jsonschema.Schema{
			If: &jsonschema.Schema{
				Properties: map[string]*jsonschema.Schema{catalog: {Const: jsonschema.Ptr[any](v.name)}},
				Required:   []string{catalog},
			},
			Then: then,
		})
	}
	return nil
}

// structType returns the type of a catalog's zero value, nil if it has none.
func structType(zero any) reflect.Type {
	if zero == nil {
		return nil
	}
	t := reflect.TypeOf(zero)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// schemaOf returns the closed schema of a struct, as the reader reads it.
func schemaOf(t reflect.Type) (*jsonschema.Schema, error) {
	types := map[reflect.Type]*jsonschema.Schema{}
	ownSchemas(t, types, map[reflect.Type]bool{})
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: types})
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", t, err)
	}
	withoutNull(s)
	return s, nil
}

// ownSchemas finds the types below t that read themselves, whose fields say
// nothing about how they are written.
func ownSchemas(t reflect.Type, found map[reflect.Type]*jsonschema.Schema, seen map[reflect.Type]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	if s := ownSchema(t); s != nil {
		found[t] = s
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		ownSchemas(t.Elem(), found, seen)
	case reflect.Struct:
		for i := range t.NumField() {
			ownSchemas(t.Field(i).Type, found, seen)
		}
	}
}

// ownSchema returns how a type that reads itself is written, nil for others.
func ownSchema(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[mishap.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^\+?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`, Examples: []any{"300ms", "15m"}}
	case reflect.TypeFor[mishap.Share]():
		return &jsonschema.Schema{Type: "string", Pattern: `%\s*$`, Examples: []any{"5%"}}
	case reflect.TypeFor[mishap.BaselineTime]():
		return &jsonschema.Schema{Type: "string", Pattern: `^\s*(auto(\s+up to\s.*)?|[0-9.+].*)$`, Examples: []any{"auto", "60s", "auto up to 30m"}}
	case reflect.TypeFor[mishap.Quantile]():
		return &jsonschema.Schema{Type: "string", Pattern: `^\s*p[0-9.]+\s*$`, Examples: []any{"p50", "p99.9"}}
	case reflect.TypeFor[mishap.StatusSet]():
		return &jsonschema.Schema{Types: []string{"string", "integer"}, Pattern: `^[0-9x, -]+$`, Examples: []any{"2xx", "200-399", "200, 404"}}
	case reflect.TypeFor[marginText]():
		return &jsonschema.Schema{Types: []string{"string", "number"}, Pattern: `^\s*\+?[0-9.]+([eE][-+]?[0-9]+)?\s*(pp|%)?\s*$`, ExclusiveMinimum: jsonschema.Ptr(0.0), Examples: []any{"0.5pp", "20%", 3}}
	case reflect.TypeFor[mishap.Allowance]():
		return &jsonschema.Schema{Type: "string", Pattern: `^(none|\s*\+?[0-9]+\s* of \s*\+?[0-9]+\s*)$`, Examples: []any{"2 of 20", "none"}}
	case reflect.TypeFor[mishap.Secret]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string"},
			{Type: "object", Required: []string{"env"}, AdditionalProperties: never(), Properties: map[string]*jsonschema.Schema{"env": {Type: "string", MinLength: jsonschema.Ptr(1)}}},
			{Type: "object", Required: []string{"file"}, AdditionalProperties: never(), Properties: map[string]*jsonschema.Schema{"file": {Type: "string", MinLength: jsonschema.Ptr(1)}}},
		}}
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{}
	}
	switch reflect.New(t).Interface().(type) {
	case json.Unmarshaler:
		return &jsonschema.Schema{} // it may be written in several ways
	case encoding.TextUnmarshaler:
		return &jsonschema.Schema{Type: "string"}
	}
	return nil
}

func never() *jsonschema.Schema { return &jsonschema.Schema{Not: &jsonschema.Schema{}} }

// withoutNull removes null from the types of s: no key without a value is
// read.
func withoutNull(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	s.Types = slices.DeleteFunc(s.Types, func(t string) bool { return t == "null" })
	if len(s.Types) == 1 {
		s.Type, s.Types = s.Types[0], nil
	}
	s.Description = strings.TrimSpace(s.Description)
	for _, p := range s.Properties {
		withoutNull(p)
	}
	withoutNull(s.Items)
	if s.AdditionalProperties != nil && s.AdditionalProperties.Not == nil {
		withoutNull(s.AdditionalProperties)
	}
}
