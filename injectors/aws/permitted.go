package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/cloud"
)

const (
	mostAsked = 10                            // calls of IAM in each place
	perAsk    = 100                           // resources of each
	identity  = "sts:GetCallerIdentity"       // needs no permission
	simulate  = "iam:SimulatePrincipalPolicy" // is allowed if it answers
)

// question is whether the actions are allowed on each of some resources: one call.
type question struct {
	allow
	resources []string
	keys      map[string]string // of conditions, as far as they are known
	tags      map[string]bool   // that some of the resources have; nil: nobody knows
}

// permitted asks IAM whether the role or user that calls may do the fault and undo
// it, but for what check asks by dry runs, and write the vault. What could not be
// asked is noted.
func (a about) permitted(ctx context.Context, p cloud.Place, here []thing, vault []mishap.Statement) (notes []string, err error) {
	all, left := a.questions(p, here, vault), mostAsked
	denied := map[string]refused{}
	for n, q := range all {
		decisions, err := p.Allowed(ctx, &left, q.actions, q.resources, q.keys)
		if err != nil {
			notes = append(notes, unasked(p, all, n, err))
			break
		}
		for _, d := range decisions {
			if unknown := slices.DeleteFunc(d.Missing, q.absent); len(unknown) > 0 {
				notes = append(notes, fmt.Sprintf("whether %s is allowed depends on %s, which IAM could not be told", d.Action, strings.Join(unknown, ", ")))
			} else if why := d.Action + q.on + d.Denied; d.Denied != "" {
				denied[why] = refused{q.allow, append(denied[why].all, d)}
			}
		}
	}
	problems := []error{ctx.Err()}
	for _, why := range slices.Sorted(maps.Keys(denied)) {
		problems = append(problems, denied[why].problem(p, a.arn))
	}
	slices.Sort(notes)
	return slices.Compact(notes), errors.Join(problems...)
}

// questions are as few as there are kinds of resources and conditions.
func (a about) questions(p cloud.Place, here []thing, vault []mishap.Statement) (all []question) {
	var needs []allow
	for _, need := range slices.Concat(a.do, a.undo, allows(vault)) {
		if need.plan {
			continue
		}
		at := slices.IndexFunc(needs, func(n allow) bool { return n.on == need.on && fmt.Sprint(n.when) == fmt.Sprint(need.when) })
		if at < 0 {
			at, needs = len(needs), append(needs, allow{on: need.on, when: need.when})
		}
		for _, action := range need.actions {
			if action != identity && !slices.Contains(append(needs[at].actions, a.dryRuns...), action) {
				needs[at].actions = append(needs[at].actions, action)
			}
		}
	}
	for _, need := range needs {
		q, arns := question{allow: need, keys: need.sample(p)}, []string{fill(need.on, p.Account, p.Region, "*")}
		if need.on == "" {
			q.tags, arns = tagKeys(q.keys, here, strings.Split(a.arn, ":")[2]), nil
			for _, one := range here {
				arns = append(arns, one.arn)
			}
		}
		for q.resources = range slices.Chunk(arns, perAsk) {
			if len(q.actions) > 0 {
				all = append(all, q)
			}
		}
	}
	return all
}

// sample is a call that meets the conditions.
func (n allow) sample(p cloud.Place) map[string]string {
	keys := map[string]string{"aws:RequestedRegion": p.Region, "aws:PrincipalAccount": p.Account, "aws:PrincipalArn": p.Principal()}
	for _, conditions := range n.when {
		for key, values := range conditions {
			keys[key] = strings.ReplaceAll(values[0], "*", "plan")
		}
	}
	return keys
}

// tagKeys tells the tags that all have alike, and returns which any has.
func tagKeys(keys map[string]string, here []thing, service string) map[string]bool {
	having, some := map[[2]string]int{}, map[string]bool{}
	for _, one := range here {
		for key, value := range one.tags {
			some[key] = true
			if having[[2]string{key, value}]++; having[[2]string{key, value}] == len(here) {
				keys["aws:ResourceTag/"+key], keys[service+":ResourceTag/"+key] = value, value
			}
		}
	}
	return some
}

// absent reports whether the condition key is a tag that the resources do not have.
func (q question) absent(key string) bool {
	_, tag, is := strings.Cut(key, ":ResourceTag/")
	return is && q.tags != nil && !q.tags[tag]
}

// refused is an action that is denied, for one reason.
type refused struct {
	allow
	all []cloud.Decision
}

// problem says what to do about it: what a grant helps is that statement.
func (r refused) problem(p cloud.Place, targets string) error {
	d, grant, on, hint := r.all[0], r.all[0].Resource, r.all[0].Resource, r.all[0].Hint()
	if more := len(r.all) - 1; more > 0 {
		grant, on = fill(targets, p.Account, p.Region, "*"), fmt.Sprintf("%s and %d more", on, more)
	}
	if text, _ := json.Marshal(mishap.Statement{Actions: []string{d.Action}, Resources: []string{grant}, Conditions: r.when}); d.Ungranted {
		hint = fmt.Sprintf(`add {"Effect":"Allow",%s to its policies; `+"`mishap iam FILE` prints all that it needs", text[1:])
	}
	return mishap.WithHint(fmt.Errorf("%s may not %s on %s: %s", p.Principal(), d.Action, on, d.Denied), hint)
}

// unasked says what was not asked from the nth question on, of how many, and why.
func unasked(p cloud.Place, all []question, n int, err error) string {
	actions, asked, of := []string(nil), 0, 0
	for at, q := range all {
		if of += len(q.resources); at < n {
			asked = of
		} else {
			actions = append(actions, q.actions...)
		}
	}
	slices.Sort(actions)
	return fmt.Sprintf("of %d of %s in %s %s it was not asked whether %s are allowed: %v", of-asked, mishap.Plural(of, "resource"), p.Account, p.Region, strings.Join(slices.Compact(actions), ", "), err)
}
