package source

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// export writes a commit's experiment files to a folder, all or none. What could
// lead out of the tree or differ between machines is refused: links that do so,
// submodules, names with control characters, and two names that differ in case
// alone. The limits bound the work, and not only what comes out: a tree may hold
// the same folder many times over.
func (m *mirror) export(ctx context.Context, commit *object.Commit, to string) error {
	if exists(to) {
		return nil
	}
	repo, err := m.open(ctx)
	if err != nil {
		return err
	}
	w := &writer{ctx: ctx, objects: repo.Storer, limits: m.about.Limits, trees: map[plumbing.Hash]*object.Tree{}}
	if err := w.enter(commit.TreeHash, m.about.Path); err != nil {
		return err
	}
	temporary := to + ".new"
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return err
	}
	w.to = temporary
	if err := w.folder(w.root, "", 1); err != nil {
		return errors.Join(err, os.RemoveAll(temporary))
	}
	return os.Rename(temporary, to)
}

// writer writes the experiment files of one tree.
type writer struct {
	ctx     context.Context // of one export
	objects storer.EncodedObjectStorer
	limits  limits
	root    *object.Tree
	trees   map[plumbing.Hash]*object.Tree // that were read; listBytes bounds them
	to      string

	entries, files int
	total, listed  int64 // bytes of experiment files, and of lists of folders
}

const (
	mostDepth     = 32
	listBytes     = 16 << 20 // of the lists of all folders that are read, each counted once
	smallerFolder = "give the path of the folder with the experiments"
)

// tree reads one folder's list, if it is not too long.
func (w *writer) tree(hash plumbing.Hash, name string) (*object.Tree, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	if known := w.trees[hash]; known != nil {
		return known, nil
	}
	size, err := w.objects.EncodedObjectSize(hash)
	if err != nil {
		return nil, err
	}
	if w.listed += size; w.listed > listBytes {
		return nil, refuse(smallerFolder, "the lists of its folders have more than %d bytes, at %s", listBytes, name)
	}
	tree, err := object.GetTree(w.objects, hash)
	w.trees[hash] = tree
	return tree, err
}

// enter makes a folder of a commit's tree the root, by its path; "." is all of it.
func (w *writer) enter(tree plumbing.Hash, folder string) (err error) {
	if w.root, err = w.tree(tree, folder); err != nil || folder == "." {
		return err
	}
	entry, err := w.entry(folder)
	if err != nil {
		return err
	}
	w.root, err = w.tree(entry.Hash, folder)
	return err
}

// step counts one thing that is looked at.
func (w *writer) step() error {
	if w.entries++; w.entries > w.limits.Entries {
		return refuse(smallerFolder, "it holds more than %d files and folders", w.limits.Entries)
	}
	return w.ctx.Err()
}

// folder writes what is wanted of a folder and those in it.
func (w *writer) folder(tree *object.Tree, name string, depth int) error {
	if depth > mostDepth {
		return refuse(smallerFolder, "%s is more than %d folders deep", name, mostDepth)
	}
	seen := map[string]string{}
	for _, entry := range tree.Entries {
		if err := w.step(); err != nil {
			return err
		}
		if hidden(entry.Name) {
			continue
		}
		at := path.Join(name, entry.Name)
		if err := acceptable(entry.Name, at, entry.Mode, seen); err != nil {
			return err
		}
		if entry.Mode == filemode.Dir {
			sub, err := w.tree(entry.Hash, at)
			if err == nil {
				err = w.folder(sub, at, depth+1)
			}
			if err != nil {
				return err
			}
			continue
		}
		if !wanted(entry.Name, entry.Mode) {
			continue
		}
		if err := w.file(at, entry); err != nil {
			return err
		}
	}
	return nil
}

// file writes a file, or what a link leads to.
func (w *writer) file(name string, entry object.TreeEntry) error {
	blob, err := w.blob(name, entry)
	if err != nil {
		return err
	}
	return writeFile(blob, filepath.Join(w.to, filepath.FromSlash(name)))
}

// blob is a file, or what a link leads to, if it fits.
func (w *writer) blob(name string, entry object.TreeEntry) (*object.Blob, error) {
	hash := entry.Hash
	if entry.Mode == filemode.Symlink {
		to, err := w.follow(name)
		if err != nil {
			return nil, err
		}
		hash = to
	}
	size, err := w.objects.EncodedObjectSize(hash)
	if err != nil {
		return nil, err
	}
	w.files, w.total = w.files+1, w.total+size
	if err := w.fits(name, size); err != nil {
		return nil, err
	}
	return object.GetBlob(w.objects, hash)
}

func (w *writer) fits(name string, size int64) error {
	l := w.limits
	switch {
	case size > l.FileBytes:
		return refuse("an experiment is a page of text; is this the right path?", "file %s has %d bytes; more than %d are not read", name, size, l.FileBytes)
	case w.files > l.Files:
		return refuse("give the path of the folder with the experiments, or make several sources", "it holds more than %d experiment files", l.Files)
	case w.total > l.TotalBytes:
		return refuse("give the path of the folder with the experiments", "its experiment files have more than %d bytes", l.TotalBytes)
	}
	return nil
}

// hidden reports a name that begins with a dot.
func hidden(name string) bool { return strings.HasPrefix(name, ".") && name != ".." && name != "." }

// wanted reports an experiment file, a file of values, or a link that is named
// like one; settings are never read from a source.
func wanted(name string, mode filemode.FileMode) bool {
	return mode.IsFile() && name != "mishap.yaml" && (path.Ext(name) == ".yaml" || path.Ext(name) == ".yml")
}

// acceptable refuses a name, of those seen in the same folder.
func acceptable(name, at string, mode filemode.FileMode, seen map[string]string) error {
	const hint = "remove it, or give the path of a folder without it"
	refuse := func(format string, args ...any) error { return refuse(hint, format, args...) }
	if strings.ContainsFunc(name, unicode.IsControl) {
		return refuse("the name %q has a control character", at)
	}
	if name == "." || !filepath.IsLocal(name) || strings.ContainsAny(name, `\/`) {
		return refuse("the name %q could mean another file", at)
	}
	if mode == filemode.Submodule {
		return refuse("%s is a submodule, which is not read", at)
	}
	folded := strings.ToLower(name)
	if other, twice := seen[folded]; twice {
		return refuse("%s and %s differ in case alone", other, at)
	}
	seen[folded] = at
	return nil
}

func writeFile(f *object.Blob, to string) (err error) {
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
