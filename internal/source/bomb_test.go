package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bomb commits nested folders, each of which holds the one below so many times.
func (u *upstream) bomb(levels, wide int) {
	u.t.Helper()
	u.put("experiments/b/leaf.txt", "x\n")
	u.git("add", "-A")
	below := u.git("rev-parse", u.git("write-tree")+":experiments/b")
	for range levels {
		var list strings.Builder
		for i := range wide {
			fmt.Fprintf(&list, "040000 tree %s\td%02d\n", below, i)
		}
		below = u.feed(list.String(), "mktree")
	}
	top := u.feed(fmt.Sprintf("040000 tree %s\texperiments\n", below), "mktree")
	u.git("update-ref", "HEAD", u.git("commit-tree", top, "-m", "bomb"))
}

// Twelve objects stand for 10^10 files: the work is bounded, not what comes of it.
func TestABombOfFoldersIsRefusedAfterBoundedWork(t *testing.T) {
	u := newUpstream(t)
	u.bomb(10, 10)
	dir := t.TempDir()
	m, err := newMirror(dir, repository{URL: "file://" + u.dir, Path: "experiments"})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, m, dir, "more than 100000 files and folders")
	u = newUpstream(t)
	u.bomb(40, 1)
	m = mirrorOf(t, repository{URL: "file://" + u.dir, Path: "experiments"})
	refused(t, m, dir, "folders deep")
}

// checked is a context that ends when it was asked so many times.
type checked struct {
	context.Context
	left int
}

func (c *checked) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Whoever stops a server does not wait until a tree was walked.
func TestAWalkEndsWithItsContext(t *testing.T) {
	u := newUpstream(t)
	u.bomb(10, 10)
	m := mirrorOf(t, repository{URL: "file://" + u.dir, Path: "experiments", Limits: limits{Entries: 1 << 60}})
	ended := false
	for left := 1; !ended; left *= 4 {
		ctx := &checked{t.Context(), left}
		err := m.ExportOf(ctx)
		if ended = errors.Is(err, context.Canceled) && left > 1000; err == nil {
			t.Fatal("10^10 files were walked")
		}
	}
}

// What is kept of a commit is of one path.
func TestAnotherPathOfACommitIsAnotherTree(t *testing.T) {
	u, dir := newUpstream(t), t.TempDir()
	for path, want := range map[string]string{"experiments": "a.yaml team/b.yml", "experiments/team": "b.yml", "": "experiments/a.yaml experiments/team/b.yml"} {
		m, err := newMirror(dir, repository{URL: "file://" + u.dir, Path: path})
		if err != nil {
			t.Fatal(err)
		}
		tree := latest(t, m)
		if got := files(t, tree.Dir); got != want {
			t.Errorf("path %q: %s, want %s", path, got, want)
		}
		if at, ok := m.At(tree.Commit); !ok || at.Dir != tree.Dir {
			t.Errorf("path %q: %+v is at its commit", path, at)
		}
	}
}

// The mirror obeys the rule of folders: what a link within the tree leads to is
// read, other links among experiments are refused, and those that are named
// otherwise are nobody's business.
func TestLinksStayWithinTheTree(t *testing.T) {
	for _, c := range []struct{ at, to, want string }{
		{"x.yaml", "a.yaml", ""}, {"x.yaml", "team/../team/b.yml", ""}, {"deep/x.yaml", "../.data/now/c.yaml", ""}, {"x.yaml", "./notes.txt", ""},
		{"notes.lnk", "/etc/passwd", ""}, {"up", "..", ""}, {".hidden.yaml", "/etc/passwd", ""}, {"mishap.yml.bak", "/x", ""},
		{"x.yaml", "/etc/passwd", "leads out"}, {"x.yaml", "../README.md", "leads out"}, {"team/x.yaml", "../../README.md", "leads out"},
		{"x.yaml", "outwards/README.md", "leads out"}, {"x.yaml", "nothing.yaml", "leads to nothing"}, {"x.yaml", "x.yaml", "leads to itself"}, {"x.yaml", "team", "leads to no file"},
		{"x.yaml", "a.yaml/b", "leads to no file"}, {"x.yaml", strings.Repeat("./", 3000) + "a.yaml", "leads nowhere"},
	} {
		t.Run(c.at+" to "+c.to[:min(len(c.to), 30)], func(t *testing.T) {
			u := newUpstream(t)
			u.put("experiments/.data/2026/c.yaml", "c: 1\n")
			link := func(to, at string) {
				at = filepath.Join(u.dir, "experiments", at)
				_ = os.MkdirAll(filepath.Dir(at), 0o755)
				if len(to) > 4095 { // which no disk holds, but git does
					hash := u.feed(to, "hash-object", "-w", "--stdin")
					u.git("update-index", "--add", "--cacheinfo", "120000,"+hash+",experiments/x.yaml")
					return
				}
				if err := os.Symlink(to, at); err != nil {
					t.Fatal(err)
				}
			}
			link("2026", ".data/now")
			link("..", "outwards")
			u.git("add", "-A")
			link(c.to, c.at)
			if len(c.to) <= 4095 {
				u.git("add", "-A")
			}
			u.git("commit", "-q", "-m", "links")
			m := mirrorOf(t, repository{URL: "file://" + u.dir, Path: "experiments"})
			if c.want != "" {
				refused(t, m, t.TempDir(), c.want)
				return
			}
			tree := latest(t, m)
			text, err := os.ReadFile(filepath.Join(tree.Dir, c.at))
			if filepath.Ext(c.at) == ".yaml" && !strings.HasPrefix(c.at, ".") {
				want, _ := os.ReadFile(filepath.Join(u.dir, "experiments", c.at))
				if string(text) != string(want) || len(want) == 0 {
					t.Errorf("%q (%v), want %q", text, err, want)
				}
			} else if err == nil {
				t.Errorf("%s is in the tree", c.at)
			}
		})
	}
}
