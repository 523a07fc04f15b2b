package catalog

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/outside"
)

// Paths are compared as they will be opened: absolute, and without what leads
// elsewhere and back.
func TestFilesAreComparedAsTheyWillBeOpened(t *testing.T) {
	s := newSite(t, config.Allow{})
	dir := filepath.Dir(s.bin)
	source := filepath.Join(dir, "checkout")
	s.catalog.settings.Server.Sources = []config.Source{{Name: "team", Folder: source}}
	for _, folder := range []string{source, filepath.Join(dir, "run")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{source + "/token", dir + "/run/token"} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(source, filepath.Join(dir, "through")); err != nil {
		t.Fatal(err)
	}
	s.catalog.settings.Server.Allow.Files = []string{"/run/token", "/run/mishap/", dir + "/run/token", dir + "/through/token", source + "/token"}
	for path, want := range map[string]string{
		"/run/token": "", "/run//token": "", "/run/./x/../token": "", "/run/mishap/a/b": "", "/run/mishap/../token": "",
		"/run/token2": `allow.files: ["/run/token2"]`, "/run/mishap": `allow.files: ["/run/mishap"]`, "/run/mishap2/a": `allow.files: ["/run/mishap2/a"]`,
		"/run/mishap/../../etc/shadow": `allow.files: ["/etc/shadow"]`, "/run/token/../shadow": `allow.files: ["/run/shadow"]`, "token": `/token"]`,
		dir + "/run/token": "", source + "/token": "", dir + "/through/token": "leads through " + source + ", which whoever writes experiments can change",
	} {
		s.check(path, guarded("calendar", fmt.Sprintf(`{"file": %q, "timezone": "UTC"}`, path)), want)
	}
}

// What the settings name themselves a server reads, and merged files may not.
func TestAServerReadsWhatItsSettingsName(t *testing.T) {
	s := newSite(t, config.Allow{})
	s.catalog.settings.File = filepath.Join(filepath.Dir(s.bin), "mishap.yaml")
	calendar, secret := filepath.Join(filepath.Dir(s.bin), "holidays.txt"), filepath.Join(filepath.Dir(s.bin), "secret")
	for _, path := range []string{calendar, secret} {
		if err := os.WriteFile(path, []byte("2026-12-24\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.catalog.settings.Put(new(config.Live))
	g := &s.catalog.settings.Live().Governor
	g.Calendar = json.RawMessage(`{"file": "holidays.txt", "timezone": "UTC"}`)
	g.Freezes = []mishap.ProbeSpec{{Probe: "http", With: json.RawMessage(fmt.Sprintf(`{"url": "http://a.example", "headers": {"Authorization": {"file": %q}}}`, secret))}}
	files, err := s.catalog.boundFiles(s.catalog.settings)
	if err != nil {
		t.Fatal(err)
	}
	for path, allowed := range map[string]bool{calendar: true, secret: true, s.catalog.settings.File: false} {
		if err := files.Forbids(path); (err == nil) != allowed {
			t.Errorf("%s: %v", path, err)
		}
	}
	s.check("a merged file", guarded("calendar", fmt.Sprintf(`{"file": %q, "timezone": "UTC"}`, calendar)), "allow.files")
}

// The policy looks at names, and whoever opens a file asks again.
func TestNoPartOfAnExperimentReadsWhatIsNotListed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	none, err := outside.ParseFiles(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{Settings: new(config.Settings)})
	c.files = none
	said := map[string]string{}
	for _, k := range c.Safeguards() {
		if k.Name == "calendar" {
			guard, err := k.New(json.RawMessage(fmt.Sprintf(`{"file": %q, "timezone": "UTC"}`, path)))
			if err != nil {
				t.Fatal(err)
			}
			said["calendar"] = fmt.Sprint(guard.Check(t.Context(), mishap.Situation{}))
		}
	}
	for with, what := range map[string]string{`{"url": "https://127.0.0.1:1", "caFile": %q}`: "whom to trust", `{"url": "http://127.0.0.1:1", "headers": {"X": {"file": %q}}}`: "a secret"} {
		probe, err := c.MakeProbe(mishap.ProbeSpec{Probe: "http", With: json.RawMessage(fmt.Sprintf(with, path))})
		if err != nil {
			said[what] = err.Error()
			continue
		}
		said[what] = probe.Observe(t.Context()).Detail
	}
	if runtime.GOOS == "linux" {
		stop, err := c.Kinds()["process-stop"].New(mishap.Fault{Injector: "process-stop", Targets: json.RawMessage(fmt.Sprintf(`{"pidFile": %q}`, path))})
		if err == nil {
			_, err = stop.Prepare(t.Context(), mishap.Request{})
		}
		said["a pid file"] = fmt.Sprint(err)
	}
	_, err = c.injectorDeps().Host.Secret(mishap.Secret{File: path})
	said["a secret of a fault"] = fmt.Sprint(err)
	for what, text := range said {
		if !strings.Contains(text, "allow.files of the settings does not list it") {
			t.Errorf("%s: %s", what, text)
		}
	}
	if len(said) < 4 {
		t.Errorf("only these were tried: %v", said)
	}
}
