package experiments

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"mishap/internal/links"
)

// open opens the file without waiting for the writer of a pipe. One that was
// found in a folder is opened within it, by the rule for links; that rule is kept
// by the system as well, so that no link changes between a look and its use.
func (f *file) open() (*os.File, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	if f.tree == "" {
		return os.OpenFile(f.path, flags, 0)
	}
	inside, err := filepath.Rel(f.tree, f.path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(f.tree)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if info, err := root.Lstat(inside); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return root.OpenFile(inside, flags, 0)
	}
	to, err := links.Follow(filepath.ToSlash(inside), func(at string) (links.Entry, error) {
		info, err := root.Lstat(at)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return entryOf(info), err
		}
		to, err := root.Readlink(at)
		return links.Entry{Type: fs.ModeSymlink, To: filepath.ToSlash(to)}, err
	})
	if err != nil {
		return nil, err
	}
	return root.OpenFile(to, flags, 0)
}

func entryOf(info fs.FileInfo) (e links.Entry) {
	if info != nil {
		e.Type = info.Mode().Type()
	}
	return e
}
