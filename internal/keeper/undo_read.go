package keeper

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"mishap"
)

// longestRecord is the most bytes that a line of an undo file may have.
const longestRecord = 64 << 20

// Held is an injection in an undo file.
type Held struct {
	mishap.Injection
	State  mishap.InjectionState
	Detail string
}

// Undo is what one undo file says.
type Undo struct {
	Run   string
	Path  string
	Alive bool // its keeper still works on it
	Held  []Held
	// Damage is why not all of the file can be read: what comes before the damage
	// is in Held. Nil if it is whole.
	Damage error
	cut    bool // its last line is not whole
}

// Outstanding lists what is or may still be in, newest first. Of a file that is
// not whole, what was only prepared may be in as well: that it was injected may
// stand in what is lost.
func (u Undo) Outstanding() []Held {
	var out []Held
	for i := len(u.Held) - 1; i >= 0; i-- {
		unsure := u.Held[i].State == mishap.InjectionPrepared && (u.cut || u.Damage != nil)
		if u.Held[i].State.MayBeIn() || unsure {
			out = append(out, u.Held[i])
		}
	}
	return out
}

// ReadUndo reads all undo files of a state directory. Each stands alone: what
// cannot be read of one is its [Undo.Damage]. The error is of the folder itself.
func ReadUndo(dir string) ([]Undo, error) {
	names, err := os.ReadDir(undoFolder(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("look for undo files: %w", err)
	} else {
		err = nil
	}
	var all []Undo
	for _, name := range names { // also those before an error
		if !strings.HasSuffix(name.Name(), undoEnding) {
			continue
		}
		if u := readUndo(filepath.Join(undoFolder(dir), name.Name())); !errors.Is(u.Damage, fs.ErrNotExist) {
			all = append(all, u) // else its keeper has just finished
		}
	}
	return all, err
}

func readUndo(path string) Undo {
	u := Undo{Run: strings.TrimSuffix(filepath.Base(path), undoEnding), Path: path}
	// Neither a link nor a pipe may lead elsewhere or hold up the others.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		u.Damage = err
		return u
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		u.Damage = errors.Join(errors.New("it is no regular file"), err)
		return u
	}
	u.Alive = errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
	u.read(f)
	return u
}

// read applies record after record, up to the first that is damaged. A last line
// that a crash cut off is no damage: what it says was never acted upon.
func (u *Undo) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, longestRecord)
	var torn error
	number := 0
	for lines.Scan() {
		number++
		line := bytes.Trim(lines.Bytes(), "\x00")
		if len(line) == 0 {
			continue
		}
		if torn != nil {
			u.Damage = torn
			return
		}
		var r record
		err := json.Unmarshal(line, &r)
		if err == nil {
			err = u.apply(r)
		}
		if err != nil {
			torn = fmt.Errorf("line %d is damaged: %w", number, err)
		}
	}
	u.cut = torn != nil
	switch {
	case lines.Err() != nil:
		u.Damage = fmt.Errorf("after line %d: %w", number, lines.Err())
	case torn != nil && len(u.Held) == 0:
		u.Damage = torn
	case number == 0 || len(u.Held) == 0:
		u.Damage = errors.New("it is empty")
	}
}

// apply takes a record over, or says why it makes no sense.
func (u *Undo) apply(r record) error {
	if r.Version > undoVersion {
		return fmt.Errorf("a newer mishap wrote it (version %d)", r.Version)
	}
	if r.Hold != nil {
		if r.Hold.ID == "" || r.Hold.Injector == "" {
			return errors.New("it holds no injection")
		}
		u.Held = append(u.Held, Held{Injection: *r.Hold, State: mishap.InjectionPrepared})
		return nil
	}
	for i := range u.Held {
		if u.Held[i].ID == r.ID && r.To != "" {
			u.Held[i].State, u.Held[i].Detail = r.To, r.Detail
			return nil
		}
	}
	return fmt.Errorf("it is about injection %q, which the file does not hold", r.ID)
}

// Remove removes the undo file of a run that has nothing left in. It refuses
// while its keeper lives. What cannot be read is kept, as settled.
func Remove(dir, run string) error {
	u := readUndo(undoPath(dir, run))
	switch {
	case errors.Is(u.Damage, fs.ErrNotExist):
		return nil
	case u.Alive:
		return fmt.Errorf("remove undo file of run %s: its keeper still lives", run)
	case u.unreadable():
		aside, err := SetAside(dir, u)
		if err != nil {
			return err
		}
		return Settle(aside, "mishap", "the ledger has the run, and nothing of it is in")
	}
	return os.Remove(u.Path)
}

// unreadable reports that there is something in the file, or instead of it, that
// cannot be read. One without anything is of a keeper that was never asked.
func (u Undo) unreadable() bool {
	info, err := os.Lstat(u.Path)
	return u.Damage != nil && (err != nil || !info.Mode().IsRegular() || info.Size() > 0)
}
