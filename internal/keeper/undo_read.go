package keeper

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

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
	// Damage is why not all of the file can be read: what can be is in Held. Nil if
	// it is whole.
	Damage error
	// Lost is what those injections change that only a damaged line holds, as far as
	// other lines tell; AllKnown is that they tell of each.
	Lost     []mishap.Key
	AllKnown bool
	cut      bool // its last line is not whole
}

// Keys are what the file is about, and whether these are all.
func (u Undo) Keys() (keys []mishap.Key, all bool) {
	for _, h := range u.Held {
		keys = append(keys, h.Keys...)
	}
	return append(keys, u.Lost...), u.Damage == nil || u.AllKnown
}

// Whole reports whether it says of every injection what reverts it, in spite of
// what is damaged.
func (u Undo) Whole() bool { return u.Damage == nil || u.AllKnown && u.Lost == nil }

// Outstanding lists what is or may still be in force, newest first. Of a file that is
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

// Keeper is the process that works on the file; 0 if that is not known.
func (u Undo) Keeper() int {
	var s unix.Stat_t
	if err := unix.Stat(u.Path, &s); err != nil {
		return 0
	}
	return kernelHolder(s)
}

// RevertTakes is how long reverting what is in may take, as the kinds of its faults
// say.
func (u Undo) RevertTakes() (longest time.Duration) {
	for _, h := range u.Outstanding() {
		longest = max(longest, h.RevertTakes.Std()+h.Settles.Std())
	}
	return longest
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

// UndoOf reads that of one run; false if there is none.
func UndoOf(dir, run string) (Undo, bool) {
	u := readUndo(undoPath(dir, run))
	return u, !errors.Is(u.Damage, fs.ErrNotExist)
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

// read applies every record that is whole. A last line that a crash cut off is no
// damage: what it says was never acted upon.
func (u *Undo) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, longestRecord)
	var torn error
	holds, elsewhere := 0, map[string][]mishap.Key{}
	number := 0
	for lines.Scan() {
		number++
		line := bytes.Trim(lines.Bytes(), "\x00")
		if len(line) == 0 {
			continue
		}
		u.Damage, torn = cmp.Or(u.Damage, torn), nil
		r, err := parseLine(line)
		if err == nil {
			err = u.apply(r, elsewhere)
		}
		if err != nil {
			torn = fmt.Errorf("line %d is damaged: %w", number, err)
			continue
		}
		holds = r.Holds // so many were held by then, and no line after it says more
	}
	u.cut = torn != nil
	u.AllKnown = u.Damage != nil && torn == nil && lines.Err() == nil && holds == len(u.Held)+len(elsewhere)
	for _, keys := range elsewhere {
		u.Lost = append(u.Lost, keys...)
		u.AllKnown = u.AllKnown && len(keys) > 0
	}
	switch {
	case u.Damage != nil:
	case lines.Err() != nil:
		u.Damage = fmt.Errorf("after line %d: %w", number, lines.Err())
	case torn != nil && len(u.Held) == 0:
		u.Damage = torn
	case len(u.Held) == 0:
		u.Damage = errors.New("it is empty")
	}
}

// apply takes a record over, or says why it makes no sense. The next state of an
// injection that no line holds goes elsewhere, with its keys: the line that held
// it is damaged.
func (u *Undo) apply(r record, elsewhere map[string][]mishap.Key) error {
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
	if u.Damage != nil && r.ID != "" && r.To != "" && r.Sum != "" {
		elsewhere[r.ID] = r.Keys
		return nil
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
	case u.Unreadable():
		aside, err := SetAside(dir, u)
		if err != nil {
			return err
		}
		return Settle(aside, "mishap", "the ledger has the run, and nothing of it is in force")
	}
	return os.Remove(u.Path)
}

// Unreadable reports that there is something in the file, or instead of it, that
// cannot be read. One without anything is of a keeper that was never asked.
func (u Undo) Unreadable() bool {
	info, err := os.Lstat(u.Path)
	return !u.Whole() && (err != nil || !info.Mode().IsRegular() || info.Size() > 0)
}
