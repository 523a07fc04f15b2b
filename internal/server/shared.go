package server

import (
	"context"
	"log/slog"

	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/engine"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/notify"
)

// shared is what all parts of a server work with.
type shared struct {
	settings *config.Settings
	member   *member.Member
	catalog  *catalog.Catalog
	engine   *engine.Engine
	book     ledger.Ledger
	rules    func() *catalog.Rules // of all runs that begin now
	metrics  *metrics
	log      *slog.Logger
	life     context.Context      // of the runs: ends only when they are left to their keepers
	wake     chan struct{}        // the dispatcher has something to look at
	notify   func(notify.Message) // tells people; the notifier, except in tests
}

// nudge lets the dispatcher look now.
func (s *shared) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
