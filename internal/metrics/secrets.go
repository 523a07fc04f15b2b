package metrics

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mishap"
)

const (
	hidden       = "[secret]"
	longestQuote = 160 // bytes of a foreign text that an error shows
)

// secrets looks up the secrets of a source, each time they are needed, and keeps
// them out of its errors.
type secrets struct {
	deps Deps

	mu    sync.Mutex
	known []string
}

// resolve returns the value of the secret at path.
func (s *secrets) resolve(path string, secret mishap.Secret) (string, error) {
	value, err := secret.Resolve(s.deps.LookupEnv, s.deps.ReadFile)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if secret.IsReference() {
		s.hide(value)
	}
	return value, nil
}

// hide keeps a value out of errors; the word after "Bearer" is as secret as the
// whole.
func (s *secrets) hide(value string) {
	const leastPart = 8
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, part := range append(strings.Fields(value), value) {
		if part != value && len(part) < leastPart || part == "" || slices.Contains(s.known, part) {
			continue
		}
		s.known = append(s.known, part)
	}
	slices.SortFunc(s.known, func(a, b string) int { return len(b) - len(a) })
}

// clean returns a text without secrets.
func (s *secrets) clean(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.known {
		text = strings.ReplaceAll(text, secret, hidden)
	}
	return text
}

// quote returns the beginning of a foreign text, in quotes and without secrets.
func (s *secrets) quote(text string) string {
	text = s.clean(strings.TrimSpace(text))
	if len(text) > longestQuote {
		return strconv.Quote(strings.ToValidUTF8(text[:longestQuote], "")) + "…"
	}
	return strconv.Quote(text)
}
