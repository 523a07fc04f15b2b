package source

import (
	"context"
	"crypto/sha256"
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
)

// folder reads experiments from a folder, usually a checkout.
type folder struct {
	source config.Source
	load   func(context.Context, []string, experiments.Options) ([]mishap.Experiment, error)
	about  experiments.Options
	seen   string // fingerprint of what was read last
	broken error  // what was wrong with that
}

// Again forgets what was seen.
func (f *folder) Again() { f.seen = "" }

// Before is nothing: a folder is what it is now.
func (f *folder) Before(context.Context) *Tree { return nil }

// Read loads the folder if anything in it looks different.
func (f *folder) Read(ctx context.Context) (*Tree, error) {
	print, err := fingerprint(f.source.Folder)
	if err != nil {
		return nil, fmt.Errorf("read source %s: %w: %w", f.source.Name, ErrUnreached, err)
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
	return NewTree(f.source.Name, list), nil
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
	dir := GitDir(folder)
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

// GitDir is the .git of the checkout that a folder is in; empty if it is in none.
func GitDir(folder string) string {
	for {
		dir := filepath.Join(folder, ".git")
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return ""
		}
		folder = parent
	}
}
