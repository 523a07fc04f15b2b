package safeguards

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mishap"
)

func placeKind(d Deps) mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "place",
			Summary: "nothing outside this machine is touched unless the settings and the target allow it",
			Doc: "A target in an AWS account needs its account and, there, its region in `accounts` of the settings, one on " +
				"another machine its host in `hosts`; and each must carry the opt-in tag (`optInTag`, default mishap=allow). " +
				"Tags are case-sensitive. Always on.",
			Params:  none{},
			Example: "safeguard: place\n",
		},
		Always: true,
		New:    plain(d.checkPlace),
		Uses:   noneUses,
	}
}

func (d Deps) checkPlace(_ context.Context, s mishap.Situation) error {
	var problems, keys []string
	deny := func(key, format string, args ...any) {
		problems = append(problems, fmt.Sprintf(format, args...))
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	tag, value, _ := strings.Cut(d.OptInTag, "=")
	for _, in := range s.Plan.Injections {
		t := in.Target
		if t.Where.Local() {
			continue
		}
		if t.Where.Host != "" && !slices.Contains(d.Hosts, t.Where.Host) {
			deny("list it under `hosts` in the settings", "%s is on host %s", t.Label(), t.Where.Host)
		}
		regions, known := d.Accounts[t.Where.Account]
		if t.Where.Account != "" && !known {
			deny("list it under `accounts` in the settings", "%s is in account %s", t.Label(), t.Where.Account)
		}
		if t.Where.Region != "" && !slices.Contains(regions, t.Where.Region) {
			deny("list it under `regions` of the account in the settings", "%s is in region %s", t.Label(), t.Where.Region)
		}
		if t.Tags[tag] != value {
			deny("tag the target "+d.OptInTag, "%s does not carry the tag %s", t.Label(), d.OptInTag)
		}
	}
	if problems == nil {
		return nil
	}
	return &mishap.Veto{
		Safeguard: "place",
		Reason:    mishap.ErrPlace.Error() + ": " + some(problems),
		Hint:      "if it may be touched: " + strings.Join(keys, ", "),
	}
}
