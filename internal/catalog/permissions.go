package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mishap"
)

// Permissions says what credentials must allow for the experiments, whatever is found
// when they run: in the places that the settings list, or in any if they list none.
func (c *Catalog) Permissions(list []mishap.Experiment) (all mishap.Permissions, err error) {
	tags := map[string]string{}
	key, value, _ := strings.Cut(c.settings.OptInTag, "=")
	tags[key] = value
	kinds, problems, reached := c.Kinds(), []error(nil), map[mishap.Place]bool{}
	for _, e := range list {
		for _, f := range e.Faults {
			kind := kinds[f.Injector]
			if kind.Needs == nil {
				continue
			}
			needs, err := kind.Needs(f, c.places(), tags)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s, fault %s: %w", e.Name, f.Name, err))
				continue
			}
			all.Inject, all.Revert = append(all.Inject, needs.Inject...), append(all.Revert, needs.Revert...)
			for _, p := range c.Places() {
				here, err := kind.Needs(f, []mishap.Place{p}, tags)
				reached[p] = reached[p] || err == nil && slices.ContainsFunc(here.Inject, func(s mishap.Statement) bool { return len(s.Resources) > 0 })
			}
		}
	}
	for _, p := range c.Places() { // a vault is beside what it undoes
		if reached[p] {
			vault := c.vaultNeeds(p)
			all.Inject, all.Revert = append(all.Inject, vault...), append(all.Revert, vault...)
		}
	}
	return mishap.Permissions{Inject: merged(all.Inject), Revert: merged(all.Revert)}, errors.Join(problems...)
}

// places are where faults in a cloud may be; "*" is any.
func (c *Catalog) places() []mishap.Place {
	all := c.Places()
	for _, a := range c.settings.Accounts {
		if len(a.Regions) == 0 {
			all = append(all, mishap.Place{Account: a.ID, Region: "*"})
		}
	}
	if len(all) == 0 {
		return []mishap.Place{{Account: "*", Region: "*"}}
	}
	return all
}

// merged says the same in fewer statements: first those of the same actions on all
// their resources, then those of the same resources with all their actions.
func merged(all []mishap.Statement) []mishap.Statement {
	all = joined(all, func(s *mishap.Statement) (same, parts *[]string) { return &s.Actions, &s.Resources })
	return joined(all, func(s *mishap.Statement) (same, parts *[]string) { return &s.Resources, &s.Actions })
}

// joined makes one statement of those that have one part and their conditions in
// common. A statement on nothing is left out.
func joined(all []mishap.Statement, of func(*mishap.Statement) (same, parts *[]string)) (out []mishap.Statement) {
	at := map[string]int{}
	for _, s := range all {
		if len(s.Resources) == 0 {
			continue
		}
		s.Actions, s.Resources = sorted(s.Actions), sorted(s.Resources)
		same, parts := of(&s)
		text, _ := json.Marshal([]any{*same, s.Conditions})
		i, known := at[string(text)]
		if !known {
			at[string(text)] = len(out)
			out = append(out, s)
			continue
		}
		_, has := of(&out[i])
		*has = sorted(append(*has, *parts...))
	}
	return out
}

// sorted is each of them once; where "*" is one, that is all.
func sorted(list []string) []string {
	if slices.Contains(list, "*") {
		return []string{"*"}
	}
	return slices.Compact(slices.Sorted(slices.Values(list)))
}
