package links_test

import (
	"io/fs"
	"strings"
	"testing"

	"mishap/internal/links"
)

// The tree that both readers of experiments are asked about, see there.
func TestALinkStaysWithinItsTreeOrIsRefused(t *testing.T) {
	tree := map[string]links.Entry{
		"a.yaml": {}, "team": {Type: fs.ModeDir}, "team/b.yaml": {}, "pipe": {Type: fs.ModeNamedPipe}, "module": {Type: fs.ModeIrregular},
	}
	for name, to := range map[string]string{
		"near": "a.yaml", "far": "team/../team/b.yaml", "dots": "./././a.yaml", "slashes": "team//b.yaml", "folder": "team", "through": "folder/b.yaml",
		"team/up": "../near", "out": "../x", "deep": "team/../../x", "absolute": "/a.yaml", "itself": "itself", "ping": "pong", "pong": "ping",
		"nothing": "gone.yaml", "below": "a.yaml/b", "empty": "", "long": strings.Repeat("./", 3000) + "a.yaml", "fifo": "pipe", "sub": "module", "top": "team/..",
	} {
		tree[name] = links.Entry{Type: fs.ModeSymlink, To: to}
	}
	look := func(path string) (links.Entry, error) {
		if e, ok := tree[path]; ok {
			return e, nil
		}
		return links.Entry{}, fs.ErrNotExist
	}
	for name, want := range map[string]string{
		"a.yaml": "a.yaml", "near": "a.yaml", "far": "team/b.yaml", "dots": "a.yaml", "slashes": "team/b.yaml", "through": "team/b.yaml", "team/up": "a.yaml",
		"out": "leads out", "deep": "leads out", "absolute": "leads out", "itself": "to itself", "ping": "to itself", "nothing": "to nothing",
		"below": "no file", "empty": "nowhere", "long": "nowhere", "fifo": "no file", "sub": "no file", "folder": "no file", "top": "no file",
	} {
		got, err := links.Follow(name, look)
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
