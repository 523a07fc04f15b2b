package source

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"mishap"
	"mishap/experiments"
	"mishap/internal/config"
)

// repository reads experiments from a git repository.
type mirrored struct {
	source config.Source
	mirror *mirror
	about  experiments.Options
	broken error  // what was wrong with the commit that was fetched last
	first  string // commit that was in force when the server started
}

func newMirrored(o Reading) (Reader, error) {
	src := o.Source
	r := repository{URL: src.Repository, Ref: src.Ref, Path: src.Path, Username: src.Username, KnownHosts: src.KnownHosts, SignedBy: src.SignedBy}
	if src.Secret != (mishap.Secret{}) {
		r.Secret = func() (string, error) { return o.Secret(src.Secret) }
	}
	mirror, err := newMirror(o.Dir, r)
	if err != nil {
		return nil, mishap.Invalid(fmt.Errorf("source %s: %w", src.Name, err))
	}
	return &mirrored{source: src, mirror: mirror, about: o.About, first: o.Before}, nil
}

// Again forgets what was fetched.
func (r *mirrored) Again() { r.mirror.Again() }

// Before loads what was in force from the disk: a broken commit must not end
// what runs. None of it runs before the remote was looked at.
func (r *mirrored) Before(ctx context.Context) *Tree {
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

// Read fetches, and loads the tree if its commit is another one.
func (r *mirrored) Read(ctx context.Context) (*Tree, error) {
	t, changed, err := r.mirror.Latest(ctx)
	if isUnreached(err) {
		return nil, fmt.Errorf("read source %s: %w: %w", r.source.Name, ErrUnreached, err)
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

func (r *mirrored) load(ctx context.Context, t checkout) (*Tree, error) {
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
	loaded := NewTree(r.source.Name, list)
	loaded.Commit, loaded.Signed = t.Commit, t.Signed // also of a tree without experiments
	return loaded, nil
}

// placed is an error in a tree, with the places that its author knows.
type placed struct {
	error
	in checkout
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
