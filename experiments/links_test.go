package experiments_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap/experiments"
)

func link(t *testing.T, to, at string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
	return at
}

// Whoever may put files into a folder of experiments reads no other file of the
// machine by links, not even a line of it in a message.
func TestNoLinkLeadsOutOfAFolder(t *testing.T) {
	elsewhere := write(t, t.TempDir(), "secret.yaml", "hunter2: [\n")
	for name, to := range map[string]string{"by its path": elsewhere, "upwards": "../../../../../../../.." + elsewhere, "a device": "/dev/zero"} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, "a/good.yaml", valid(t))
			at := link(t, to, filepath.Join(folder, "a", "evil.yaml"))
			_, err := experiments.Load(context.Background(), []string{folder}, options())
			if err == nil || !strings.Contains(err.Error(), at) || !strings.Contains(err.Error(), "a symbolic link that leads out of the folder is not followed") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("values of an environment", func(t *testing.T) {
		folder := t.TempDir()
		write(t, folder, "good.yaml", valid(t)+"\nvars: {host: x}\n")
		link(t, elsewhere, filepath.Join(folder, "environments", "prod.yaml"))
		o := options()
		o.Environment = "prod"
		_, err := experiments.Load(context.Background(), []string{folder}, o)
		if err == nil || !strings.Contains(err.Error(), "leads out of the folder") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	})
}

// What a person names is read wherever it is; and a mounted volume consists of
// links that stay within it.
func TestLinksWithinAFolderAreFollowed(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "..2026_01/a.yaml", valid(t))
	link(t, "..2026_01", filepath.Join(folder, "..data"))
	at := link(t, "..data/a.yaml", filepath.Join(folder, "a.yaml"))
	all, err := experiments.Load(context.Background(), []string{folder}, options())
	if err != nil || len(all) != 1 || all[0].Source.File != at {
		t.Errorf("%v %v", all, err)
	}
	outside := link(t, at, filepath.Join(t.TempDir(), "mine.yaml"))
	if all, err := experiments.Load(context.Background(), []string{outside}, options()); err != nil || len(all) != 1 {
		t.Errorf("%v %v", all, err)
	}
	gone := link(t, "nothing.yaml", filepath.Join(folder, "gone.yaml"))
	if _, err := experiments.Load(context.Background(), []string{folder}, options()); err == nil || !strings.Contains(err.Error(), gone+": a symbolic link that leads to nothing") {
		t.Errorf("a link to nothing: %v", err)
	}
}

// A link is as committed as what it leads to.
func TestContentThatIsInNoCommitIsNotSaidToBeOfOne(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "real/a.yaml", valid(t))
	write(t, folder, ".gitignore", "/ignored\n")
	in := link(t, "../real/a.yaml", filepath.Join(folder, "chaos", "in.yaml"))
	ignored := link(t, "../ignored/b.yaml", filepath.Join(folder, "chaos", "ignored.yaml"))
	hidden := link(t, "../.git/c.yaml", filepath.Join(folder, "chaos", "hidden.yaml"))
	commit := repository(t, folder)
	write(t, folder, "ignored/b.yaml", valid(t))
	write(t, folder, ".git/c.yaml", valid(t))
	outside := link(t, write(t, t.TempDir(), "d.yaml", valid(t)), filepath.Join(folder, "chaos", "outside.yaml"))
	for _, c := range []struct {
		path   string
		commit string
		dirty  bool
	}{{in, commit, false}, {ignored, commit, true}, {hidden, commit, true}, {outside, "", false}} {
		if s := load(t, options(), c.path).Source; s.Commit != c.commit || s.Dirty != c.dirty {
			t.Errorf("%s: commit %q, dirty %v", c.path, s.Commit, s.Dirty)
		}
	}
	write(t, folder, "real/a.yaml", valid(t)+"# changed\n")
	if s := load(t, options(), in).Source; !s.Dirty {
		t.Errorf("a link to a changed file is said to be as committed: %+v", s)
	}
}
