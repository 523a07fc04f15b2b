package probes

import (
	"bytes"
	"fmt"
	"regexp"

	"mishap"
)

// textExpectation is what a text must contain and match; the zero value is met
// by every text.
type textExpectation struct {
	contains string
	matches  *regexp.Regexp
}

// expectText reads the two ways to expect a text; path is that of the pattern.
func expectText(path, contains, pattern string) (textExpectation, error) {
	e := textExpectation{contains: contains}
	if pattern == "" {
		return e, nil
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return e, &mishap.FieldError{Path: path, Msg: fmt.Sprintf("%q is not a regular expression: %v", pattern, err), Hint: "the syntax is RE2, see https://pkg.go.dev/regexp/syntax"}
	}
	e.matches = compiled
	return e, nil
}

// any reports whether anything is expected.
func (e textExpectation) any() bool { return e.contains != "" || e.matches != nil }

// met reports whether text is as expected.
func (e textExpectation) met(text []byte) bool {
	return bytes.Contains(text, []byte(e.contains)) && (e.matches == nil || e.matches.Match(text))
}

// text judges a text. Of one that was cut off, it cannot be known what the rest
// contains.
func (j *judgement) text(e textExpectation, s *secrets, what string, text []byte, cut bool) {
	say := func(format string, args ...any) {
		if cut {
			j.unknown(format+", but only its beginning was read", args...)
			return
		}
		if len(text) == 0 {
			j.unmet(format+", it is empty", args...)
			return
		}
		j.unmet(format+", it begins %s", append(args, s.quote(string(text)))...)
	}
	if !bytes.Contains(text, []byte(e.contains)) {
		say("%s does not contain %q", what, e.contains)
		return
	}
	if e.matches != nil && !e.matches.Match(text) {
		say("%s does not match %s", what, e.matches)
	}
}
