package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"mishap"
)

// fillSections reads the settings that are lists or mappings from the file's
// tree. viper would write their keys in small letters.
func (s *Settings) fillSections(path string, tree *ast.File) error {
	var problems []error
	all := s.sections()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		into := all[key]
		value, body := sectionOf(tree, key)
		if value == nil {
			continue
		}
		var plain any
		if err := yaml.NodeToValue(value, &plain); err != nil {
			problems = append(problems, Invalid{fmt.Errorf("%s: %s: %w", path, key, err)})
			continue
		}
		raw, err := json.Marshal(plain)
		if err != nil {
			problems = append(problems, Invalid{fmt.Errorf("%s: %s: its keys must be texts: %w", path, key, err)})
			continue
		}
		if key == "accounts" {
			raw = withIDs(raw)
		}
		problems = append(problems, placed(path, body, mishap.Decode(key, raw, into))...)
		s.set(key, json.RawMessage(raw))
		s.gave(key, string(raw)) // with its keys as they are written
	}
	return errors.Join(problems...)
}

// sectionOf is the value of a key at the top of the file, and what holds it.
func sectionOf(tree *ast.File, key string) (value, body ast.Node) {
	for _, doc := range tree.Docs {
		pairs, ok := doc.Body.(ast.MapNode)
		if !ok {
			continue
		}
		for entries := pairs.MapRange(); entries.Next(); {
			if entries.Key().GetToken().Value == key {
				return entries.Value(), doc.Body
			}
		}
	}
	return nil, nil
}

// placed says where in the file each problem is.
func placed(file string, body ast.Node, err error) (all []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			all = append(all, placed(file, body, one)...)
		}
		return all
	}
	var field *mishap.FieldError
	if !errors.As(err, &field) {
		if err != nil {
			all = append(all, Invalid{fmt.Errorf("%s: %w", file, err)})
		}
		return all
	}
	where := positionOf(file, body, field.Path)
	text := fmt.Sprintf("%s: %s", where, field)
	if field.Hint != "" {
		text += "; " + field.Hint
	}
	return append(all, Invalid{errors.New(text)})
}

// positionOf says where in a file a path is, or the nearest part of it that is there.
func positionOf(file string, body ast.Node, path string) string {
	for ; path != ""; path = parent(path) {
		at, err := yaml.PathString("$." + path)
		if err != nil {
			continue
		}
		if node, err := at.FilterNode(body); err == nil && node != nil {
			p := beginOf(node)
			return fmt.Sprintf("%s:%d:%d", file, p.Line, p.Column)
		}
	}
	return file
}

// beginOf is where a value begins: a mapping in lines, with its first key.
func beginOf(node ast.Node) *token.Position {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken().Position
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken().Position
	}
	return node.GetToken().Position
}

// parent is the path without its last part.
func parent(path string) string {
	i := strings.LastIndexAny(path, ".[")
	if i < 0 {
		return ""
	}
	return path[:i]
}

// Keys are those of the settings file, each with zero values of what may be there:
// for who describes the file.
func Keys() map[string][]any {
	s := Settings{live: newLive(new(Live))}
	all := map[string][]any{}
	for _, one := range settings(Options{LookupEnv: func(string) (string, bool) { return "", false }}) {
		switch {
		case one.list:
			all[one.key] = []any{[]string{}}
		case slices.Contains([]string{"longestRun", "revertWithin", "lease", "serverLease"}, one.key):
			all[one.key] = []any{mishap.Duration(0)}
		default:
			all[one.key] = []any{""}
		}
	}
	for key, into := range s.sections() {
		all[key] = []any{reflect.ValueOf(into).Elem().Interface()}
	}
	all["accounts"] = []any{[]string{}, []int64{}, []Account{}} // ids, or what they allow
	return all
}
