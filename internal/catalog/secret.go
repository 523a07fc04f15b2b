package catalog

import (
	"os"

	"mishap"
	"mishap/internal/outside"
)

// Secret looks a reference of the settings up, at the moment of a call.
func Secret(s mishap.Secret) (string, error) { return s.Resolve(os.LookupEnv, outside.ReadFile) }
