//go:build unix

package spawn

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// OthersChange says who beside root and this process's own user can change what
// is at a place; empty if nobody can. In a folder like /tmp everybody can make
// files, and only their owners can change them.
func OthersChange(at string, info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "nobody knows who owns " + at
	}
	const othersWrite = 0o022
	switch sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0; {
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return fmt.Sprintf("%s belongs to user %d", at, stat.Uid)
	case info.Mode()&fs.ModeSymlink == 0 && info.Mode()&othersWrite != 0 && !sticky:
		return fmt.Sprintf("%s can be written by others (mode %s)", at, info.Mode())
	}
	return ""
}
