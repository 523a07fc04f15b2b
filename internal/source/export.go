package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"mishap"
)

// export writes a commit's experiment files to a folder, all or none. What could
// lead out of the tree or differ between machines is refused: links, submodules,
// names with control characters, and two names that differ in case alone.
func (m *Mirror) export(commit *object.Commit, to string) error {
	if exists(to) {
		return nil
	}
	tree, err := commit.Tree()
	if err == nil && m.about.Path != "." {
		tree, err = tree.Tree(m.about.Path)
	}
	if err != nil {
		return err
	}
	temporary := to + ".new"
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return err
	}
	if err := m.write(tree, temporary); err != nil {
		return errors.Join(err, os.RemoveAll(temporary))
	}
	return os.Rename(temporary, to)
}

func (m *Mirror) write(tree *object.Tree, to string) error {
	walker := object.NewTreeWalker(tree, true, nil)
	defer walker.Close()
	files, total := 0, int64(0)
	seen := map[string]string{}
	for {
		name, entry, err := walker.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if hidden(name) {
			continue
		}
		if err := acceptable(name, entry.Mode, seen); err != nil {
			return err
		}
		if !wanted(name, entry.Mode) {
			continue
		}
		file, err := tree.File(name)
		if err != nil {
			return err
		}
		files, total = files+1, total+file.Size
		if err := m.fits(name, file.Size, files, total); err != nil {
			return err
		}
		if err := writeFile(file, filepath.Join(to, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
}

func (m *Mirror) fits(name string, size int64, files int, total int64) error {
	l := m.about.Limits
	switch {
	case size > l.FileBytes:
		return mishap.WithHint(fmt.Errorf("file %s has %d bytes; more than %d are not read", name, size, l.FileBytes), "an experiment is a page of text; is this the right path?")
	case files > l.Files:
		return mishap.WithHint(fmt.Errorf("it holds more than %d experiment files", l.Files), "give the path of the folder with the experiments, or make several sources")
	case total > l.TotalBytes:
		return mishap.WithHint(fmt.Errorf("its experiment files have more than %d bytes", l.TotalBytes), "give the path of the folder with the experiments")
	}
	return nil
}

// hidden reports a name that has a part which begins with a dot.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != ".." {
			return true
		}
	}
	return false
}

// wanted reports an experiment file, or a file of values; settings are never
// read from a source.
func wanted(name string, mode filemode.FileMode) bool {
	base := path.Base(name)
	return mode.IsFile() && mode != filemode.Symlink && base != "mishap.yaml" && (path.Ext(base) == ".yaml" || path.Ext(base) == ".yml")
}

func acceptable(name string, mode filemode.FileMode, seen map[string]string) error {
	const hint = "remove it, or give the path of a folder without it"
	refuse := func(format string, args ...any) error { return mishap.WithHint(fmt.Errorf(format, args...), hint) }
	if !filepath.IsLocal(name) || strings.ContainsFunc(name, unicode.IsControl) || strings.Contains(name, `\`) {
		return refuse("the name %q could mean another file", name)
	}
	switch mode {
	case filemode.Symlink:
		return refuse("%s is a symbolic link, which could lead out of the tree", name)
	case filemode.Submodule:
		return refuse("%s is a submodule, which is not read", name)
	}
	folded := strings.ToLower(name)
	if other, twice := seen[folded]; twice {
		return refuse("%s and %s differ in case alone", other, name)
	}
	seen[folded] = name
	return nil
}

func writeFile(f *object.File, to string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := f.Reader()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, f.Size))
	return errors.Join(err, out.Close())
}
