package spawn

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Find is the absolute path of the file that a command's name means: whoever
// starts a command and whoever decides whether it may be started ask here, so
// that both mean the same file. A name without a slash is looked for in the
// folders of path, the value of a PATH, of which those that are not absolute do
// not count; a path that is not absolute is meant in dir, or in the folder that
// mishap was started in. Links stay in what it answers. What is not there, or
// cannot be executed, is an [exec.Error].
func Find(name, dir, path string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		absolute, err := filepath.Abs(name)
		if err != nil {
			return "", fmt.Errorf("find command: %w", err)
		}
		return exec.LookPath(absolute)
	}
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			continue
		}
		if found, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return found, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}
