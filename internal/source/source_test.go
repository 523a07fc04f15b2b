package source

import (
	"context"
	"errors"
	"mishap/internal/nettest"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mishap"
)

// upstream is a real repository that tests push to.
type upstream struct {
	t   *testing.T
	dir string
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: no git")
	}
	u := &upstream{t: t, dir: filepath.Join(t.TempDir(), "up")}
	if err := os.MkdirAll(u.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	u.git("init", "-q", "-b", "main")
	u.put("experiments/a.yaml", "a: 1\n")
	u.put("experiments/team/b.yml", "b: 1\n")
	u.put("experiments/notes.txt", "no\n")
	u.put("experiments/mishap.yaml", "accounts: [evil]\n")
	u.put("README.md", "no\n")
	u.commit("one")
	return u
}

func (u *upstream) git(args ...string) string { u.t.Helper(); return u.feed("", args...) }

// feed runs git with a standard input.
func (u *upstream) feed(in string, args ...string) string {
	u.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", u.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Stdin = strings.NewReader(in)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		u.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (u *upstream) put(path, content string) {
	u.t.Helper()
	path = filepath.Join(u.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		u.t.Fatal(err)
	}
}

func (u *upstream) commit(message string) string {
	u.t.Helper()
	u.git("add", "-A")
	u.git("commit", "-q", "--allow-empty", "-m", message)
	return u.git("rev-parse", "HEAD")
}

