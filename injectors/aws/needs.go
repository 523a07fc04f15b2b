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

// asked are stand-ins for the injections that a fault may come to have, in the places
// that are both listed and meant.
func (a about) asked(t targets, places []mishap.Place) (all []mishap.Injection) {
	standIn := func(account, region string, arns func(at mishap.Place) []string) {
		for _, at := range places {
			if narrowed(&at.Account, cmp.Or(account, t.Account)) && narrowed(&at.Region, cmp.Or(region, t.Region)) {
				for _, arn := range arns(at) {
					all = append(all, mishap.Injection{Target: mishap.Target{ID: arn, Where: at}})
				}
			}
		}
	}
	for _, text := range t.ARNs { // of some kinds an ARN does not say all of its place
		_, account, region, _ := a.named(text)
		standIn(account, region, func(mishap.Place) []string { return []string{text} })
	}
	if len(t.ARNs) == 0 {
		standIn("", "", func(at mishap.Place) []string { return a.possible(a.meantIDs(t), at) })
	}
	return all
}

// meantIDs are the ids that targets name, which they do by names too where a name is
// an id; any if they name none.
func (a about) meantIDs(t targets) []string {
	switch {
	case len(t.IDs) > 0:
		return t.IDs
	case a.byName && len(t.Names) > 0:
		return t.Names
	case a.arn == groupARN && t.Group != "": // a group counts as in itself
		return []string{t.Group}
	}
	return []string{"*"}
}

// possible are the ARNs that things with these ids may have.
func (a about) possible(ids []string, at mishap.Place) (arns []string) {
	for _, id := range ids {
		arns = append(arns, fill(a.arn, at.Account, at.Region, id))
		if a.paths && id != "*" {
			arns = append(arns, fill(a.arn, at.Account, at.Region, "*/"+id))
		}
	}
	return arns
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
