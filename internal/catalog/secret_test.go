package catalog_test

import (
	"os"
	"path/filepath"
	"testing"

	"mishap"
	"mishap/internal/catalog"
)

func TestASecretOfTheSettingsIsWhatItsReferenceHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("hunter2\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := catalog.Secret(mishap.Secret{File: path}); got != "hunter2" || err != nil {
		t.Errorf("a file of another system gives %q, %v", got, err)
	}
	t.Setenv("MISHAP_TEST_EMPTY", "")
	if got, err := catalog.Secret(mishap.Secret{Env: "MISHAP_TEST_EMPTY"}); err == nil {
		t.Errorf("an empty variable gives %q", got)
	}
}
