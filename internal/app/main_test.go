package app_test

import (
	"os"
	"strings"
	"testing"
)

// TestMain takes the settings of whoever runs the tests out of the environment: they win over those of a file, and two tests
// would share a state.
func TestMain(m *testing.M) {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "MISHAP_") {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}
