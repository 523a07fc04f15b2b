package mishap

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// PlainSecrets reports the secrets that stand in plain text in raw where a
// reference could stand: params is the zero value of the struct that raw is read
// into, and each [Secret] in it may be one. This is the one rule for all kinds;
// values that nobody may mean as a secret are [*Warning]. What is wrong with raw
// otherwise is for its kind to say.
func PlainSecrets(path string, raw json.RawMessage, params any) error {
	if params == nil {
		return nil
	}
	into := reflect.New(reflect.TypeOf(params))
	_ = Decode(path, raw, into.Interface()) // its kind reports that
	return plainIn(path, "", into.Elem())
}

// plainIn looks at a value; name is the key that it stands under.
func plainIn(path, name string, v reflect.Value) error {
	if s, ok := v.Interface().(Secret); ok {
		return s.plain(path, name)
	}
	var problems []error
	switch v.Kind() {
	case reflect.Struct:
		fields := jsonFields(v)
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			problems = append(problems, plainIn(join(path, key), key, fields[key]))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return plainIn(path, name, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			problems = append(problems, plainIn(fmt.Sprintf("%s[%d]", path, i), name, v.Index(i)))
		}
	case reflect.Map:
		keys := slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			problems = append(problems, plainIn(join(path, key.String()), key.String(), v.MapIndex(key)))
		}
	}
	return errors.Join(problems...)
}

// plain reports a secret in plain text under a name. It does not repeat it.
func (s Secret) plain(path, name string) error {
	why, doubt := namedSecret(name, s.Value), ""
	if why == "" {
		why, doubt = SecretInURL(s.Value)
	}
	if why == "" && doubt == "" && mayBeSecret(name, s.Value) {
		doubt = "is in plain text, and may be a secret by its name"
	}
	hint := fmt.Sprintf("write %s: {env: NAME} or {file: PATH}", name)
	switch {
	case why != "":
		return &FieldError{Path: path, Msg: why, Hint: hint + ", and make a new one", Secret: true}
	case doubt != "":
		return &Warning{FieldError{Path: path, Msg: doubt, Hint: "if it is one, " + hint, Secret: true}}
	}
	return nil
}

// SecretInURL says what of a URL is a secret in plain text, without showing it: the
// user information, or a parameter of the query. Doubt is said instead of
// what may be another thing. Both are empty of a text that is no URL.
func SecretInURL(text string) (why, doubt string) {
	scheme, rest, is := strings.Cut(text, "://")
	if !is || strings.ContainsFunc(scheme, func(r rune) bool { return !unicode.IsLetter(r) && !strings.ContainsRune("+.-0123456789", r) }) {
		return "", ""
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		_, password, _ := strings.Cut(authority[:at], ":")
		if password != "" || strings.HasPrefix(strings.ToLower(scheme), "http") { // over HTTP a token is often the user
			return "has a user or password in plain text", ""
		}
	}
	rest, _, _ = strings.Cut(rest, "#")
	_, query, _ := strings.Cut(rest, "?")
	for parameter := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		switch {
		case namedSecret(name, value) != "":
			return fmt.Sprintf("has the parameter %s, a secret by its name, in plain text", name), ""
		case mayBeSecret(name, value):
			doubt = fmt.Sprintf("has the parameter %s in plain text, which may be a secret by its name", name)
		}
	}
	return "", doubt
}

// Names of headers, variables and parameters.
const (
	// secretNames end those that hold secrets.
	secretNames = "authorization cookie password passwd passphrase secret token jwt credential credentials signature " +
		"apikey accesskey secretkey privatekey authkey accountkey subscriptionkey functionskey signingkey encryptionkey masterkey"
	secretWords   = "sig pwd"         // do so only as a word of their own
	doubtfulNames = "key auth x-auth" // may hold something else
)

// namedSecret says that a value is a secret by its name; empty if it is none.
func namedSecret(name, value string) string {
	if name == "PWD" || !isText(value) { // the shell's own variable
		return ""
	}
	words := wordsOf(name)
	joined := strings.Join(words, "")
	ends := func(end string) bool { return strings.HasSuffix(joined, end) }
	if slices.ContainsFunc(strings.Fields(secretNames), ends) || len(words) > 0 && slices.Contains(strings.Fields(secretWords), words[len(words)-1]) {
		return "is a secret by its name, and stands in plain text"
	}
	return ""
}

// mayBeSecret reports a value that is a secret or something else, by its name.
func mayBeSecret(name, value string) bool {
	return isText(value) && slices.Contains(strings.Fields(doubtfulNames), strings.Join(wordsOf(name), "-"))
}

// isText reports a value that could be a secret: ALLOW_EMPTY_PASSWORD=yes is none.
func isText(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "true", "false", "yes", "no", "on", "off", "0", "1":
		return false
	}
	return true
}

// wordsOf are the words of api_key, X-Api-Key, API_KEY and apiKey, in small letters.
func wordsOf(name string) []string {
	var spaced strings.Builder
	before := ' '
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			spaced.WriteByte(' ')
		}
		spaced.WriteRune(r)
		before = r
	}
	return strings.FieldsFunc(strings.ToLower(spaced.String()), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
