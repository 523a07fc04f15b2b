package engine

import (
	"log/slog"

	"mishap/internal/aid"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/member"
	"mishap/internal/runner"
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

// vaultOf is where a run keeps what reverts it beside ledger and keeper; nil if the
// settings say nowhere.
func vaultOf(c *catalog.Catalog, run string) runner.Vault {
	if v := c.Vaults(); v != nil {
		return v.Keep(run)
	}
	return nil
}
