//go:build !linux

package ledger

import (
	"slices"

	"golang.org/x/sys/unix"
)

// networkFileSystem names the network file system that dir is on; empty if it
// is on none that is known.
func networkFileSystem(dir string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return ""
	}
	name := unix.ByteSliceToString(s.Fstypename[:])
	if slices.Contains([]string{"nfs", "smbfs", "afpfs", "webdav"}, name) {
		return name
	}
	return ""
}
