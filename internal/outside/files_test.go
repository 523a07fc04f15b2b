//go:build unix

package outside_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mishap/internal/outside"
)

// lay makes files, folders on the way to them, and links ("-> to").
func lay(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if to, link := strings.CutPrefix(text, "-> "); link {
			err = errors.Join(err, os.Symlink(strings.ReplaceAll(to, "DIR", dir), path))
		} else {
			err = errors.Join(err, os.WriteFile(path, []byte(text), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOnlyWhatIsListedIsRead(t *testing.T) {
	dir := lay(t, map[string]string{
		"secret": "no", "token": "yes", "token2": "no", "link": "-> DIR/secret", "deep/token": "no",
		"run/a": "yes", "run/sub/b": "yes", "run/sub/up": "-> ../a", "run2/a": "no",
		"run/..2026/c": "yes", "run/..data": "-> ..2026", "run/c": "-> ..data/c", // as Kubernetes mounts secrets
		"run/out": "-> ../secret", "run/whole": "-> DIR/secret", "run/dir": "-> ..", "run/sub/proc": "-> /proc/self/environ",
		"work/holidays": "yes", "work/away": "-> ../secret", "work/near": "-> holidays",
	})
	if err := syscall.Mkfifo(filepath.Join(dir, "run", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return dir + "/" + name }
	files, err := outside.ParseFiles([]string{in("token"), in("link"), in("run/"), in("work/away"), in("work/near"), in("work/holidays")}, []string{in("work")})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"token": "yes", "./token": "yes", "run/../token": "yes", "run//a": "yes", "run/sub/b": "yes", "run/sub/up": "yes", "run/c": "yes",
		"link":   "no", // who listed the link by its name answers for where it leads
		"secret": "unlisted", "token2": "unlisted", "deep/token": "unlisted", "run2/a": "unlisted", "run": "unlisted", "run/": "unlisted", "run/../secret": "unlisted",
		"run/sub/../../secret": "unlisted", "token/../secret": "unlisted", "TOKEN": "unlisted", "token\x00": "unlisted", "": "unlisted",
		"run/out": "escapes", "run/whole": "escapes", "run/dir/secret": "escapes", "run/sub/proc": "escapes",
		"work/holidays": "yes", "work/near": "yes", "work/away": "escapes",
		"run/pipe": "not a regular file", "run/sub": "not a regular file", "run/nothing": "no such file",
	} {
		text, err := files.ReadFile(in(path))
		switch {
		case want == "yes" || want == "no":
			if err != nil || string(text) != want {
				t.Errorf("%q: %q, %v", path, text, err)
			}
		case want == "unlisted":
			if !errors.Is(err, outside.ErrUnlisted) || !errors.Is(files.Forbids(in(path)), outside.ErrUnlisted) {
				t.Errorf("%q: %q, %v", path, text, err)
			}
		case err == nil || !strings.Contains(err.Error(), want) || text != nil:
			t.Errorf("%q: %q, %v; want %q", path, text, err, want)
		}
	}
}

// Whoever may change what is in a folder may not read what is outside of it,
// however often they exchange a file for a link while it is opened.
func TestNoLinkThatIsExchangedMeanwhileLeadsOut(t *testing.T) {
	dir := lay(t, map[string]string{"secret": "no", "run/a": "yes", "run/link": "-> ../secret"})
	files, err := outside.ParseFiles([]string{dir + "/run/"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	var exchanging sync.WaitGroup
	exchanging.Go(func() {
		one, other := filepath.Join(dir, "run", "a"), filepath.Join(dir, "run", "link")
		for {
			select {
			case <-over:
				return
			default:
				_ = os.Rename(one, one+".t")
				_ = os.Rename(other, one)
				_ = os.Rename(one+".t", other)
			}
		}
	})
	for range 3000 {
		if text, err := files.ReadFile(dir + "/run/a"); err == nil && string(text) != "yes" {
			t.Fatalf("%q was read", text)
		}
	}
	close(over)
	exchanging.Wait()
}

func TestWhatIsListedIsExact(t *testing.T) {
	for _, entry := range []string{"", "token", "./token", "../token", "/a/../b", "/a//b", "/a/./b", "/a/b//", "~/token"} {
		if _, err := outside.ParseFiles([]string{entry}, nil); err == nil || !strings.Contains(err.Error(), "absolute path") {
			t.Errorf("%q: %v", entry, err)
		}
	}
}

func TestWithoutAListEverythingIsRead(t *testing.T) {
	dir := lay(t, map[string]string{"secret": "yes"})
	var none *outside.Files
	if text, err := none.ReadFile(dir + "/secret"); string(text) != "yes" || none.Forbids(dir) != nil {
		t.Errorf("%q, %v", text, err)
	}
}
