package source

import (
	"context"
	"errors"

	"github.com/go-git/go-git/v5"
)

// ExportOf fetches, and exports in a context of its own.
func (m *mirror) ExportOf(ctx context.Context) error {
	fetching := context.Background()
	name, hash, err := m.resolve(fetching, nil)
	if err != nil {
		return err
	}
	commit, err := m.fetch(fetching, nil, name, hash)
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return err
	}
	return m.export(ctx, commit, m.tree(hash.String()).Dir)
}

// FetchOf fetches in a context of its own.
func (m *mirror) FetchOf(ctx context.Context) error {
	name, hash, err := m.resolve(context.Background(), nil)
	if err != nil {
		return err
	}
	_, err = m.fetch(ctx, nil, name, hash)
	return err
}
