package vault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap"
	"mishap/internal/vault"
)

// memory is a vault that takes its time for each call, and counts them. It works on
// fake time.
type memory struct {
	takes time.Duration
	// before and after a call may say that it fails; after: it took effect.
	before, after func(op, name string) error

	mu     sync.Mutex
	items  map[string]vault.Item
	reads  int
	writes int
}

func newMemory() *memory {
	return &memory{takes: 50 * time.Millisecond, items: map[string]vault.Item{}}
}

var errDown = errors.New("the vault is down")

func (m *memory) call(op, name string, do func() error) error {
	if m.before != nil {
		if err := m.before(op, name); err != nil {
			return err
		}
	}
	time.Sleep(m.takes)
	m.mu.Lock()
	err := do()
	m.mu.Unlock()
	if m.after != nil && err == nil {
		err = m.after(op, name)
	}
	return err
}

func (m *memory) write(op, name string, do func() error) error {
	return m.call(op, name, func() error { m.writes++; return do() })
}

func (m *memory) Create(_ context.Context, name, text string) error {
	return m.write("create", name, func() error {
		if _, there := m.items[name]; there {
			return fmt.Errorf("create %s: %w", name, vault.ErrExists)
		}
		m.put(name, text)
		return nil
	})
}

func (m *memory) put(name, text string) {
	if len(text) > vault.Largest {
		panic(fmt.Sprintf("%s has %d bytes", name, len(text)))
	}
	m.items[name] = vault.Item{Name: name, Text: text, Written: time.Now()}
}

func (m *memory) Put(_ context.Context, name, text string) error {
	return m.write("put", name, func() error { m.put(name, text); return nil })
}

func (m *memory) Delete(_ context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	return m.write("delete", strings.Join(names, " "), func() error {
		for _, name := range names {
			delete(m.items, name)
		}
		return nil
	})
}

func (m *memory) Get(_ context.Context, name string) (item vault.Item, err error) {
	err = m.call("get", name, func() error {
		m.reads++
		var there bool
		if item, there = m.items[name]; !there {
			return fmt.Errorf("get %s: %w", name, vault.ErrAbsent)
		}
		return nil
	})
	return item, err
}

func (m *memory) List(_ context.Context, folder string, page func([]vault.Item, time.Time) error) error {
	for from := ""; ; {
		var items []vault.Item
		err := m.call("list", folder, func() error {
			m.reads++
			for _, name := range slices.Sorted(maps.Keys(m.items)) {
				if strings.HasPrefix(name, folder+"/") && name > from && len(items) < 10 {
					items = append(items, m.items[name])
					from = name
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return nil
		}
		if err := page(items, time.Now()); err != nil {
			return err
		}
	}
}

// names lists what is there.
func (m *memory) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.items))
}

// places are vaults of some places.
type places map[mishap.Place]*memory

func (p places) vaults(t *testing.T, by string) *vault.Vaults {
	return &vault.Vaults{By: by, Log: testLog(t), Open: func(_ context.Context, where mishap.Place) (vault.Store, error) {
		if m := p[where]; m != nil {
			return m, nil
		}
		return nil, fmt.Errorf("place %s %s is not known", where.Account, where.Region)
	}}
}

func (p places) list() []mishap.Place {
	return slices.SortedFunc(maps.Keys(p), func(a, b mishap.Place) int {
		return strings.Compare(a.Account+a.Region, b.Account+b.Region)
	})
}
