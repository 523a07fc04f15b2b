package keeper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mishap"
)

// reserve is the room that an undo file takes on the disk at once, in bytes, so
// that a full disk is noticed before anything is injected.
const reserve = 64 << 10

// undoVersion is the newest form of a record that this program knows. Records
// of the first form bear no number.
const undoVersion = 1

// record is one line of an undo file: an injection held, or its next state.
type record struct {
	Version int                   `json:"version,omitempty"`
	At      time.Time             `json:"at"`
	Hold    *mishap.Injection     `json:"hold,omitempty"`
	ID      string                `json:"id,omitempty"`
	To      mishap.InjectionState `json:"to,omitempty"`
	Detail  string                `json:"detail,omitempty"`
	// Of how many injections the file holds so far, and what the one changes that a
	// next state is of: both tell what a damaged line was about.
	Holds int          `json:"holds,omitempty"`
	Keys  []mishap.Key `json:"keys,omitempty"`
	Sum   string       `json:"sum,omitempty"` // of the line without it; see line
}

// undoFile is where a keeper writes what undoes its injections. A living keeper
// holds a kernel lock on it.
type undoFile struct {
	f    *os.File
	path string
	mu   sync.Mutex // of a write
	held int        // injections, so far
}

const undoEnding = ".jsonl"

func undoFolder(dir string) string { return filepath.Join(dir, "undo") }

func undoPath(dir, run string) string { return filepath.Join(undoFolder(dir), run+undoEnding) }

// createUndo makes the file of a run. It is locked before it has its name, so
// that one which is free is of a keeper that is dead.
func createUndo(dir, run string) (*undoFile, error) {
	u := &undoFile{path: undoPath(dir, run)}
	if err := os.MkdirAll(undoFolder(dir), 0o700); err != nil {
		return nil, fmt.Errorf("make undo folder: %w", err)
	}
	if _, err := os.Lstat(u.path); err == nil {
		return nil, fmt.Errorf("make undo file: %s is there already", u.path)
	}
	f, err := os.OpenFile(u.path+".new", os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make undo file: %w", err)
	}
	u.f = f
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock undo file: %w", err), os.Remove(f.Name()), f.Close())
	}
	if err := preallocate(f, reserve); err != nil {
		return nil, errors.Join(fmt.Errorf("make room for undo: %w", err), os.Remove(f.Name()), f.Close())
	}
	if err := os.Rename(f.Name(), u.path); err != nil {
		return nil, errors.Join(fmt.Errorf("make undo file: %w", err), os.Remove(f.Name()), f.Close())
	}
	return u, syncFolder(undoFolder(dir))
}

// syncFolder makes a new file's name as durable as its content.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync undo folder: %w", err)
	}
	defer d.Close()
	return d.Sync()
}

// write appends records; they are on the disk when it returns.
func (u *undoFile) write(records ...record) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var lines []byte
	for _, r := range records {
		if r.Hold != nil {
			u.held++
		}
		r.At, r.Holds = time.Now(), u.held
		line, err := r.line()
		if err != nil {
			return fmt.Errorf("write undo: %w", err)
		}
		lines = append(lines, line...)
	}
	if _, err := u.f.Write(lines); err != nil {
		return fmt.Errorf("write undo: %w", err)
	}
	if err := u.f.Sync(); err != nil {
		return fmt.Errorf("sync undo: %w", err)
	}
	return nil
}

func (u *undoFile) remove() error { return errors.Join(os.Remove(u.path), u.f.Close()) }
