package source

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"mishap"
)

const (
	mostLinks = 40   // on the way to one file, as the kernel has it
	linkBytes = 4096 // of where a link leads
)

// follow finds the file that a link leads to, by the rule that a folder of
// experiments has: a link stays within the tree, or is refused. What it leads to
// is looked for in the commit, never on the disk.
func (w *writer) follow(name string, hash plumbing.Hash) (plumbing.Hash, error) {
	refuse := func(what string) (plumbing.Hash, error) {
		return plumbing.ZeroHash, mishap.WithHint(fmt.Errorf("%s is a symbolic link that %s", name, what), "a link among experiments stays within their folder; put the file itself there")
	}
	left, err := w.target(hash)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	var at []string // the folder that was reached
	if dir := path.Dir(name); dir != "." {
		at = strings.Split(dir, "/")
	}
	if strings.HasPrefix(left, "/") {
		return refuse("leads out of the folder")
	}
	todo := strings.Split(left, "/")
	for links := 1; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		if err := w.step(); err != nil {
			return plumbing.ZeroHash, err
		}
		switch part {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return refuse("leads out of the folder")
			}
			at = at[:len(at)-1]
			continue
		}
		entry, err := w.entry(at, part)
		switch {
		case errors.Is(err, object.ErrEntryNotFound):
			return refuse("leads to nothing")
		case err != nil:
			return plumbing.ZeroHash, err
		case entry.Mode == filemode.Symlink:
			if links++; links > mostLinks {
				return refuse("leads to itself")
			}
			if left, err = w.target(entry.Hash); err != nil {
				return plumbing.ZeroHash, err
			}
			if strings.HasPrefix(left, "/") {
				return refuse("leads out of the folder")
			}
			todo = append(strings.Split(left, "/"), todo...)
		case entry.Mode == filemode.Dir:
			at = append(at[:len(at):len(at)], part)
		case entry.Mode.IsFile() && len(todo) == 0:
			return entry.Hash, nil
		default:
			return refuse("leads to no file")
		}
	}
	return refuse("leads to no file")
}

// entry is what a folder of the tree holds by a name.
func (w *writer) entry(folder []string, name string) (*object.TreeEntry, error) {
	tree := w.root
	for _, part := range folder {
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

// target is where a link leads, by its own word.
func (w *writer) target(hash plumbing.Hash) (string, error) {
	size, err := w.objects.EncodedObjectSize(hash)
	if err != nil || size > linkBytes {
		return "", errors.Join(err, fmt.Errorf("a symbolic link of %d bytes leads nowhere", size))
	}
	blob, err := object.GetBlob(w.objects, hash)
	if err != nil {
		return "", err
	}
	in, err := blob.Reader()
	if err != nil {
		return "", err
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	return string(text), err
}
