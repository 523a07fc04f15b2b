package experiments_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
)

// git runs git in folder, untouched by the settings of whoever runs the test.
func git(t testing.TB, folder string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// repository makes folder a repository with all its files in one commit.
func repository(t testing.TB, folder string) (commit string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	git(t, folder, "init", "-q")
	git(t, folder, "add", "-A")
	git(t, folder, "commit", "-q", "--no-gpg-sign", "-m", "x")
	return git(t, folder, "rev-parse", "HEAD")
}

func TestProvenanceNamesTheCommit(t *testing.T) {
	folder := t.TempDir()
	real, err := filepath.EvalSymlinks(folder)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, folder, "chaos/ä b.yaml", valid(t))
	write(t, folder, ".gitignore", "ignored.yaml\n")
	commit := repository(t, folder)
	ignored := write(t, folder, "chaos/ignored.yaml", valid(t))
	source := func(path string) mishap.Source {
		s := load(t, options(), path).Source
		s.Digest = ""
		return s
	}
	want := mishap.Source{File: path, Repository: real, Commit: commit, Path: "chaos/ä b.yaml", Author: "t <t@example.com>"}
	if diff := cmp.Diff(want, source(path)); diff != "" {
		t.Errorf("clean (-want +got):\n%s", diff)
	}
	git(t, folder, "remote", "add", "origin", "https://user:token@git.example/team/chaos.git?x=secret")
	want.Repository = "https://git.example/team/chaos.git"
	write(t, folder, "chaos/ä b.yaml", "# changed\n"+valid(t))
	want.Dirty = true
	if diff := cmp.Diff(want, source(path)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if s := source(ignored); !s.Dirty || s.Commit != commit {
		t.Errorf("ignored file = %+v, want dirty", s)
	}
	if s := source(write(t, folder, "chaos/new.yaml", valid(t))); !s.Dirty {
		t.Errorf("untracked file = %+v, want dirty", s)
	}
}

func TestRemotesLoseTheirCredentials(t *testing.T) {
	folder := t.TempDir()
	path := write(t, folder, "a.yaml", valid(t))
	repository(t, folder)
	git(t, folder, "remote", "add", "origin", "x")
	for remote, want := range map[string]string{
		"https://token@git.example/a.git":        "https://git.example/a.git",
		"ssh://git:secret@git.example:22/a.git":  "ssh://git@git.example:22/a.git",
		"git@git.example:team/a.git":             "git@git.example:team/a.git",
		"https://git.example/a.git#secret":       "https://git.example/a.git",
		"https://a:b@git.example/a?token=secret": "https://git.example/a",
	} {
		git(t, folder, "remote", "set-url", "origin", remote)
		if got := load(t, options(), path).Source.Repository; got != want {
			t.Errorf("repository of %s = %s, want %s", remote, got, want)
		}
	}
}

func TestOutsideOfGitThereIsNoCommit(t *testing.T) {
	path := write(t, t.TempDir(), "a.yaml", valid(t))
	s := load(t, options(), path).Source
	if s.Commit != "" || s.Repository != "" || s.Path != "" || s.Dirty {
		t.Errorf("source = %+v", s)
	}
}
