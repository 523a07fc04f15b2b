package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const others = 0o077 // what is not for the owner

// tighten takes from others what an earlier version, a copy or a loose umask gave
// them: of what in a state directory is mishap's own, and of the directory itself
// if nothing else lies in it yet. Whatever cannot be tightened stays; [Exposed]
// names it.
func tighten(dir string, fresh bool) {
	own := []string{"ledger.db", "ledger.db-wal", "ledger.db-shm", "servers", "undo", "sources"}
	if fresh {
		own = append(own, ".")
	}
	for _, name := range own {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&os.ModeSymlink != 0 || info.Mode().Perm()&others == 0 || !mine(info) {
			continue
		}
		_ = os.Chmod(path, info.Mode().Perm()&^others)
	}
}

// empty reports a directory in which nothing lies.
func empty(dir string) bool {
	all, err := os.ReadDir(dir)
	return err == nil && len(all) == 0
}

// Exposed says who else may change what is in a state directory, which decides
// about undo and runs; empty if nobody but its user and root may.
func Exposed(dir string) string {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return ""
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Sprintf("others may write the state directory %s (%s)", dir, info.Mode())
	case !mine(info):
		return fmt.Sprintf("the state directory %s belongs to another user", dir)
	}
	return ""
}

// mine reports what belongs to this user, or to root.
func mine(info os.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(owner.Uid) == os.Geteuid() || owner.Uid == 0)
}
