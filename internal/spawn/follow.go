package spawn

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// mostLinks is how many links a path may lead through, as in Linux.
const mostLinks = 40

// Follow goes the way that the kernel goes to an absolute path, through every
// folder and link, tells of each place, and answers where it ends. Whoever can
// change one of the places decides what the path means.
func Follow(path string, tell func(at string, info fs.FileInfo) error) (string, error) {
	here := string(filepath.Separator)
	left := strings.Split(filepath.Clean(path), here)
	for links := 0; len(left) > 0; {
		name := left[0]
		left = left[1:]
		if name == ".." {
			here = filepath.Dir(here)
			continue
		}
		at := filepath.Join(here, name) // of an empty name: here
		info, err := os.Lstat(at)
		if err != nil {
			return "", fmt.Errorf("follow path: %w", err)
		}
		if err := tell(at, info); err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			here = at
			continue
		}
		if links++; links > mostLinks {
			return "", errors.New("follow path: too many links")
		}
		to, err := os.Readlink(at)
		if err != nil {
			return "", fmt.Errorf("follow path: %w", err)
		}
		if filepath.IsAbs(to) {
			here = string(filepath.Separator)
		}
		left = append(strings.Split(to, string(filepath.Separator)), left...)
	}
	return here, nil
}
