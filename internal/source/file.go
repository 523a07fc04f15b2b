package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"mishap/internal/config"
)

// ErrNotKept is a commit that no source has any more: a clone keeps what it fetched
// last, and older commits only until it is made anew.
var ErrNotKept = errors.New("no source keeps that commit any more")

// errNoExperiment is a path that is not one of an experiment's file in a source.
var errNoExperiment = errors.New("it is not the path of an experiment's file in a source")

// fileWithin is how long a file is looked for.
const fileWithin = 5 * time.Second

// Dir is where the clone of a source is, below a state directory.
func Dir(state, name string) string { return filepath.Join(state, "sources", name) }

// FileAt is the text of an experiment's file as a commit has it, out of the first of
// the sources that keeps the commit. What it reads is bounded as what a [Reader] reads
// is: experiment files below the folder of the source, of at most 1 MiB. The answer
// is [ErrNotKept] if no source has the commit, or another error if one has and the
// file is not there, or may not be read.
func FileAt(ctx context.Context, state string, sources []config.Source, commit, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fileWithin)
	defer cancel()
	if !plumbing.IsHash(commit) {
		return "", ErrNotKept
	}
	because := ErrNotKept
	for _, src := range sources {
		repo, root, err := opened(ctx, state, src)
		if err != nil {
			continue // it has none, or none that can be read
		}
		found, err := repo.CommitObject(plumbing.NewHash(commit))
		if err != nil {
			continue
		}
		text, err := fileOf(ctx, repo, found, root, name)
		if err == nil {
			return text, nil
		}
		because = err
	}
	return "", because
}

// opened is the repository that a source has on this machine's disk, and the folder
// of the source in it; "." for all of it.
func opened(ctx context.Context, state string, src config.Source) (*git.Repository, string, error) {
	if src.Folder == "" {
		m := &mirror{dir: Dir(state, src.Name)}
		m.about.Limits.setDefaults()
		if !exists(m.clone()) {
			return nil, "", ErrNotKept
		}
		repo, err := m.open(ctx)
		return repo, path.Clean(src.Path), err
	}
	folder, err := filepath.EvalSymlinks(src.Folder)
	if err != nil {
		return nil, "", err
	}
	dir := GitDir(folder)
	if dir == "" {
		return nil, "", ErrNotKept
	}
	root, err := filepath.Rel(filepath.Dir(dir), folder)
	if err != nil {
		return nil, "", err
	}
	repo, err := git.PlainOpenWithOptions(filepath.Dir(dir), &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	return repo, filepath.ToSlash(root), err
}

// fileOf reads a file of a commit by the rules by which trees are written. Links are
// followed inside the folder of the source alone.
func fileOf(ctx context.Context, repo *git.Repository, commit *object.Commit, root, name string) (string, error) {
	inside, ok := insideOf(root, name)
	if !ok {
		return "", errNoExperiment
	}
	w := &writer{ctx: ctx, objects: repo.Storer, trees: map[plumbing.Hash]*object.Tree{}}
	w.limits.setDefaults()
	if err := w.enter(commit.TreeHash, root); err != nil {
		return "", fmt.Errorf("commit %.12s has no folder %s: %w", commit.Hash, root, err)
	}
	entry, err := w.entry(inside)
	if err != nil {
		return "", fmt.Errorf("commit %.12s has no file %s: %w", commit.Hash, name, err)
	}
	if !wanted(path.Base(inside), entry.Mode) {
		return "", errNoExperiment
	}
	blob, err := w.blob(inside, *entry)
	if err != nil {
		return "", err
	}
	return textOf(blob, w.limits.FileBytes)
}

// insideOf is a path below a folder of a repository, if a source would read it there.
func insideOf(root, name string) (string, bool) {
	if name != path.Clean(name) || !filepath.IsLocal(name) {
		return "", false
	}
	inside := name
	if root != "." {
		var below bool
		if inside, below = strings.CutPrefix(name, root+"/"); !below {
			return "", false
		}
	}
	for part := range strings.SplitSeq(inside, "/") {
		if hidden(part) || acceptable(part, inside, filemode.Regular, map[string]string{}) != nil {
			return "", false
		}
	}
	return inside, wanted(path.Base(inside), filemode.Regular)
}
