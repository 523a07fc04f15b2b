package httpapi

import (
	"log/slog"
	"testing"

	"mishap/internal/aid"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/desk"
	"mishap/internal/engine"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/server"
)

// bench is the API of a server on the in-memory ledger.
type bench struct {
	*API
	t *testing.T
}

func newBench(t *testing.T) *bench {
	t.Helper()
	settings, book, log := &config.Settings{}, ledger.NewMemory(), slog.New(slog.DiscardHandler)
	settings.Put(new(config.Live))
	m := member.New(member.Options{Book: book, Log: log})
	c := catalog.New(catalog.Options{Settings: settings, Halted: m.HaltedBy, Others: m.Others})
	a := aid.New(aid.Options{Settings: settings, Member: m, Kinds: c.Kinds, Restore: c.Restore})
	o := engine.Options{Settings: settings, Member: m, Catalog: c, Aid: a, Log: log}
	s, err := server.New(t.Context(), server.Options{
		Settings: settings, Member: m, Catalog: c, Engine: engine.New(o), Takeover: engine.NewTakeover(o), Aid: a, Book: book, Sources: []config.Source{{Name: "s"}}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	d := desk.New(desk.Options{Settings: settings, Member: m, Catalog: c})
	return &bench{New(Options{Settings: settings, Server: s, Desk: d, Member: m, Book: book, Log: log}), t}
}
