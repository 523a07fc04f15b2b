package probes

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mishap"
)

// jsonExpectation is what the value at one path of a JSON document must be.
type jsonExpectation struct {
	path  string // as written
	steps []string
	limit *Comparison // for a number
	equal any         // otherwise
}

// expectJSON reads the expectations of a JSON document, in the order of their
// paths.
func expectJSON(path string, want map[string]any) ([]jsonExpectation, error) {
	var all []jsonExpectation
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(want)) {
		at := path + "." + key
		e := jsonExpectation{path: key, equal: want[key]}
		steps, err := parsePath(key)
		if err != nil {
			problems = append(problems, fieldError(at, err))
		}
		e.steps = steps
		if text, ok := want[key].(string); ok && strings.IndexAny(text, "<>=!") == 0 {
			e.limit, err = expectComparison(at, &text, Plain, Percent, Time)
			problems = append(problems, err)
		}
		all = append(all, e)
	}
	return all, errors.Join(problems...)
}

// parsePath reads "$.items[0].name", "items.0.name" or "$['a.b']" into steps.
// "$" alone is the whole document.
func parsePath(path string) ([]string, error) {
	wrong := func(what string) error {
		return mishap.WithHint(fmt.Errorf("%q is not a path: %s", path, what), `write it like "$.items[0].name"`)
	}
	rest := path
	if rest == "$" {
		return nil, nil
	}
	if after, ok := strings.CutPrefix(rest, "$"); ok && (strings.HasPrefix(after, ".") || strings.HasPrefix(after, "[")) {
		rest = strings.TrimPrefix(after, ".")
	}
	var steps []string
	for {
		step, after, err := nextStep(rest)
		if err != nil {
			return nil, wrong(err.Error())
		}
		steps = append(steps, step)
		switch {
		case after == "":
			return steps, nil
		case after[0] == '.':
			rest = after[1:]
			if strings.HasPrefix(rest, "[") {
				return nil, wrong("a bracket follows a dot")
			}
		case after[0] == '[':
			rest = after
		default:
			return nil, wrong(fmt.Sprintf("%q follows a bracket", after))
		}
	}
}

// nextStep cuts one name or bracket off the beginning.
func nextStep(text string) (step, rest string, err error) {
	if !strings.HasPrefix(text, "[") {
		end := strings.IndexAny(text, ".[")
		if end < 0 {
			end = len(text)
		}
		if end == 0 {
			return "", "", errors.New("a name is missing")
		}
		if name := text[:end]; strings.ContainsAny(name, "*?") {
			return "", "", fmt.Errorf("%q would select several values", name)
		}
		return text[:end], text[end:], nil
	}
	if len(text) > 1 && (text[1] == '\'' || text[1] == '"') {
		quote := text[1:2]
		name, after, ok := strings.Cut(text[2:], quote+"]")
		if !ok {
			return "", "", fmt.Errorf("the bracket that opens with %s does not close", quote)
		}
		return name, after, nil
	}
	index, after, ok := strings.Cut(text[1:], "]")
	if n, err := strconv.Atoi(index); !ok || err != nil || n < 0 {
		return "", "", errors.New("a bracket holds a number from 0, or a name in quotes")
	}
	return index, after, nil
}

// find walks the steps; false means that nothing is there.
func find(document any, steps []string) (any, bool) {
	for _, step := range steps {
		switch v := document.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return nil, false
			}
			document = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			document = v[i]
		default:
			return nil, false
		}
	}
	return document, true
}

// json judges a JSON document.
func (j *judgement) json(want []jsonExpectation, s *secrets, body []byte, cut bool) {
	if len(want) == 0 {
		return
	}
	if cut {
		j.unknown("the body is too long to be read as JSON; more than %d bytes", bodyLimit)
		return
	}
	var document any
	if err := mishap.DecodeNumbers(body, &document); err != nil {
		j.unmet("the body is not JSON, it begins %s", s.quote(string(body)))
		return
	}
	for _, e := range want {
		j.jsonValue(e, s, document)
	}
}

func (j *judgement) jsonValue(e jsonExpectation, s *secrets, document any) {
	value, ok := find(document, e.steps)
	if !ok {
		j.unmet("%s is missing", e.path)
		return
	}
	if e.limit == nil {
		switch same, err := mishap.SameValue(value, e.equal); {
		case err != nil:
			j.unknown("%s is %s, which cannot be compared: %v", e.path, s.short(value), err)
		case !same:
			j.unmet("%s is %s, expected %s", e.path, s.short(value), written(e.equal))
		}
		return
	}
	text, ok := value.(json.Number)
	if !ok {
		j.unmet("%s is %s, expected a number %s", e.path, s.short(value), e.limit)
		return
	}
	switch number, err := mishap.ParseNumber(string(text)); {
	case err != nil:
		j.unknown("%s is %s, which cannot be compared: %v", e.path, s.short(value), err)
	case !e.limit.HoldsFor(number):
		j.unmet("%s is %s, expected %s", e.path, s.short(value), e.limit)
	}
}

// short is a value of the answer as JSON, without secrets and not too long.
func (s *secrets) short(value any) string {
	if text, ok := value.(string); ok {
		return s.quote(text)
	}
	text := s.clean(written(value), 1)
	if len(text) > longestQuote {
		return s.quote(text)
	}
	return text
}
