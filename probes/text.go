package probes

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// pattern is a regular expression in Go's syntax.
type pattern struct{ *regexp.Regexp }

// UnmarshalText compiles it.
func (p *pattern) UnmarshalText(text []byte) error {
	re, err := regexp.Compile(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a regular expression: %w", text, err)
	}
	p.Regexp = re
	return nil
}

// MarshalText writes the expression.
func (p pattern) MarshalText() ([]byte, error) {
	if p.Regexp == nil {
		return nil, nil
	}
	return []byte(p.String()), nil
}

// contains checks a text for a part and a pattern; empty means that it holds.
func contains(what, text, part string, p pattern) string {
	switch {
	case part != "" && !strings.Contains(text, part):
		return fmt.Sprintf("%s has no %q: %q", what, part, excerpt(text))
	case p.Regexp != nil && !p.MatchString(text):
		return fmt.Sprintf("%s does not match %q: %q", what, p.String(), excerpt(text))
	}
	return ""
}

// excerpt is the beginning of a text that may be long.
func excerpt(text string) string {
	const longest = 80
	text = strings.TrimSpace(text)
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}

// at finds a value by a path such as "items.0.name" or "$.items[0].name".
func at(doc any, path string) (any, error) {
	for _, step := range steps(path) {
		switch v := doc.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return nil, fmt.Errorf("there is no %q", step)
			}
			doc = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil, fmt.Errorf("there is no element %q of %d", step, len(v))
			}
			doc = v[i]
		default:
			return nil, fmt.Errorf("%v has no parts", doc)
		}
	}
	return doc, nil
}

func steps(path string) []string {
	path = strings.TrimPrefix(strings.TrimPrefix(path, "$"), ".")
	path = strings.NewReplacer("[", ".", "]", "").Replace(path)
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' })
}

// checkJSON compares values of a document; the first difference is said.
func checkJSON(body []byte, want map[string]json.RawMessage) string {
	if len(want) == 0 {
		return ""
	}
	var doc any
	if err := json.Unmarshal(body, &doc); err != nil {
		return fmt.Sprintf("body is not JSON: %q", excerpt(string(body)))
	}
	var problems []string
	for path, raw := range want {
		got, err := at(doc, path)
		if err != nil {
			problems = append(problems, fmt.Sprintf("body at %s: %v", path, err))
		} else if !equalJSON(got, raw) {
			problems = append(problems, fmt.Sprintf("body at %s is %v, expected %s", path, excerpt(fmt.Sprint(got)), raw))
		}
	}
	return strings.Join(problems, "; ")
}

// equalJSON compares a value with one that is expected: a comparison if the
// value is a number and the expected one reads as such, else equality.
func equalJSON(got any, raw json.RawMessage) bool {
	if n, ok := got.(float64); ok {
		var c comparison
		return json.Unmarshal(raw, &c) == nil && c.holds(n)
	}
	var want any
	if json.Unmarshal(raw, &want) != nil {
		return false
	}
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	return errA == nil && errB == nil && string(a) == string(b)
}
