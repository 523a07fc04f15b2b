package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mishap"
)

const settledEnding = ".settled"

// Damaged is an undo file that was set aside, because not all of it can be read or
// because a person answers for what it holds, and that nobody has settled yet.
type Damaged struct {
	Undo // what can be read of it
}

// Blocks reports whether it may have held an injection that changes one of these
// things: it has one of them, or it cannot be told what it had.
func (d Damaged) Blocks(keys []mishap.Key) bool {
	has, all := d.Keys()
	return !all || slices.ContainsFunc(has, func(k mishap.Key) bool {
		return slices.ContainsFunc(keys, func(other mishap.Key) bool { return other.Thing == k.Thing })
	})
}

// Name is what a person calls the file by.
func (d Damaged) Name() string { return strings.TrimSuffix(filepath.Base(d.Path), undoEnding) }

func asideFolder(dir string) string { return filepath.Join(undoFolder(dir), "damaged") }

// SetAside moves an undo file to the folder of the damaged ones, where it stays
// until a person removes it.
func SetAside(dir string, u Undo) (Damaged, error) {
	if err := os.MkdirAll(asideFolder(dir), 0o700); err != nil {
		return Damaged{}, fmt.Errorf("set undo file %s aside: %w", u.Path, err)
	}
	to := filepath.Join(asideFolder(dir), filepath.Base(u.Path))
	for n := 2; ; n++ { // one of that name may be there
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to = filepath.Join(asideFolder(dir), fmt.Sprintf("%s-%d%s", u.Run, n, undoEnding))
	}
	if err := os.Rename(u.Path, to); err != nil {
		return Damaged{}, fmt.Errorf("set undo file %s aside: %w", u.Path, err)
	}
	return Damaged{readUndo(to)}, nil
}

// Unsettled lists what was set aside and nobody has settled. A folder that
// cannot be read is an error.
func Unsettled(dir string) ([]Damaged, error) {
	names, err := os.ReadDir(asideFolder(dir))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	var all []Damaged
	for _, name := range names {
		path := filepath.Join(asideFolder(dir), name.Name())
		if _, err := os.Stat(path + settledEnding); err != nil && strings.HasSuffix(path, undoEnding) {
			all = append(all, Damaged{readUndo(path)})
		}
	}
	return all, nil
}

// Settle records, beside the file, that a person has put back what it may have
// held.
func Settle(d Damaged, by, reason string) error {
	text, err := json.Marshal(struct {
		At     time.Time `json:"at"`
		By     string    `json:"by"`
		Reason string    `json:"reason"`
	}{time.Now(), by, reason})
	if err == nil {
		err = os.WriteFile(d.Path+settledEnding, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("settle undo file %s: %w", d.Path, err)
	}
	return nil
}
