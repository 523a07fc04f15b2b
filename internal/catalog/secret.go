package catalog

import (
	"fmt"
	"os"
	"strings"

	"mishap"
	"mishap/internal/outside"
)

// Secret looks a reference of the settings up, at the moment of a call.
func Secret(s mishap.Secret) (string, error) { return secretFrom(nil, s) }

// secretFrom looks one up among the files that may be read.
func secretFrom(files *outside.Files, s mishap.Secret) (string, error) {
	switch {
	case s.Env != "":
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", fmt.Errorf("environment variable %s of a secret is not set", s.Env)
		}
		return value, nil
	case s.File != "":
		text, err := files.ReadFile(s.File)
		if err != nil {
			return "", fmt.Errorf("read file of a secret: %w", err)
		}
		return strings.TrimSuffix(string(text), "\n"), nil
	}
	return s.Value, nil
}
