package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

func (m *mirror) clone() string { return filepath.Join(m.dir, "repo.git") }

// tidy removes what a fetch left that a crash ended, and a clone that has grown
// beyond what one fetch may bring: nothing of its past is needed.
func (m *mirror) tidy() error {
	left, err := filepath.Glob(filepath.Join(m.dir, "pack-*.new"))
	for _, file := range left {
		err = errors.Join(err, os.Remove(file))
	}
	var size int64
	packs, _ := filepath.Glob(filepath.Join(m.clone(), "objects", "pack", "*"))
	for _, file := range packs {
		if info, gone := os.Stat(file); gone == nil {
			size += info.Size()
		}
	}
	if size > m.about.Limits.PackBytes {
		err = errors.Join(err, os.RemoveAll(m.clone()))
	}
	return err
}

// open opens the clone for one fetch, or for reading.
func (m *mirror) open(ctx context.Context) (*git.Repository, error) {
	repo, err := git.PlainOpen(m.clone())
	if errors.Is(err, git.ErrRepositoryNotExists) {
		repo, err = git.PlainInit(m.clone(), true)
	}
	if err != nil {
		return nil, err
	}
	disk, ok := repo.Storer.(*filesystem.Storage)
	if !ok {
		return nil, fmt.Errorf("the clone is kept in a %T", repo.Storer)
	}
	const kept = 8 << 20 // bytes of objects; each is read once, but for lists of folders
	disk = filesystem.NewStorage(disk.Filesystem(), cache.NewObjectLRU(kept))
	return git.Open(&store{Storage: disk, ctx: ctx, limits: m.about.Limits, folder: m.dir}, nil)
}

// store is the clone on disk. It takes in a pack only once all of it has come and
// fits, so that no byte of another reaches the library, which holds whole objects
// in memory and builds as many as a pack says.
type store struct {
	*filesystem.Storage
	ctx    context.Context // of one fetch
	limits limits
	folder string // where a pack waits until it is known
}

// PackfileWriter takes the next pack.
func (s *store) PackfileWriter() (io.WriteCloser, error) {
	spool, err := os.CreateTemp(s.folder, "pack-*.new")
	if err != nil {
		return nil, err
	}
	return &intake{store: s, spool: spool}, nil
}
