// Package browsertest finds the browser that tests look at pages with.
package browsertest

import (
	"os/exec"
	"testing"
)

// Path is where a browser of the Chromium family is. Without one the test is skipped
// aloud: nobody looked at what it is about.
func Path(t testing.TB, about string) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("SKIPPED: no browser is installed, so nobody looked at " + about + "; apt-get install chromium")
	return ""
}