func mirrorOf(t *testing.T, r repository) *mirror {
	t.Helper()
	m, err := newMirror(t.TempDir(), r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// latest wants a tree.
func latest(t *testing.T, m *mirror) checkout {
	t.Helper()
	got, changed, err := m.Latest(t.Context())
	if err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	return got
}

// refused wants an error with these words and a hint, and no half-written tree.
func refused(t *testing.T, m *mirror, dir string, words ...string) {
	t.Helper()
	_, _, err := m.Latest(t.Context())
	var hinted *mishap.Hinted
	if !errors.As(err, &hinted) || hinted.Hint == "" {
		t.Fatalf("want an error with a hint, got %v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "trees", "*.new")); left != nil {
		t.Errorf("left half written: %v", left)
	}
}

func files(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			all = append(all, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestATreeIsTheExperimentsOfOneCommit(t *testing.T) {
	u := newUpstream(t)
	m := mirrorOf(t, repository{URL: "file://" + u.dir, Path: "experiments"})
	first := latest(t, m)
	if got := files(t, first.Dir); got != "a.yaml team/b.yml" {
		t.Errorf("the tree holds %q", got)
	}
	if first.Commit != u.git("rev-parse", "HEAD") || first.Path != "experiments" {
		t.Errorf("%+v", first)
	}
	if _, changed, err := m.Latest(t.Context()); changed || err != nil {
		t.Errorf("the same commit changed: %v", err)
	}
	u.put("experiments/a.yaml", "a: 2\n")
	second := u.commit("two")
	if got := latest(t, m); got.Commit != second {
		t.Errorf("got %s", got.Commit)
	}
	if old, ok := m.At(first.Commit); !ok || files(t, old.Dir) == "" {
		t.Error("the tree before is gone")
	}
	if err := m.Prune(); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.At(first.Commit); ok {
		t.Error("an old tree stays after it was pruned")
	}
}

func TestAForcedPushIsFollowed(t *testing.T) {
	u := newUpstream(t)
	m := mirrorOf(t, repository{URL: u.dir, Ref: "main"})
	latest(t, m)
	u.git("checkout", "-q", "--orphan", "other")
	u.put("experiments/c.yaml", "c: 1\n")
	u.git("add", "-A")
	u.git("commit", "-q", "-m", "another history")
	u.git("branch", "-f", "main", "other")
	if got := latest(t, m); got.Commit != u.git("rev-parse", "main") {
		t.Errorf("got %s", got.Commit)
	}
}

func TestBranchesTagsAndCommitsAreFound(t *testing.T) {
	u := newUpstream(t)
	first := u.git("rev-parse", "HEAD")
	u.git("tag", "-a", "v1", "-m", "v1")
	u.commit("two")
	u.git("config", "uploadpack.allowAnySHA1InWant", "true")
	for _, ref := range []string{"v1", first, "refs/tags/v1"} {
		if got := latest(t, mirrorOf(t, repository{URL: "file://" + u.dir, Ref: ref})); got.Commit != first {
			t.Errorf("%s is at %s", ref, got.Commit)
		}
	}
}

func TestWhatCouldLeadOutOfTheTreeIsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*upstream)
		want   string
		limits limits
	}{
		{"a link", func(u *upstream) { _ = os.Symlink("/etc/passwd", filepath.Join(u.dir, "experiments/x.yaml")) }, "symbolic link", limits{}},
		{"names that differ in case", func(u *upstream) { u.put("experiments/A.yaml", "x: 1\n") }, "differ in case", limits{}},
		{"a control character", func(u *upstream) { u.put("experiments/x\x07.yaml", "x: 1\n") }, "control character", limits{}},
		{"a large file", func(u *upstream) { u.put("experiments/x.yaml", strings.Repeat("x", 100)) }, "more than 50", limits{FileBytes: 50}},
		{"many files", func(*upstream) {}, "more than 1 experiment", limits{Files: 1}},
		{"many folders", func(*upstream) {}, "more than 3 files and folders", limits{Entries: 3}},
		{"much in all", func(*upstream) {}, "more than 7 bytes", limits{TotalBytes: 7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUpstream(t)
			c.change(u)
			u.commit("evil")
			dir := t.TempDir()
			m, err := newMirror(dir, repository{URL: "file://" + u.dir, Path: "experiments", Limits: c.limits})
			if err != nil {
				t.Fatal(err)
			}
			refused(t, m, dir, c.want)
		})
	}
}

func TestWhatIsWrongWithARemoteIsSaid(t *testing.T) {
	u := newUpstream(t)
	dir := t.TempDir()
	try := func(r repository, words ...string) {
		t.Helper()
		m, err := newMirror(dir, r)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, m, dir, words...)
	}
	try(repository{URL: "file:///no/such/repository"}, "/no/such/repository")
	try(repository{URL: "file://" + u.dir, Ref: "mian"}, `no branch or tag "mian"`)
	try(repository{URL: "file://" + u.dir, Path: "nowhere"}, "has no folder nowhere")
	try(repository{URL: "http://127.0.0.1:1/x.git"}, "127.0.0.1:1")
	for _, path := range []string{"../x", "/etc"} {
		if _, err := newMirror(dir, repository{URL: u.dir, Path: path}); err == nil {
			t.Errorf("path %s is taken", path)
		}
	}
}

// A server that takes the connection and then says nothing.
func TestARemoteThatHangsIsGivenUp(t *testing.T) {
	l := nettest.Listen(t)
	dir := t.TempDir()
	m, err := newMirror(dir, repository{URL: "http://" + l.Addr().String() + "/x.git", Limits: limits{Timeout: 200 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if _, _, err := m.Latest(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("not given up: %v", err)
	}
}

func TestADamagedCloneIsMadeAnew(t *testing.T) {
	u := newUpstream(t)
	dir := t.TempDir()
	m, err := newMirror(dir, repository{URL: "file://" + u.dir})
	if err != nil {
		t.Fatal(err)
	}
	latest(t, m)
	packs, _ := filepath.Glob(filepath.Join(dir, "repo.git/objects/pack/*"))
	packs = append(packs, filepath.Join(dir, "repo.git/HEAD"), filepath.Join(dir, "repo.git/config"))
	for _, p := range packs {
		_ = os.Chmod(p, 0o600)
		if err := os.WriteFile(p, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u.put("experiments/a.yaml", "a: 3\n")
	want := u.commit("three")
	if got := latest(t, m); got.Commit != want {
		t.Errorf("got %s", got.Commit)
	}
}

// A real git server over HTTP, which wants a password.
func TestAPasswordOpensARepositoryAndIsNeverShown(t *testing.T) {
	u := newUpstream(t)
	backend := filepath.Join(u.git("--exec-path"), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skip("SKIPPED: no git-http-backend")
	}
	serve := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(u.dir), "GIT_HTTP_EXPORT_ALL=1"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "git" || password != "hunter2" {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		serve.ServeHTTP(w, r)
	}))
	defer server.Close()
	url := strings.Replace(server.URL, "http://", "http://somebody:inurl99@", 1) + "/up/.git?token=inquery99"
	secret := "wrong-hunter"
	dir := t.TempDir()
	m, err := newMirror(dir, repository{URL: server.URL + "/up/.git", Secret: func() (string, error) { return secret, nil }})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, m, dir, server.URL)
	secret = "hunter2"
	if got := latest(t, m); strings.Contains(got.Repository, "hunter2") {
		t.Errorf("%+v", got)
	}
	m, err = newMirror(t.TempDir(), repository{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Latest(t.Context()); err == nil || strings.Contains(err.Error(), "inurl99") || strings.Contains(err.Error(), "inquery99") {
		t.Errorf("shown: %v", err)
	}
}

func TestOnlyCommitsSignedByAListedKeyAreUsed(t *testing.T) {
	u := newUpstream(t)
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("SKIPPED: no ssh-keygen")
	}
	key := func(name string) (path, public string) {
		path = filepath.Join(t.TempDir(), name)
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text, err := os.ReadFile(path + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		return path, string(text)
	}
	ours, ourPublic := key("ours")
	theirs, theirPublic := key("theirs")
	dir := t.TempDir()
	m, err := newMirror(dir, repository{URL: "file://" + u.dir, SignedBy: []string{ourPublic}})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, m, dir, "is not signed")
	sign := func(key string) string {
		u.git("-c", "gpg.format=ssh", "-c", "user.signingkey="+key, "commit", "-q", "--allow-empty", "-S", "-m", "signed")
		return u.git("rev-parse", "HEAD")
	}
	sign(theirs)
	refused(t, m, dir, "signed by none of the listed keys", "another key")
	want := sign(ours)
	got := latest(t, m)
	if got.Commit != want {
		t.Errorf("got %s", got.Commit)
	}
	// The key is taken out of the list: what it signed is used no more, also what
	// is on the disk.
	if got.Signed([]string{ourPublic}) != nil || got.Signed([]string{theirPublic}) == nil {
		t.Errorf("the tree says of our key %v, of theirs %v", got.Signed([]string{ourPublic}), got.Signed([]string{theirPublic}))
	}
	for listed, want := range map[string]bool{ourPublic: true, theirPublic: false} {
		again, err := newMirror(dir, repository{URL: "file://" + u.dir, SignedBy: []string{listed}})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := again.At(got.Commit); ok != want {
			t.Errorf("after a restart with key %s: %v", listed, ok)
		}
	}
}
