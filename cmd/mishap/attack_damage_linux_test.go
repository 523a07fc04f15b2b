package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// damages are what happens to a file, by name.
var damages = map[string]func(*rand.Rand, string) error{ //nolint:gochecknoglobals // never changes
	"truncated": func(r *rand.Rand, path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, r.Int64N(info.Size()+1))
	},
	"bits": func(r *rand.Rand, path string) error {
		return rewrite(path, func(text []byte) {
			for range 1 + r.IntN(5) {
				text[r.IntN(len(text))] ^= 1 << r.IntN(8)
			}
		})
	},
	"garbage": func(r *rand.Rand, path string) error {
		return rewrite(path, func(text []byte) {
			for i := range text {
				text[i] = byte(r.Uint32())
			}
		})
	},
	"deleted": func(_ *rand.Rand, path string) error { return os.Remove(path) },
	"owner":   func(_ *rand.Rand, path string) error { return os.Chown(path, 65534, 65534) },
	"mode":    func(r *rand.Rand, path string) error { return os.Chmod(path, os.FileMode(r.IntN(0o1000))) },
}

// harmless are those after which the file still says what it said.
var harmless = map[string]bool{"": true, "owner": true, "mode": true} //nolint:gochecknoglobals

// rewrite changes a file where it lies, as a broken disk would.
func rewrite(path string, change func([]byte)) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		text := make([]byte, info.Size())
		if _, err = f.ReadAt(text, 0); err == nil {
			change(text)
			_, err = f.WriteAt(text, 0)
		}
	}
	return errors.Join(err, f.Close())
}

// damage does to undo files and ledger what the blow says.
func (s *assault) damage(b blow) {
	r := rand.New(rand.NewPCG(b.seed, 0))
	for _, each := range []struct{ how, files string }{{b.undo, "undo/*.jsonl"}, {b.ledger, "ledger.db*"}} {
		if each.how == "" {
			continue
		}
		files, _ := filepath.Glob(s.state(each.files))
		for _, path := range files {
			if err := damages[each.how](r, path); err != nil && !errors.Is(err, os.ErrNotExist) {
				s.t.Logf("%s: %v", b, err) // an owner that this system does not let be given
			}
		}
	}
}
