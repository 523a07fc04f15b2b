package vault

import (
	"context"
	"errors"
	"time"
)

// Errors of a store that its callers branch on.
var (
	// ErrExists is a text that is there already.
	ErrExists = errors.New("it is there already")
	// ErrAbsent is a text that is not there.
	ErrAbsent = errors.New("it is not there")
)

// Item is a text of a vault as it is stored.
type Item struct {
	Name    string // below the path of the vault
	Text    string
	Written time.Time // by the clock of the store
}

// Writer changes a vault. Each call is durable when it returns, waits for its turn
// where writes are rationed, and ends in time.
type Writer interface {
	// Create writes a text that must not be there: else an error wraps [ErrExists].
	// Of any number of callers, one succeeds.
	Create(ctx context.Context, name, text string) error
	// Put writes a text, whether it is there or not.
	Put(ctx context.Context, name, text string) error
	// Delete removes texts. One that is not there is no error.
	Delete(ctx context.Context, names ...string) error
}

// Reader reads a vault; it may see what was a moment ago.
type Reader interface {
	// Get reads one text; an error wraps [ErrAbsent] if there is none.
	Get(ctx context.Context, name string) (Item, error)
	// List reads all that is below a folder, and hands it on page by page, with the
	// time that it is by the clock of the store.
	List(ctx context.Context, folder string, page func(items []Item, now time.Time) error) error
}

// Store is where a vault is in one place. Errors carry a hint.
type Store interface {
	Writer
	Reader
}
