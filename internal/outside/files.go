package outside

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrUnlisted is a file that may not be read.
var ErrUnlisted = errors.New("allow.files of the settings does not list it")

// Files says what may be read of what experiments name. Nil is everything: a
// person answers for what is asked.
type Files struct {
	files, folders []string
	confined       []string // folders that whoever writes experiments may change
}

// ParseFiles reads entries: absolute paths of files, and of folders, with a slash
// at the end, which stand for all that is in them. A file that lies in one of the
// confined folders must not lead out of it, whatever is listed.
func ParseFiles(entries, confined []string) (*Files, error) {
	f := &Files{confined: confined}
	var problems []error
	for _, entry := range entries {
		clean := filepath.Clean(entry)
		folder := strings.HasSuffix(entry, "/")
		switch {
		case !filepath.IsAbs(entry) || clean != strings.TrimSuffix(entry, "/"):
			problems = append(problems, fmt.Errorf("%q is not a file: write an absolute path without \"..\", such as /etc/mishap/token, or /run/secrets/ for all in a folder", entry))
		case folder:
			f.folders = append(f.folders, clean)
		default:
			f.files = append(f.files, clean)
		}
	}
	return f, errors.Join(problems...)
}

// Forbids says before it is opened that a path may not be read; nil if it may,
// unless it leads where it must not.
func (f *Files) Forbids(path string) error {
	if f == nil {
		return nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if _, _, listed := within(f.folders, path); listed || slices.Contains(f.files, path) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnlisted, path)
}

// within is the first of the folders that holds the path, and where in it.
func within(folders []string, path string) (folder, inside string, ok bool) {
	for _, folder := range folders {
		if inside, err := filepath.Rel(folder, path); err == nil && inside != "." && filepath.IsLocal(inside) {
			return folder, inside, true
		}
	}
	return "", "", false
}

// open opens a regular file for reading. What is opened is what is allowed: the
// path that was compared, and below a folder no link leads out, even one that is
// put there meanwhile.
func (f *Files) open(path string) (*os.File, error) {
	if f == nil {
		return openIn(anywhere{}, path, path)
	}
	if err := f.Forbids(path); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	folder, inside, bound := within(f.confined, path)
	if !bound && !slices.Contains(f.files, path) {
		folder, inside, bound = within(f.folders, path)
	}
	if !bound {
		return openIn(anywhere{}, path, path)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	in, err := openIn(root, inside, path)
	var about *fs.PathError
	if errors.As(err, &about) {
		about.Path = path
	}
	return in, err
}

// tree is where files are looked up: an [os.Root], or anywhere.
type tree interface {
	Stat(name string) (fs.FileInfo, error)
	OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error)
}

type anywhere struct{}

// Stat is [os.Stat].
func (anywhere) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// OpenFile is [os.OpenFile].
func (anywhere) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, perm)
}

// openIn looks at a file before it opens it, since some devices do something when
// they are opened. It may be another by then, and opening a pipe would wait for
// its writer.
func openIn(t tree, name, path string) (*os.File, error) {
	if info, err := t.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, irregular(path, info, nil)
	}
	return t.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
}

// Read is [Read] of what may be read.
func (f *Files) Read(ctx context.Context, path string, most int64) (File, error) {
	return inTime(ctx, path, func() (File, error) { return f.read(path, most, false) })
}

// Head is [Head] of what may be read.
func (f *Files) Head(ctx context.Context, path string, most int64) (File, error) {
	return inTime(ctx, path, func() (File, error) { return f.read(path, most, true) })
}

// ReadFile is [ReadFile] of what may be read.
func (f *Files) ReadFile(path string) ([]byte, error) {
	file, err := f.Read(context.Background(), path, Most)
	return file.Text, err
}
