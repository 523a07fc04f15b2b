package member

import (
	"context"
	"fmt"
	"time"

	"mishap"
	"mishap/internal/ledger"
)

// Ledger opens the ledger, and makes it if there is none.
func (m *Member) Ledger(ctx context.Context) (ledger.Ledger, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.book != nil {
		return m.book, nil
	}
	var err error
	if address := m.address; ledger.IsPostgres(address) {
		m.book, err = openPostgres(ctx, address, m.lease)
	} else {
		m.book, err = openFile(ctx, m.state)
	}
	return m.book, err
}

// The two answer an untyped nil with an error.
func openPostgres(ctx context.Context, address string, lease time.Duration) (ledger.Ledger, error) {
	book, err := ledger.OpenPostgres(ctx, address, lease)
	if err != nil {
		return nil, err
	}
	return book, nil
}

func openFile(ctx context.Context, dir string) (ledger.Ledger, error) {
	book, err := ledger.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	return book, nil
}

// HasLedger reports whether there is a ledger to read; reading makes none. One
// that cannot be looked for is there: who opens it is told why.
func (m *Member) HasLedger(ctx context.Context) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.book != nil:
		return true
	case ledger.IsPostgres(m.address):
		return ledger.ExistsPostgres(ctx, m.address)
	}
	return ledger.Exists(m.state)
}

// Existing opens the ledger for a verb that stops or looks: such a verb makes
// none, or it would say that it did something where nothing is.
func (m *Member) Existing(ctx context.Context) (ledger.Ledger, error) {
	if m.HasLedger(ctx) {
		return m.Ledger(ctx)
	}
	return nil, m.noLedger()
}

// noLedger says that there is none, and where others of this host are.
func (m *Member) noLedger() error {
	hint := "choose the right one with --state DIR or --ledger URL"
	for _, n := range m.Neighbours(false) {
		hint += "\n  " + n.String() + "; reach it with " + n.Reach()
	}
	for _, dir := range m.Idle() {
		hint += "\n  ledger " + dir + " has no living server; reach it with " + reach(dir)
	}
	return mishap.WithHint(fmt.Errorf("there is no ledger in %s", m.Where()), hint)
}
