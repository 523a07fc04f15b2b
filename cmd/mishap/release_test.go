package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestVersionsAreOfTags: a version is that of a tag, older than the next tag, and newer than the last.
func TestVersionsAreOfTags(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: no git")
	}
	script, err := filepath.Abs(filepath.Join("..", "..", ".ci", "version"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	run := func(argv ...string) string {
		t.Helper()
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(folder), "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", argv, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git := func(args ...string) {
		t.Helper()
		run(append([]string{"git", "-c", "user.name=a", "-c", "user.email=a@b"}, args...)...)
	}
	commit := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "file"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		git("add", "file")
		git("commit", "-q", "-m", text)
	}
	is := func(pattern string) {
		t.Helper()
		if got := run(script); !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
			t.Errorf("version %s, want %s", got, pattern)
		}
	}
	is(`v0\.0\.0-dev`)
	git("init", "-q")
	commit("a")
	is(`v0\.0\.0-dev\.1\+g[0-9a-f]{8}`)
	git("tag", "something")
	git("tag", "v1.2.9")
	is(`v1\.2\.9`)
	commit("b")
	commit("c")
	is(`v1\.2\.10-dev\.2\+g[0-9a-f]{8}`)
	if err := os.WriteFile(filepath.Join(folder, "file"), []byte("d"), 0o600); err != nil {
		t.Fatal(err)
	}
	is(`v1\.2\.10-dev\.2\+g[0-9a-f]{8}\.dirty`)
	git("tag", "v2.0.0-rc.1")
	is(`v2\.0\.0-rc\.1\.dev\.0\+g[0-9a-f]{8}\.dirty`)
	git("commit", "-qam", "d")
	git("tag", "v2.0.0")
	is(`v2\.0\.0`)
}

func TestEveryVerbHasAManualPageWithEachOfItsFlags(t *testing.T) {
	folder := t.TempDir()
	var out bytes.Buffer
	c := &cli{environment: environment{out: &out, err: &out}, out: &out, err: &console{to: &out}}
	root := c.root(&out)
	root.SetArgs([]string{"manual", folder})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	var every func(cmd *cobra.Command)
	every = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" {
			return
		}
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Error(err)
			return
		}
		plain := strings.ReplaceAll(string(text), `\-`, "-")
		for _, part := range strings.Fields(cmd.LocalFlags().FlagUsages()) {
			if strings.HasPrefix(part, "--") && !strings.Contains(plain, part) {
				t.Errorf("%s does not name %s", name, part)
			}
		}
		for line := range strings.Lines(plain) {
			if strings.HasPrefix(line, ".") && !regexp.MustCompile(`^\.(TH|SH|TP|PP|BR|nf|fi)\b`).MatchString(line) {
				t.Errorf("%s: a text acts as a request: %s", name, line)
			}
		}
		for _, sub := range cmd.Commands() {
			every(sub)
		}
	}
	every(root)
}
