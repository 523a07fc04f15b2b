package catalog

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"
	"sync"
	"time"

	"mishap"
	awsfault "mishap/injectors/aws"
	"mishap/internal/cloud"
	"mishap/internal/config"
	"mishap/internal/vault"
)

// Vaults are the vaults that the settings say: nil if there are none, or no place in
// AWS is listed. It makes them once.
func (c *Catalog) Vaults() *vault.Vaults {
	c.vaultsOnce.Do(func() {
		if c.settings.Vault != config.NoVault && len(c.Places()) > 0 {
			c.vaults = &vault.Vaults{By: owner(), Log: c.o.Log, Open: c.openVault}
		}
	})
	return c.vaults
}

// openVault makes the vault of a place. Nothing is asked of it yet.
func (c *Catalog) openVault(ctx context.Context, where mishap.Place) (vault.Store, error) {
	p, err := c.cloud.Listed(ctx, c.accounts(), where.Account, where.Region)
	if err != nil {
		return nil, err
	}
	return p.Parameters(c.settings.Vault, c.settings.VaultKey), nil
}

// TakenAt is [vault.Vaults.Taken] of vaults at a path, for a process that reads no
// settings: they are reached as what undoes the injection is. Nil: there are none.
func (c *Catalog) TakenAt(path string) func(context.Context, mishap.Injection, time.Time) (string, error) {
	if path == "" {
		return nil
	}
	var ways sync.Map // by place: as whom it is reached
	v := &vault.Vaults{By: owner(), Log: c.o.Log, Open: func(ctx context.Context, where mishap.Place) (vault.Store, error) {
		way, _ := ways.Load(where)
		at, _ := way.(cloud.At)
		p, err := c.cloud.Place(ctx, at)
		if err != nil {
			return nil, err
		}
		return p.Parameters(path, ""), nil
	}}
	return func(ctx context.Context, in mishap.Injection, since time.Time) (string, error) {
		if !vault.Keeps(in) {
			return "", nil
		}
		at, err := awsfault.Recorded(in)
		if err != nil {
			return "", err
		}
		ways.Store(in.Target.Where, at)
		return v.Taken(ctx, in, since)
	}
}

// vaultNeeds is what the vault of a place needs; nothing if there is none.
func (c *Catalog) vaultNeeds(at mishap.Place) []mishap.Statement {
	if c.Vaults() == nil {
		return nil
	}
	return cloud.VaultNeeds(at, c.settings.Vault, c.settings.VaultKey)
}

// vaultKeys are the keys of the vaults, as far as the settings say which those are.
func (c *Catalog) vaultKeys() []string {
	if key := c.settings.VaultKey; c.settings.Vault != config.NoVault && key != "" && !strings.Contains(key, "alias/") {
		return []string{key}
	}
	return nil
}

// Places are the places in AWS that the settings list.
func (c *Catalog) Places() (all []mishap.Place) {
	for _, account := range c.settings.Accounts {
		for _, region := range account.Regions {
			all = append(all, mishap.Place{Account: account.ID, Region: region})
		}
	}
	return all
}

// VaultNotes say of a plan where what reverts it is kept, and how long that takes.
func (c *Catalog) VaultNotes(all []mishap.Injection) (notes []string) {
	takes := vault.Takes(all)
	for _, where := range slices.SortedFunc(maps.Keys(takes), func(a, b mishap.Place) int { return strings.Compare(a.Account+a.Region, b.Account+b.Region) }) {
		if c.Vaults() == nil {
			notes = append(notes, fmt.Sprintf("what reverts it in %s %s is kept by this machine alone: there is no vault", where.Account, where.Region))
			continue
		}
		notes = append(notes, fmt.Sprintf("what reverts it is also kept in %s %s, below parameter %s; that takes about %s before the first fault",
			where.Account, where.Region, c.settings.Vault, mishap.Duration(max(takes[where], time.Second).Round(time.Second))))
	}
	return notes
}

// owner is whom to ask about what this process left: its user and host.
func owner() string {
	name := fmt.Sprintf("uid %d", os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	return name + "@" + host
}
