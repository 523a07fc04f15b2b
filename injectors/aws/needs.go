package aws

import (
	"cmp"
	"maps"
	"slices"

	"mishap"
)

// needs makes the statements for what the targets of a file name, before anything
// was looked up: ids and ARNs as they are, and of the rest what carries the tags. To
// revert no tag is asked for, which somebody may have taken away meanwhile.
func (a about) needs(t targets, places []mishap.Place, tags map[string]string) mishap.Permissions {
	on, told := a.asked(t, places), slices.Clone(a.do)
	for i, need := range told {
		if need.on == "" && !a.untold {
			told[i].when = carrying(carrying(need.when, tags), t.Tags)
		}
	}
	return mishap.Permissions{Inject: a.statements(told, on), Revert: a.statements(a.undo, on)}
}

// asked are stand-ins for the injections that a fault may come to have.
func (a about) asked(t targets, places []mishap.Place) (all []mishap.Injection) {
	standIn := func(arn string, at mishap.Place) {
		all = append(all, mishap.Injection{Target: mishap.Target{ID: arn, Where: at}})
	}
	for _, text := range t.ARNs {
		_, account, region, _ := a.named(text)
		if account != "" && region != "" {
			standIn(text, mishap.Place{Account: account, Region: region})
			continue
		}
		for _, at := range places { // of some kinds an ARN does not say all of it
			if narrowed(&at.Account, cmp.Or(account, t.Account)) && narrowed(&at.Region, cmp.Or(region, t.Region)) {
				standIn(text, at)
			}
		}
	}
	if len(t.ARNs) > 0 {
		return all
	}
	ids := t.IDs
	if len(ids) == 0 {
		ids = []string{"*"}
	}
	for _, at := range places {
		if narrowed(&at.Account, t.Account) && narrowed(&at.Region, t.Region) {
			for _, id := range ids {
				standIn(fill(a.arn, at.Account, at.Region, id), at)
			}
		}
	}
	return all
}

// narrowed is what is both listed and asked for; false if that is nothing.
func narrowed(listed *string, asked string) bool {
	if *listed == "*" && asked != "" {
		*listed = asked
	}
	return asked == "" || *listed == asked
}

// carrying adds the tags to the conditions of a statement.
func carrying(when map[string]map[string][]string, tags map[string]string) map[string]map[string][]string {
	if len(tags) == 0 {
		return when
	}
	all, equals := maps.Clone(when), map[string][]string{}
	if all == nil {
		all = map[string]map[string][]string{}
	}
	maps.Copy(equals, all["StringEquals"])
	for key, value := range tags {
		equals["aws:ResourceTag/"+key] = []string{value}
	}
	all["StringEquals"] = equals
	return all
}
