package source

import (
	"os"
	"path/filepath"
)

// GitDir is the .git of the checkout that a folder is in; empty if it is in none.
func GitDir(folder string) string {
	for {
		dir := filepath.Join(folder, ".git")
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return ""
		}
		folder = parent
	}
}
