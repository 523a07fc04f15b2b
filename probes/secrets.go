package probes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"mishap"
)

const (
	hidden       = "[secret]"
	leastHidden  = 4   // shorter secrets are hidden only in what the system answered, not in the probe's own words
	longestQuote = 120 // bytes of a foreign text that a detail shows
)

// secrets looks up the secrets of one observation and keeps them out of what
// the observation says.
type secrets struct {
	deps  Deps
	known []string
}

// resolve returns the value of the secret at path. What cannot be looked up
// makes the observation unknown.
func (s *secrets) resolve(path string, secret mishap.Secret) (string, error) {
	value, err := secret.Resolve(s.deps.LookupEnv, s.deps.ReadFile)
	if err != nil {
		return "", unmeasured("%s: %v", path, err)
	}
	if secret.IsReference() {
		s.hide(value)
	}
	return value, nil
}

// hide keeps value, and what a system may make of it, out of the observation.
func (s *secrets) hide(value string) {
	s.know(value)
	s.know(url.QueryEscape(value))
	s.know(url.PathEscape(value))
	if quoted, err := json.Marshal(value); err == nil {
		s.know(strings.Trim(string(quoted), `"`))
	}
	// The word after "Bearer", or one line of a key, is as secret as the whole.
	const leastPart = 8
	for _, part := range strings.Fields(value) {
		if len(part) >= leastPart {
			s.know(part)
		}
	}
}

func (s *secrets) know(value string) {
	if value != "" && !slices.Contains(s.known, value) {
		s.known = append(s.known, value)
		slices.SortFunc(s.known, func(a, b string) int { return len(b) - len(a) })
	}
}

// hideURL hides the credentials and the values of the query of u.
func (s *secrets) hideURL(u *url.URL) {
	if u.User != nil {
		password, ok := u.User.Password()
		if !ok {
			s.hide(u.User.Username()) // a token is often written alone
		}
		s.hide(password)
		s.know(u.User.String())
		s.know(base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password)))
	}
	const leastValue = 6 // "1" and "true" are no secrets, and hiding them would garble the answer
	for _, values := range u.Query() {
		for _, value := range values {
			if len(value) >= leastValue {
				s.hide(value)
			}
		}
	}
}

// clean returns text without any secret of at least the given length.
func (s *secrets) clean(text string, least int) string {
	for _, secret := range s.known {
		if len(secret) >= least {
			text = strings.ReplaceAll(text, secret, hidden)
		}
	}
	return text
}

// quote returns the beginning of a foreign text, in quotes and without secrets.
func (s *secrets) quote(text string) string {
	text = s.cutPart(s.clean(strings.TrimSpace(text), 1))
	if len(text) <= longestQuote {
		return strconv.Quote(text)
	}
	end := longestQuote
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return strconv.Quote(text[:end]) + "…"
}

// cutPart hides a secret of which only the beginning has arrived.
func (s *secrets) cutPart(text string) string {
	for _, secret := range s.known {
		for n := len(secret) - 1; n >= leastHidden; n-- {
			if rest, ok := strings.CutSuffix(text, secret[:n]); ok {
				return rest + hidden
			}
		}
	}
	return text
}

// redacted returns u without credentials and without the values of its query.
func redacted(u *url.URL) string {
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.RawQuery == "" {
		return plain.String()
	}
	return fmt.Sprintf("%s?…", plain.String())
}
