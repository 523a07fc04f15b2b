package desk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/member"
)

// Options say whose desk it is.
type Options struct {
	Settings *config.Settings // as they are at the moment of a call
	Member   *member.Member
	Catalog  *catalog.Catalog
}

// Desk is where a person asks about runs, and lets them be stopped: of this machine's
// ledger. [api.Client] is that of a server.
type Desk struct {
	settings *config.Settings
	member   *member.Member
	catalog  *catalog.Catalog
}

// New opens nothing yet.
func New(o Options) *Desk {
	return &Desk{settings: o.Settings, member: o.Member, catalog: o.Catalog}
}

// Resume lets runs start again.
func (d *Desk) Resume(ctx context.Context, by, reason string) error {
	book, err := d.member.Existing(ctx)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return book.Resume(ctx, by, reason, time.Now())
}

// Unlock lets an experiment that deviated be run by itself again.
func (d *Desk) Unlock(ctx context.Context, experiment, by, reason string) error {
	book, err := d.member.Existing(ctx)
	if err != nil {
		return fmt.Errorf("unlock %s: %w", experiment, err)
	}
	err = book.Unlock(ctx, experiment, by, reason, time.Now())
	if errors.Is(err, ledger.ErrNotLocked) {
		locks, _ := book.Locks(ctx)
		var names []string
		for _, l := range locks {
			names = append(names, l.Experiment)
		}
		return mishap.Refusal(mishap.WithHint(err, mishap.Suggest(experiment, names)))
	}
	return err
}

// LocalServer asks the server that uses this machine's state directory.
func (d *Desk) LocalServer() (*api.Client, error) {
	path := d.member.SocketPath("api")
	if _, err := os.Stat(path); err != nil {
		return nil, mishap.Refusal(mishap.WithHint(fmt.Errorf("no server uses the state directory %s", d.settings.State), "start one with `mishap serve`, or name one with --server ADDRESS"))
	}
	if !filepath.IsAbs(path) {
		path = "./" + path
	}
	return api.NewClient(path)
}

// LedgerOf is [member.Member.Where], as a server answers it of its own.
func (d *Desk) LedgerOf(context.Context) string { return d.member.Where() }

// PageOf is the address of a run's page, if the settings say how people reach it.
func (d *Desk) PageOf(_ context.Context, run string) string { return d.settings.PageOf(run) }
