package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"mishap/internal/links"
)

// follow finds the file that a link leads to. It is looked for in the commit,
// never on the disk.
func (w *writer) follow(name string) (plumbing.Hash, error) {
	to, err := links.Follow(name, w.look)
	var refused *links.Refused
	if errors.As(err, &refused) {
		return plumbing.ZeroHash, refuse(links.Hint, "%s is %w", name, refused)
	}
	if err != nil {
		return plumbing.ZeroHash, err
	}
	entry, err := w.entry(to)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return entry.Hash, nil
}

// look is what stands at a path of the commit, for the rule of links.
func (w *writer) look(at string) (links.Entry, error) {
	if err := w.step(); err != nil {
		return links.Entry{}, err
	}
	entry, err := w.entry(at)
	switch {
	case errors.Is(err, object.ErrEntryNotFound):
		return links.Entry{}, fs.ErrNotExist
	case err != nil:
		return links.Entry{}, err
	case entry.Mode == filemode.Symlink:
		to, err := w.target(entry.Hash)
		return links.Entry{Type: fs.ModeSymlink, To: to}, err
	case entry.Mode == filemode.Dir:
		return links.Entry{Type: fs.ModeDir}, nil
	case entry.Mode.IsFile():
		return links.Entry{}, nil
	}
	return links.Entry{Type: fs.ModeIrregular}, nil // a submodule
}

// entry is what the tree holds at a path.
func (w *writer) entry(at string) (*object.TreeEntry, error) {
	tree := w.root
	dir, name := path.Split(at)
	for part := range strings.SplitSeq(strings.TrimSuffix(dir, "/"), "/") {
		if part == "" {
			break
		}
		entry, err := tree.FindEntry(part)
		if err != nil {
			return nil, err
		}
		if tree, err = w.tree(entry.Hash, part); err != nil {
			return nil, err
		}
	}
	return tree.FindEntry(name)
}

// target is where a link leads, by its own word, as far as the rule wants to know.
func (w *writer) target(hash plumbing.Hash) (string, error) {
	const most = 8 << 10
	size, err := w.objects.EncodedObjectSize(hash)
	if err != nil {
		return "", err
	}
	if size > most {
		return strings.Repeat("-", most), nil // too long for the rule, whatever it says
	}
	blob, err := object.GetBlob(w.objects, hash)
	if err != nil {
		return "", err
	}
	to, err := textOf(blob, most)
	if err != nil {
		return "", fmt.Errorf("read link: %w", err)
	}
	return to, nil
}

// textOf is the text of a blob, up to so many bytes.
func textOf(blob *object.Blob, most int64) (string, error) {
	in, err := blob.Reader()
	if err != nil {
		return "", err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, most))
	return string(text), err
}
