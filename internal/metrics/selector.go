package metrics

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// selector chooses series of one metric, as PromQL writes it.
type selector struct {
	name     string
	matchers []matcher
}

// matcher is one condition on a label.
type matcher struct {
	label, op, value string
	pattern          *regexp.Regexp // of =~ and !~
}

// charset is what names consist of besides letters, digits and underscores.
type charset string

const (
	ofLabels  charset = ""
	ofMetrics charset = ":"
	ofOTLP    charset = ".-/"
)

var errSelector = errors.New("is not a selector of one metric")

// parseSelector reads name{label="value", …}. Nothing else is a selector: no
// function, range or offset, because counters are read as they were scraped.
// Names of OpenTelemetry also have dots, dashes and slashes.
func parseSelector(text string, dotted bool) (selector, error) {
	metric, label := ofMetrics, ofLabels
	if dotted {
		metric, label = ofOTLP, ofOTLP
	}
	s, rest := selector{}, strings.TrimSpace(text)
	s.name, rest = takeName(rest, metric)
	rest = strings.TrimSpace(rest)
	if s.name == "" {
		return s, errSelector
	}
	if rest == "" {
		return s, nil
	}
	if rest[0] != '{' {
		return s, errSelector
	}
	for rest = strings.TrimSpace(rest[1:]); rest != "" && rest[0] != '}'; {
		var m matcher
		var err error
		if m, rest, err = takeMatcher(rest, label); err != nil {
			return s, err
		}
		s.matchers = append(s.matchers, m)
		rest = strings.TrimSpace(rest)
		if after, ok := strings.CutPrefix(rest, ","); ok {
			rest = strings.TrimSpace(after)
		} else if !strings.HasPrefix(rest, "}") {
			return s, errSelector
		}
	}
	if rest != "}" {
		return s, errSelector
	}
	return s, nil
}

func takeMatcher(text string, names charset) (m matcher, rest string, err error) {
	m.label, rest = takeName(text, names)
	rest = strings.TrimSpace(rest)
	for _, op := range []string{"=~", "!~", "!=", "="} {
		if after, ok := strings.CutPrefix(rest, op); ok {
			m.op, rest = op, strings.TrimSpace(after)
			break
		}
	}
	if m.label == "" || m.op == "" || rest == "" {
		return m, rest, errSelector
	}
	quote := rest[0]
	if quote != '"' && quote != '\'' && quote != '`' {
		return m, rest, errSelector
	}
	for i := 1; i < len(rest); i++ {
		switch {
		case rest[i] == '\\' && quote != '`':
			i++
		case rest[i] == quote:
			if m.value, err = unquote(rest[:i+1]); err == nil && strings.HasSuffix(m.op, "~") {
				m.pattern, err = regexp.Compile("^(?s:" + m.value + ")$")
			}
			return m, rest[i+1:], err
		}
	}
	return m, rest, errSelector
}

// unquote reads a string of PromQL, which escapes as Go does.
func unquote(text string) (string, error) {
	if text[0] == '\'' {
		inner := strings.ReplaceAll(text[1:len(text)-1], `\'`, `'`)
		text = `"` + strings.ReplaceAll(strings.ReplaceAll(inner, `\"`, `"`), `"`, `\"`) + `"`
	}
	value, err := strconv.Unquote(text)
	if err != nil {
		return "", errSelector
	}
	return value, nil
}

func takeName(text string, more charset) (name, rest string) {
	i := 0
	for ; i < len(text); i++ {
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || more == ofMetrics && c == ':'
		if !letter && (i == 0 || (c < '0' || c > '9') && !strings.ContainsRune(string(more), rune(c))) {
			break
		}
	}
	return text[:i], text[i:]
}

// where adds a condition.
func (s selector) where(label, op, value string) selector {
	s.matchers = append(append([]matcher(nil), s.matchers...), matcher{label: label, op: op, value: value})
	return s
}

// String writes the selector as PromQL.
func (s selector) String() string {
	var all []string
	for _, m := range s.matchers {
		all = append(all, fmt.Sprintf("%s%s%s", m.label, m.op, strconv.Quote(m.value)))
	}
	return s.name + "{" + strings.Join(all, ",") + "}"
}

// match reports whether all conditions hold; a label that is not there is empty.
func (s selector) match(labels map[string]string) bool {
	for _, m := range s.matchers {
		value, holds := labels[m.label], false
		switch m.op {
		case "=":
			holds = value == m.value
		case "!=":
			holds = value != m.value
		case "=~":
			holds = m.pattern.MatchString(value)
		case "!~":
			holds = !m.pattern.MatchString(value)
		}
		if !holds {
			return false
		}
	}
	return true
}
