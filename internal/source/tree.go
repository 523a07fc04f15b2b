package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"mishap"
	"mishap/experiments"
	"mishap/internal/config"
)

// Tree is one revision of the experiments of a source.
type Tree struct {
	Source string
	Commit string // empty outside git
	Digest string
	Seq    int64 // of its revision
	List   []mishap.Experiment
	Signed func(keys []string) error // why none of the keys has signed its commit; nil outside of repositories
}

// ErrUnreached is a source that was not looked at: what is there is not known.
var ErrUnreached = errors.New("not looked at")

// Reader reads the tree of a source.
type Reader interface {
	// Read answers the tree as it is now; nil if it is the one answered before,
	// and the error of before as long as what is wrong has not changed.
	Read(ctx context.Context) (*Tree, error)
	// Again lets the next read answer the tree even if it has not changed: it
	// could not be put in force.
	Again()
	// Before answers what was in force when the server started, from the disk;
	// nil if that is not known.
	Before(ctx context.Context) *Tree
}

// Reading says what a reader reads, and with what.
type Reading struct {
	Source config.Source
	About  experiments.Options
	Dir    string                              // of the clone of a repository
	Secret func(mishap.Secret) (string, error) // looks one up
	Before string                              // commit of a repository that was in force when the server started
}

// NewReader makes what reads a folder, or a repository.
func NewReader(o Reading) (Reader, error) {
	if o.Source.Folder != "" {
		return &folder{source: o.Source, load: experiments.Load, about: o.About}, nil
	}
	return newMirrored(o)
}

// NewTree is the tree of these experiments, which its digest names.
func NewTree(source string, list []mishap.Experiment) *Tree {
	t := &Tree{Source: source, List: list}
	sum := sha256.New()
	for _, e := range list {
		fmt.Fprintf(sum, "%s %s\n", e.Name, e.Source.Digest)
		if t.Commit == "" {
			t.Commit = e.Source.Commit
		}
	}
	t.Digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return t
}
