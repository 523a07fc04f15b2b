package cloud

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mishap"
)

// Account is an account that the settings list, and how to get into it.
type Account struct {
	ID         string
	Role       string // ARN; empty: the credentials as they are
	ExternalID string
	Regions    []string
}

// At is the account in one of its regions.
func (a Account) At(region string) At {
	return At{Account: a.ID, Region: region, Role: a.Role, ExternalID: a.ExternalID}
}

// Listed is the account in the region, as the settings list them. What they do
// not list is refused before anything is asked there: [mishap.ErrPlace]. No
// account means the only one that is listed, or that of the credentials; no region
// the account's only one, or that of the AWS configuration.
func (c *Cloud) Listed(ctx context.Context, accounts []Account, account, region string) (Place, error) {
	if len(accounts) == 0 {
		return Place{}, notListed("list it: accounts: [{id: '123456789012', regions: [eu-west-1]}]", "the settings list no AWS account")
	}
	if account == "" {
		return c.unnamed(ctx, accounts, region)
	}
	for _, a := range accounts {
		if a.ID == account {
			return c.in(ctx, a, region)
		}
	}
	return Place{}, notListed("if it may be touched, list it under `accounts` in the settings", "account %s is not among those of the settings", account)
}

// unnamed is the account that is meant if none is named.
func (c *Cloud) unnamed(ctx context.Context, accounts []Account, region string) (Place, error) {
	if len(accounts) == 1 {
		return c.in(ctx, accounts[0], region)
	}
	region, err := among(union(accounts), region, "any account")
	if err != nil {
		return Place{}, err
	}
	own, err := c.Place(ctx, At{Region: region})
	if err != nil {
		return Place{}, err
	}
	return c.Listed(ctx, accounts, own.Account, region)
}

func (c *Cloud) in(ctx context.Context, a Account, region string) (Place, error) {
	region, err := among(a.Regions, region, "account "+a.ID)
	if err != nil {
		return Place{}, err
	}
	return c.Place(ctx, a.At(region))
}

// among is the region if it is one of those that are listed.
func among(listed []string, region, whose string) (string, error) {
	if region == "" {
		if len(listed) == 1 {
			return listed[0], nil
		}
		cfg, err := load(context.Background(), "")
		if err != nil {
			return "", err
		}
		region = cfg.Region
	}
	if slices.Contains(listed, region) {
		return region, nil
	}
	hint := "if it may be touched, list it under `regions` of the account in the settings"
	if meant := nearly(region, listed); meant != "" {
		hint = meant
	}
	return "", notListed(hint, "region %s is not listed for %s in the settings, but %s", region, whose, orNone(listed))
}

func notListed(hint, format string, args ...any) error {
	return mishap.Refusal(mishap.WithHint(fmt.Errorf("%w: %s", mishap.ErrPlace, fmt.Sprintf(format, args...)), hint))
}

func orNone(listed []string) string {
	if len(listed) == 0 {
		return "none is"
	}
	return strings.Join(listed, ", ")
}

func union(accounts []Account) (all []string) {
	for _, a := range accounts {
		for _, r := range a.Regions {
			if !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	return all
}
