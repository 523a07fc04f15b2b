package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap/internal/gittest"
)

// small are limits that a test reaches soon.
var small = limits{PackBytes: 200 << 10, Objects: 100, ObjectBytes: 4 << 20, UnpackedBytes: 16 << 20}

func commit(more func(*gittest.Repo)) *gittest.Repo {
	r := &gittest.Repo{}
	if more != nil {
		more(r)
	}
	return at(r, "a: 1\n")
}

// at commits a file of this text.
func at(r *gittest.Repo, text string) *gittest.Repo {
	r.CommitTree(r.Tree(gittest.Entry{Mode: gittest.File, Name: "a.yaml", Of: r.Blob(text)}))
	return r
}

// What is fetched is bounded, and what it stands for: by bytes, by objects, by the
// size of each, of all, and of what differences make.
func TestAPackIsBoundedBeforeItIsUnpacked(t *testing.T) {
	noise := func(n int) string { // which zlib does not make smaller
		text, x := make([]byte, n), uint64(1)
		for i := range text {
			x = x*6364136223846793005 + 1442695040888963407
			text[i] = byte(x >> 56)
		}
		return string(text)
	}
	for name, c := range map[string]struct {
		more func(*gittest.Repo)
		want string
	}{
		"what fits":                    {func(r *gittest.Repo) { r.Zeros(4 << 20); r.Blob(noise(100 << 10)) }, ""},
		"differences that fit":         {func(r *gittest.Repo) { r.Delta(r.Blob("0123456789"), 10, 1<<20, 10) }, ""},
		"bytes":                        {func(r *gittest.Repo) { r.Blob(noise(300 << 10)) }, "more than 204800 bytes"},
		"objects":                      {func(r *gittest.Repo) { r.Count = 1 << 30 }, "1073741824 objects, more than 100"},
		"an object of zeros":           {func(r *gittest.Repo) { r.Zeros(4<<20 + 1) }, "an object of 4194305 bytes"},
		"many objects of zeros":        {func(r *gittest.Repo) { r.Zeros(4 << 20); r.Zeros(4 << 20); r.Zeros(4 << 20); r.Zeros(4 << 20) }, "more than 16777216 bytes together"},
		"a size that is not true":      {func(r *gittest.Repo) { r.Packed(3, 1<<55, nil, strings.NewReader("x")) }, "an object of 36028797018963968 bytes"},
		"a difference that makes much": {func(r *gittest.Repo) { r.Delta(r.Blob("0123456789"), 10, 1<<30, 1<<20) }, "the difference of objects of 1073741824 bytes"},
		"one base read many times": {func(r *gittest.Repo) {
			base := r.Blob(strings.Repeat("a", 1<<20))
			for i := range 20 {
				r.Delta(base, 1<<20, i+1, 20)
			}
		}, "more than 16777216 bytes together"},
	} {
		t.Run(name, func(t *testing.T) {
			server, dir := gittest.Serve(t), t.TempDir()
			m, err := newMirror(dir, repository{URL: server.URL, Limits: small})
			if err != nil {
				t.Fatal(err)
			}
			server.Push(commit(c.more))
			if c.want == "" {
				if got := files(t, latest(t, m).Dir); got != "a.yaml" {
					t.Errorf("it holds %s", got)
				}
			} else {
				refused(t, m, dir, c.want)
				refused(t, m, dir, c.want)
				if n := server.Fetches(); n != 1 {
					t.Errorf("what is not taken was fetched %d times", n)
				}
			}
			left, _ := filepath.Glob(filepath.Join(dir, "pack-*"))
			more, _ := filepath.Glob(filepath.Join(dir, "repo.git", "objects", "pack", "tmp_*"))
			if left = append(left, more...); left != nil {
				t.Errorf("left: %v", left)
			}
			server.Push(at(&gittest.Repo{}, "another\n"))
			if _, _, err := m.Latest(t.Context()); err != nil {
				t.Errorf("the commit after it: %v", err)
			}
		})
	}
}

// What is refused is refused for what it holds; that a server lies or a pack is
// cut off says nothing of a commit.
func TestAPackThatCannotBeReadIsNoCommitThatIsRefused(t *testing.T) {
	for name, more := range map[string]func(*gittest.Repo){
		"cut off":             func(r *gittest.Repo) { r.Cut = 30 },
		"an unknown base":     func(r *gittest.Repo) { r.Delta(gittest.Hash{1}, 10, 10, 10) },
		"more than it says":   func(r *gittest.Repo) { r.Packed(3, 1, nil, strings.NewReader("xxxx")) },
		"an empty difference": func(r *gittest.Repo) { r.Packed(7, 0, make([]byte, 20), strings.NewReader("")) },
		"objects that miss":   func(r *gittest.Repo) { r.Count = 50 },
	} {
		server := gittest.Serve(t)
		m := mirrorOf(t, repository{URL: server.URL, Limits: small})
		server.Push(commit(more))
		if _, _, err := m.Latest(t.Context()); err == nil || !isUnreached(err) {
			t.Errorf("%s: %v", name, err)
		}
		server.Push(at(&gittest.Repo{}, "another\n"))
		if _, _, err := m.Latest(t.Context()); err != nil {
			t.Errorf("%s: the commit after it: %v", name, err)
		}
	}
}

// A fetch ends with its context while its pack comes and while it is looked through.
func TestAFetchEndsWithItsContext(t *testing.T) {
	server := gittest.Serve(t)
	server.Push(commit(func(r *gittest.Repo) {
		for i := range 50 {
			r.Zeros(int64(i))
		}
	}))
	ended := false
	for left := 1; left < 1000 && !ended; left++ {
		m := mirrorOf(t, repository{URL: server.URL})
		err := m.FetchOf(&checked{t.Context(), left})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		ended = err == nil
	}
	if !ended {
		t.Error("it never came to its end")
	}
}

// Every commit adds a pack to the clone, which is made anew before it grows
// beyond one.
func TestACloneDoesNotGrowForEver(t *testing.T) {
	server, dir := gittest.Serve(t), t.TempDir()
	m, err := newMirror(dir, repository{URL: server.URL, Limits: limits{PackBytes: 20 << 10}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		server.Push(at(&gittest.Repo{}, strings.Repeat("x", i)))
		latest(t, m)
	}
	var size int64
	packs, _ := filepath.Glob(filepath.Join(dir, "repo.git", "objects", "pack", "*"))
	for _, p := range packs {
		if info, err := os.Stat(p); err == nil {
			size += info.Size()
		}
	}
	if size > 24<<10 || len(packs) == 0 {
		t.Errorf("%d files of %d bytes", len(packs), size)
	}
}
