package keeper

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mishap"
)

// reserve is the room that an undo file takes on the disk at once, in bytes, so
// that a full disk is noticed before anything is injected.
const reserve = 64 << 10

// record is one line of an undo file: an injection held, or its next state.
type record struct {
	At     time.Time             `json:"at"`
	Hold   *mishap.Injection     `json:"hold,omitempty"`
	ID     string                `json:"id,omitempty"`
	To     mishap.InjectionState `json:"to,omitempty"`
	Detail string                `json:"detail,omitempty"`
}

// undoFile is where a keeper writes what undoes its injections. A living keeper
// holds a kernel lock on it.
type undoFile struct {
	f  *os.File
	mu sync.Mutex // of a write
}

func undoPath(dir, run string) string { return filepath.Join(dir, "undo", run+".jsonl") }

func createUndo(dir, run string) (*undoFile, error) {
	path := undoPath(dir, run)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make undo folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make undo file: %w", err)
	}
	u := &undoFile{f: f}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock undo file: %w", err), u.remove())
	}
	if err := preallocate(f, reserve); err != nil {
		return nil, errors.Join(fmt.Errorf("make room for undo: %w", err), u.remove())
	}
	return u, syncFolder(filepath.Dir(path))
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

// write appends a record; it is on the disk when it returns.
func (u *undoFile) write(r record) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	r.At = time.Now()
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write undo: %w", err)
	}
	if _, err := u.f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write undo: %w", err)
	}
	if err := u.f.Sync(); err != nil {
		return fmt.Errorf("sync undo: %w", err)
	}
	return nil
}

func (u *undoFile) remove() error { return errors.Join(os.Remove(u.f.Name()), u.f.Close()) }

// Held is an injection in an undo file.
type Held struct {
	mishap.Injection
	State  mishap.InjectionState
	Detail string
}

// Undo is what one undo file says.
type Undo struct {
	Run   string
	Alive bool // its keeper still works on it
	Held  []Held
}

// Outstanding lists what is or may still be in, newest first.
func (u Undo) Outstanding() []Held {
	var out []Held
	for i := len(u.Held) - 1; i >= 0; i-- {
		if u.Held[i].State.MayBeIn() {
			out = append(out, u.Held[i])
		}
	}
	return out
}

// ReadUndo reads all undo files of a state directory. One that cannot be read
// does not hide the others.
func ReadUndo(dir string) ([]Undo, error) {
	paths, err := filepath.Glob(undoPath(dir, "*"))
	if err != nil {
		return nil, fmt.Errorf("look for undo files: %w", err)
	}
	var all []Undo
	var problems []error
	for _, path := range paths {
		u, err := readUndo(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its keeper has just finished
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("read undo file %s: %w", path, err))
			continue
		}
		all = append(all, u)
	}
	return all, errors.Join(problems...)
}

func readUndo(path string) (Undo, error) {
	u := Undo{Run: strings.TrimSuffix(filepath.Base(path), ".jsonl")}
	f, err := os.Open(path)
	if err != nil {
		return u, err
	}
	defer f.Close()
	u.Alive = errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	torn := false
	for lines.Scan() {
		line := bytes.Trim(lines.Bytes(), "\x00")
		if len(line) == 0 {
			continue
		}
		if torn {
			return u, errors.New("a line in its middle is damaged")
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			torn = true // a last line that a crash cut off was never acted upon
			continue
		}
		u.apply(r)
	}
	return u, lines.Err()
}

func (u *Undo) apply(r record) {
	if r.Hold != nil {
		u.Held = append(u.Held, Held{Injection: *r.Hold, State: mishap.InjectionPrepared})
		return
	}
	for i := range u.Held {
		if u.Held[i].ID == r.ID {
			u.Held[i].State, u.Held[i].Detail = r.To, r.Detail
		}
	}
}

// Remove removes the undo file of a run that has nothing left in. It refuses
// while its keeper lives.
func Remove(dir, run string) error {
	u, err := readUndo(undoPath(dir, run))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && u.Alive:
		return fmt.Errorf("remove undo file of run %s: its keeper still lives", run)
	}
	return os.Remove(undoPath(dir, run))
}
