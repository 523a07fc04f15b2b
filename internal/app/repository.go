package app

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"mishap"
	"mishap/experiments"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/source"
)

// repository reads experiments from a git repository.
type repository struct {
	source config.Source
	mirror *source.Mirror
	about  experiments.Options
	broken error  // what was wrong with the commit that was fetched last
	first  string // commit that was in force when the server started
}

func (s *serving) newRepository(src config.Source, about experiments.Options) (reader, error) {
	r := source.Repository{URL: src.Repository, Ref: src.Ref, Path: src.Path, Username: src.Username, KnownHosts: src.KnownHosts, SignedBy: src.SignedBy}
	if src.Secret != (mishap.Secret{}) {
		r.Secret = func() (string, error) { return catalog.Secret(src.Secret) }
	}
	mirror, err := source.New(filepath.Join(s.Settings.State, "sources", src.Name), r)
	if err != nil {
		return nil, mishap.Invalid(fmt.Errorf("source %s: %w", src.Name, err))
	}
	before, err := s.book.Revision(s.life, src.Name)
	return &repository{source: src, mirror: mirror, about: about, first: before.Commit}, err
}

// again forgets what was fetched.
func (r *repository) again() { r.mirror.Again() }

// before loads what was in force from the disk: a broken commit must not end
// what runs. None of it runs before the remote was looked at.
func (r *repository) before(ctx context.Context) *tree {
	was, ok := r.mirror.At(r.first)
	if !ok {
		return nil
	}
	t, err := r.load(ctx, was)
	if err != nil {
		return nil
	}
	return t
}

// read fetches, and loads the tree if its commit is another one.
func (r *repository) read(ctx context.Context) (*tree, error) {
	t, changed, err := r.mirror.Latest(ctx)
	if source.Unreached(err) {
		return nil, fmt.Errorf("read source %s: %w: %w", r.source.Name, errUnreached, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read source %s: %w", r.source.Name, err)
	}
	if !changed {
		return nil, r.broken
	}
	loaded, err := r.load(ctx, t)
	if r.broken = err; err != nil {
		r.broken = fmt.Errorf("read source %s at commit %.12s: %w", r.source.Name, t.Commit, err)
	}
	if r.broken == nil {
		r.broken = r.mirror.Prune(t.Commit)
	}
	return loaded, r.broken
}

func (r *repository) load(ctx context.Context, t source.Tree) (*tree, error) {
	o := r.about
	o.Origin = func(file string) mishap.Source {
		inside, err := filepath.Rel(t.Dir, file)
		if err != nil {
			inside = file
		}
		name := path.Join(t.Path, filepath.ToSlash(inside))
		return mishap.Source{File: name, Repository: t.Repository, Commit: t.Commit, Author: t.Author, Path: name}
	}
	list, err := experiments.Load(ctx, []string{t.Dir}, o)
	if err != nil {
		return nil, placed{err, t}
	}
	loaded := newTree(r.source.Name, list)
	loaded.commit, loaded.signed = t.Commit, t.Signed // also of a tree without experiments
	return loaded, nil
}

// placed is an error in a tree, with the places that its author knows.
type placed struct {
	error
	in source.Tree
}

// Error names files as they are in the repository.
func (p placed) Error() string {
	to := p.in.Path + "/"
	if p.in.Path == "." {
		to = ""
	}
	return strings.ReplaceAll(p.error.Error(), p.in.Dir+"/", to)
}

// Unwrap returns the error.
func (p placed) Unwrap() error { return p.error }
