package keeper

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
)

// LockPath is the lock file of a thing of this user.
func LockPath(thing string) string {
	dir, err := lockFolder(os.Geteuid())
	if err != nil {
		panic(err)
	}
	defer dir.Close()
	return filepath.Join(dir.Name(), fmt.Sprintf("%x.lock", sha256.Sum256([]byte(thing))))
}
