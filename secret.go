package mishap

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Secret is a value that may be a reference, resolved late and never written
// down: in JSON either a plain string, {"env": NAME} or {"file": PATH}.
type Secret struct {
	Value string // a plain, public value
	Env   string // name of an environment variable
	File  string // path of a file whose content, without a last line end, is the value
}

// IsReference reports whether the value has to be looked up.
func (s Secret) IsReference() bool { return s.Env != "" || s.File != "" }

// MarshalJSON writes the reference, never what it refers to.
func (s Secret) MarshalJSON() ([]byte, error) {
	switch {
	case s.Env != "":
		return json.Marshal(map[string]string{"env": s.Env})
	case s.File != "":
		return json.Marshal(map[string]string{"file": s.File})
	default:
		return json.Marshal(s.Value)
	}
}

// UnmarshalJSON reads a string or exactly one reference.
func (s *Secret) UnmarshalJSON(data []byte) error {
	*s = Secret{}
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &s.Value)
	}
	var ref map[string]string
	if err := json.Unmarshal(data, &ref); err != nil || len(ref) != 1 {
		return fmt.Errorf("must be a string, {env: NAME} or {file: PATH}")
	}
	for key, value := range ref {
		switch {
		case value == "":
			return fmt.Errorf("the %s of a secret must not be empty", key)
		case key == "env":
			s.Env = value
		case key == "file":
			s.File = value
		case key == "ssm":
			return fmt.Errorf("secrets from ssm are not built yet; use {env: NAME} or {file: PATH}")
		default:
			return fmt.Errorf("unknown kind of secret %q; use {env: NAME} or {file: PATH}", key)
		}
	}
	return nil
}

// Resolve looks the value up, where it is a reference: lookup is of variables of
// the environment, read of files. A reference to nothing is an error: what is
// left empty by mistake must not pass for a password. Of a file the last line
// end is no part of the value.
func (s Secret) Resolve(lookup func(name string) (string, bool), read func(path string) ([]byte, error)) (string, error) {
	switch {
	case s.Env != "":
		value, _ := lookup(s.Env)
		if value == "" {
			return "", fmt.Errorf("the environment variable %s is not set, or empty", s.Env)
		}
		return value, nil
	case s.File != "":
		text, err := read(s.File)
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		if value == "" {
			return "", fmt.Errorf("read secret: the file %s is empty", s.File)
		}
		return value, nil
	}
	return s.Value, nil
}
