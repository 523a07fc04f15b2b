//go:build unix

package source

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A test that waits for the pipe's writer never ends.
func TestWhoWritesAFolderCannotHangTheServerByItsGitFile(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(folder, ".git"), 0o600); err != nil {
		t.Fatal(err)
	}
	if files := gitFiles(folder); files != nil {
		t.Errorf("a pipe is taken for a repository with %v", files)
	}
}
