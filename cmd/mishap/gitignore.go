package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ignored is what a proxy of the settings that init writes keeps beside them: sockets
// and locks, and nothing for anybody else.
const ignored = ".mishap/"

// ignoreState lets git ignore, where the settings are in a repository, what proxies keep
// beside them, and tells what it wrote; nothing if something says so already.
func ignoreState(settings string) (wrote string, _ error) {
	folder, err := filepath.Abs(filepath.Dir(settings))
	if err != nil {
		return "", fmt.Errorf("write .gitignore: %w", err)
	}
	if inGit, covered := coveredByGit(folder); !inGit || covered {
		return "", nil
	}
	path := filepath.Join(filepath.Dir(settings), ".gitignore")
	text, err := os.ReadFile(path)
	wrote = "added to"
	if errors.Is(err, fs.ErrNotExist) {
		wrote = "wrote"
	} else if err != nil {
		return "", fmt.Errorf("write .gitignore: %w", err)
	}
	line := ignored + "\n"
	if len(text) > 0 && !strings.HasSuffix(string(text), "\n") {
		line = "\n" + line
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return "", fmt.Errorf("write .gitignore: %w", err)
	}
	if _, err := f.WriteString(line); err != nil {
		return "", errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close())
	}
	return fmt.Sprintf("%s %s: %s, where the proxy keeps its socket", wrote, path, ignored), f.Close()
}

// coveredByGit reports whether a folder is in a git repository, and whether a .gitignore
// of it, there or above, names what is to be ignored.
func coveredByGit(folder string) (inGit, covered bool) {
	for anchor := "/"; ; anchor = "" { // one that begins with it is of its own folder alone
		text, _ := os.ReadFile(filepath.Join(folder, ".gitignore"))
		for line := range strings.Lines(string(text)) {
			covered = covered || slices.Contains([]string{".mishap", ".mishap/", "**/.mishap", "**/.mishap/"}, strings.TrimPrefix(strings.TrimSpace(line), anchor))
		}
		if _, err := os.Lstat(filepath.Join(folder, ".git")); err == nil {
			return true, covered
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return false, covered
		}
		folder = parent
	}
}
