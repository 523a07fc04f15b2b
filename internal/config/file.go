package config

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"mishap"
	"mishap/internal/yamltext"
)

// checkFile refuses keys that do not exist or come twice, which viper would
// ignore, and says on which line each key is.
func checkFile(path string, known []setting) (map[string]int, *ast.File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read settings: %w", err)
	}
	if p := yamltext.Fits(text); p != nil {
		return nil, nil, mishap.WithHint(Invalid{fmt.Errorf("%s:%d:%d: %s", path, p.Line, p.Column, p.Msg)}, p.Hint)
	}
	tree, err := parser.ParseBytes([]byte(yamltext.Masked(text)), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, nil, Invalid{fmt.Errorf("read settings %s: %w", path, err)}
	}
	if unclear := yamltext.Agree(text, tree); len(unclear) > 0 {
		var problems []error
		for _, p := range unclear {
			problems = append(problems, mishap.WithHint(Invalid{fmt.Errorf("%s:%d:%d: %s", path, p.Line, p.Column, p.Msg)}, p.Hint))
		}
		return nil, nil, errors.Join(problems...)
	}
	var names []string
	for _, s := range known {
		names = append(names, s.key)
	}
	lines := map[string]int{}
	var problems []error
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		pairs, ok := doc.Body.(ast.MapNode)
		if !ok {
			return nil, nil, Invalid{fmt.Errorf("%s: settings are a mapping of keys to values", path)}
		}
		for entries := pairs.MapRange(); entries.Next(); {
			at := entries.Key().GetToken().Position
			key := entries.Key().GetToken().Value
			where := fmt.Sprintf("%s:%d:%d", path, at.Line, at.Column)
			if !contains(names, key) {
				problems = append(problems, Invalid{fmt.Errorf("%s: unknown key %q; %s", where, key, mishap.Suggest(key, names))})
			} else if lines[key] > 0 {
				problems = append(problems, Invalid{fmt.Errorf("%s: %s is given twice, first on line %d", where, key, lines[key])})
			}
			lines[key] = at.Line
			problems = append(problems, misshapen(where, key, entries.Value(), known))
		}
	}
	return lines, tree, errors.Join(problems...)
}

// misshapen refuses a list or a mapping where one value is wanted, which viper would
// ignore; what is more than one value has its own reader.
func misshapen(where, key string, value ast.Node, known []setting) error {
	i := slices.IndexFunc(known, func(s setting) bool { return s.key == key })
	if _, section := (&Settings{}).sections()[key]; section || i < 0 || key == "accounts" {
		return nil
	}
	switch _, isList := value.(*ast.SequenceNode); {
	case isList && !known[i].list:
		return Invalid{fmt.Errorf("%s: %s must be one value, not a list; such as %s: VALUE", where, key, key)}
	case isMapping(value) && known[i].list:
		return Invalid{fmt.Errorf("%s: %s must be a list, not a mapping; such as %s: [ONE, TWO]", where, key, key)}
	case isMapping(value):
		return Invalid{fmt.Errorf("%s: %s must be one value, not a mapping; such as %s: VALUE", where, key, key)}
	}
	return nil
}

func isMapping(value ast.Node) bool {
	_, is := value.(ast.MapNode)
	return is
}

func contains(list []string, one string) bool {
	for _, s := range list {
		if s == one {
			return true
		}
	}
	return false
}
