package engine

import (
	"context"
	"log/slog"

	"mishap/internal/aid"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/member"
	"mishap/internal/runner"
	"mishap/internal/vault"
)

// Options say what an engine works with.
type Options struct {
	Settings *config.Settings // as they are at the moment of a call
	Member   *member.Member
	Catalog  *catalog.Catalog
	Aid      *aid.Aider
	Log      *slog.Logger
	Around   Around // for tests; may be nil
}

// Engine plans experiments and runs plans.
type Engine struct {
	settings *config.Settings
	member   *member.Member
	catalog  *catalog.Catalog
	aid      *aid.Aider
	log      *slog.Logger
	around   Around
	comparer *comparer
}

// New starts nothing yet.
func New(o Options) *Engine {
	return &Engine{
		settings: o.Settings, member: o.Member, catalog: o.Catalog, aid: o.Aid, log: o.Log, around: o.Around,
		comparer: &comparer{settings: o.Settings, catalog: o.Catalog, member: o.Member, log: o.Log},
	}
}

// Close ends what runs shared.
func (eng *Engine) Close() { eng.comparer.close() }

// Takeover brings the runs of lost servers to their ends.
type Takeover struct {
	settings *config.Settings
	member   *member.Member
	catalog  *catalog.Catalog
	aid      *aid.Aider
	log      *slog.Logger
}

// NewTakeover takes nothing over yet.
func NewTakeover(o Options) *Takeover {
	return &Takeover{settings: o.Settings, member: o.Member, catalog: o.Catalog, aid: o.Aid, log: o.Log}
}

// keepIn lets a run keep what reverts it in the vaults too, if there are any. Where
// others may have swept it, nothing more is injected, and what is another run's by
// now is not reverted.
func keepIn(c *catalog.Catalog, r *runner.Runner, run string) *vault.Keep {
	v := c.Vaults()
	if v == nil {
		return nil
	}
	k, confirm := v.Keep(run), r.Confirm
	r.Vault, r.Taken = k, k.Taken
	r.Confirm = func(ctx context.Context) error {
		if err := k.Confirm(); err != nil || confirm == nil {
			return err
		}
		return confirm(ctx)
	}
	return k
}
