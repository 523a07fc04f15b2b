package aws

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

// targets says which things are meant, in words that all faults share. What is
// given narrows: each thing must fit all of it.
type targets struct {
	Account       string              `json:"account,omitempty" jsonschema:"AWS account, one of the settings' accounts; default the only one, or that of the credentials"`
	Region        string              `json:"region,omitempty" jsonschema:"AWS region, one of the account's regions in the settings; default the only one, or that of the AWS configuration"`
	IDs           []string            `json:"ids,omitempty" jsonschema:"their ids in AWS"`
	ARNs          []string            `json:"arns,omitempty" jsonschema:"their ARNs, also of several accounts and regions"`
	Names         []string            `json:"names,omitempty" jsonschema:"their names: the tag Name, or what the API calls them"`
	Tags          map[string]string   `json:"tags,omitempty" jsonschema:"tags that each must carry, all of them; case-sensitive, without wildcards"`
	Group         string              `json:"group,omitempty" jsonschema:"Auto Scaling group that they are in"`
	Zones         []string            `json:"zones,omitempty" jsonschema:"availability zones that they are in"`
	VPC           string              `json:"vpc,omitempty" jsonschema:"VPC that they are in"`
	Stack         string              `json:"stack,omitempty" jsonschema:"CloudFormation stack that made them"`
	ResourceGroup string              `json:"resourceGroup,omitempty" jsonschema:"group of AWS Resource Groups that they are in; needs resource-groups:ListGroupResources and tag:GetResources"`
	Filters       map[string][]string `json:"filters,omitempty" jsonschema:"what else they must be: for each name one of the values, such as {instance-type: [t3.micro]}"`
	PerZone       bool                `json:"perZone,omitempty" jsonschema:"take pick or share of each availability zone"`
	target.Selection
}

// The names of what every fault's things may be told by.
const (
	inZone  = "zone"
	inVPC   = "vpc"
	inGroup = "group"

	stackTag = "aws:cloudformation:stack-name"
)

// problems names what is wrong with the targets.
func (a about) problems(t targets) error {
	problems := []error{t.CheckSelection()}
	if !t.narrow() {
		problems = append(problems, &mishap.FieldError{Path: "targets", Msg: "name no " + a.noun, Hint: "give tags, ids, arns, names, group, vpc, stack or resourceGroup"})
	}
	problems = append(problems, slices.Concat(empty("targets.ids", t.IDs), empty("targets.arns", t.ARNs), empty("targets.names", t.Names), empty("targets.zones", t.Zones))...)
	for i, id := range t.IDs {
		if !a.id.MatchString(id) {
			problems = append(problems, &mishap.FieldError{Path: fmt.Sprintf("targets.ids[%d]", i), Msg: fmt.Sprintf("%q is not %s id", id, withArticle(a.noun)), Hint: "write it like " + a.idLike})
		}
	}
	for i, name := range t.Names {
		if a.byName && !a.id.MatchString(name) {
			problems = append(problems, &mishap.FieldError{Path: fmt.Sprintf("targets.names[%d]", i), Msg: fmt.Sprintf("%q is not the name of %s", name, withArticle(a.noun)), Hint: "write it like " + a.idLike})
		}
	}
	for i, text := range t.ARNs {
		if _, _, _, ok := a.named(text); !ok {
			problems = append(problems, &mishap.FieldError{Path: fmt.Sprintf("targets.arns[%d]", i), Msg: fmt.Sprintf("%q is not the ARN of %s", text, withArticle(a.noun)), Hint: "write it like " + fill(a.arn, "123456789012", "eu-west-1", a.idLike)})
		}
	}
	if len(t.ARNs) > 0 && len(t.IDs) > 0 {
		problems = append(problems, &mishap.FieldError{Path: "targets.arns", Msg: "ids and arns exclude each other", Hint: "keep one of them"})
	}
	if t.PerZone && t.Pick == nil && t.Share == nil {
		problems = append(problems, &mishap.FieldError{Path: "targets.perZone", Msg: "there is nothing to take of each zone", Hint: "give pick or share"})
	}
	return errors.Join(problems...)
}

// in is the targets of one place, which they say then.
func (t targets) in(p cloud.Place) targets {
	t.Account, t.Region = p.Account, p.Region
	return t
}

// narrow reports whether the targets name anything in particular: a zone or a
// filter alone is too much to be meant.
func (t targets) narrow() bool {
	return len(t.IDs)+len(t.ARNs)+len(t.Names)+len(t.Tags) > 0 || t.Group+t.VPC+t.Stack+t.ResourceGroup != ""
}

func withArticle(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// fits compares exactly: AWS's filters read * and ? as wildcards, and would match
// more than the experiment says.
func (t targets) fits(one thing) bool {
	return carries(one.tags, t.Tags) &&
		(len(t.IDs) == 0 || slices.Contains(t.IDs, one.id)) &&
		(len(t.Names) == 0 || slices.Contains(t.Names, one.name)) &&
		(t.Stack == "" || one.tags[stackTag] == t.Stack) &&
		t.filtered(one)
}

func carries(have, want map[string]string) bool {
	for key, value := range want {
		if got, ok := have[key]; !ok || got != value {
			return false
		}
	}
	return true
}

func (t targets) filtered(one thing) bool {
	for name, values := range t.filters() {
		if !slices.Contains(values, one.is[name]) {
			return false
		}
	}
	return true
}

// filters are all of them, also those that have a word of their own.
func (t targets) filters() map[string][]string {
	all := map[string][]string{}
	maps.Copy(all, t.Filters)
	if t.VPC != "" {
		all[inVPC] = []string{t.VPC}
	}
	if t.Group != "" {
		all[inGroup] = []string{t.Group}
	}
	if len(t.Zones) > 0 {
		all[inZone] = t.Zones
	}
	return all
}

// unknown says which filter none of what was found can be told by: it would fit
// nothing, and for the wrong reason.
func (t targets) unknown(found []thing) error {
	known := map[string]bool{}
	for _, one := range found {
		for name := range one.is {
			known[name] = true
		}
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(t.filters())) {
		if len(found) > 0 && !known[name] {
			names := slices.Sorted(maps.Keys(known))
			problems = append(problems, mishap.WithHint(target.None("the targets cannot be told by %s", name), "they can be told by "+orNothing(names)))
		}
	}
	return errors.Join(problems...)
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "id and tags alone"
	}
	return strings.Join(names, ", ")
}
