package engine

import (
	"log/slog"

	"mishap/internal/aid"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/member"
)

// world is an engine with what it works with.
type world struct {
	*Engine
	*Takeover
	*member.Member
	*aid.Aider
	Settings config.Settings
}

func newWorld(settings config.Settings, m member.Options) *world {
	m.Log, m.State = slog.New(slog.DiscardHandler), settings.State
	w := &world{Member: member.New(m), Settings: settings}
	c := catalog.New(catalog.Options{Settings: &w.Settings, Halted: w.HaltedBy, Others: w.Others})
	w.Aider = aid.New(aid.Options{Settings: &w.Settings, Member: w.Member, Kinds: c.Kinds, Restore: c.Restore})
	o := Options{Settings: &w.Settings, Member: w.Member, Catalog: c, Aid: w.Aider, Log: m.Log}
	w.Engine, w.Takeover = New(o), NewTakeover(o)
	return w
}
