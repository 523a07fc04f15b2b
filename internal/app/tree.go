package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mishap"
	"mishap/experiments"
	"mishap/internal/config"
	"mishap/internal/outside"
	"mishap/internal/source"
)

// tree is one revision of the experiments of a source.
type tree struct {
	source string
	commit string // empty outside git
	digest string
	seq    int64 // of its revision
	list   []mishap.Experiment
	signed func(keys []string) error // why none of the keys has signed its commit; nil outside of repositories
}

// errUnreached is a source that was not looked at: what is there is not known.
var errUnreached = errors.New("not looked at")

// reader reads the tree of a source.
type reader interface {
	// read answers the tree as it is now; nil if it is the one answered before,
	// and the error of before as long as what is wrong has not changed.
	read(ctx context.Context) (*tree, error)
	// again lets the next read answer the tree even if it has not changed: it
	// could not be put in force.
	again()
	// before answers what was in force when the server started, from the disk;
	// nil if that is not known.
	before(ctx context.Context) *tree
}

// folder reads experiments from a folder, usually a checkout.
type folder struct {
	source config.Source
	load   func(context.Context, []string, experiments.Options) ([]mishap.Experiment, error)
	about  experiments.Options
	seen   string // fingerprint of what was read last
	broken error  // what was wrong with that
}

// again forgets what was seen.
func (f *folder) again() { f.seen = "" }

// before is nothing: a folder is what it is now.
func (f *folder) before(context.Context) *tree { return nil }

// read loads the folder if anything in it looks different.
func (f *folder) read(ctx context.Context) (*tree, error) {
	print, err := fingerprint(f.source.Folder)
	if err != nil {
		return nil, fmt.Errorf("read source %s: %w: %w", f.source.Name, errUnreached, err)
	}
	if print == f.seen {
		return nil, f.broken
	}
	list, err := f.load(ctx, []string{f.source.Folder}, f.about)
	if err != nil {
		f.seen, f.broken = print, fmt.Errorf("read source %s: %w", f.source.Name, err)
		return nil, f.broken
	}
	// What changed meanwhile belongs to the next look.
	if again, err := fingerprint(f.source.Folder); err != nil || again != print {
		return nil, err
	}
	f.seen = print
	if f.broken = clean(f.source, list); f.broken != nil {
		return nil, f.broken
	}
	return newTree(f.source.Name, list), nil
}

// clean refuses files that differ from their commit. Files outside of git run,
// and their reports say so.
func clean(source config.Source, list []mishap.Experiment) error {
	var dirty []string
	for _, e := range list {
		if e.Source.Dirty {
			dirty = append(dirty, e.Source.Path)
		}
	}
	if dirty == nil || source.AllowDirty {
		return nil
	}
	const most = 5
	more := ""
	if len(dirty) > most {
		dirty, more = dirty[:most], fmt.Sprintf(" and %d more", len(dirty)-most)
	}
	return mishap.WithHint(fmt.Errorf("read source %s: not as committed: %s%s", source.Name, strings.Join(dirty, ", "), more),
		"commit them; or set allowDirty for the source")
}

func newTree(source string, list []mishap.Experiment) *tree {
	t := &tree{source: source, list: list}
	sum := sha256.New()
	for _, e := range list {
		fmt.Fprintf(sum, "%s %s\n", e.Name, e.Source.Digest)
		if t.commit == "" {
			t.commit = e.Source.Commit
		}
	}
	t.digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return t
}

// fingerprint is what a folder looks like from outside: names, sizes and times
// of its experiment files, and of what git writes at every commit.
func fingerprint(root string) (string, error) {
	sum := sha256.New()
	note := func(path string, info fs.FileInfo) {
		fmt.Fprintf(sum, "%s %d %d %s\n", path, info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	err := filepath.WalkDir(root+"/", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && filepath.Clean(path) != filepath.Clean(root):
			return filepath.SkipDir
		case entry.IsDir() || !isYAML(entry.Name()):
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			note(path, info)
		}
		if to, gone := os.Stat(path); gone == nil && entry.Type()&fs.ModeSymlink != 0 {
			note(path, to)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	for _, path := range gitFiles(root) {
		if info, err := os.Stat(path); err == nil {
			note(path, info)
		}
	}
	return string(sum.Sum(nil)), nil
}

func isYAML(name string) bool {
	return slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(name))
}

// gitFiles are the files that git writes at every commit and checkout of the
// repository that a folder is in.
func gitFiles(folder string) []string {
	dir := source.GitDir(folder)
	info, err := os.Stat(dir)
	if dir == "" || err != nil {
		return nil
	}
	if folder = filepath.Dir(dir); !info.IsDir() { // a work tree beside its repository
		const most = 8 << 10
		file, err := outside.Read(context.Background(), dir, most)
		link, ok := strings.CutPrefix(strings.TrimSpace(string(file.Text)), "gitdir: ")
		if err != nil || !ok {
			return nil
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(folder, link)
		}
		dir = link
	}
	return []string{filepath.Join(dir, "HEAD"), filepath.Join(dir, "index"), filepath.Join(dir, "logs", "HEAD"), filepath.Join(dir, "packed-refs")}
}

// spec identifies a schedule: another one begins anew.
func spec(e mishap.Experiment) (string, error) {
	text, err := json.Marshal(e.Schedule)
	if err != nil {
		return "", fmt.Errorf("write schedule of %s: %w", e.Name, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}
