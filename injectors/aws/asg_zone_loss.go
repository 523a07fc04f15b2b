package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"mishap"
	"mishap/internal/cloud"
)

type zoneWith struct {
	Zone string `json:"zone" jsonschema:"availability zone that the groups lose: its name, such as eu-west-1a, or its id, such as euw1-az1, which is the same in all accounts"`
}

const zoneName = `^[a-z0-9]+(-[a-z0-9]+)+$`

func (w zoneWith) problems() []error {
	if like(zoneName).MatchString(w.Zone) {
		return nil
	}
	return []error{&mishap.FieldError{Path: "with.zone", Msg: fmt.Sprintf("%q is no availability zone", w.Zone), Hint: "write its name such as eu-west-1a, or its id such as euw1-az1"}}
}

func asgZoneLoss() fault[zoneWith] {
	return fault[zoneWith]{
		about: about{
			name:    "asg-zone-loss",
			symptom: mishap.SymptomGone,
			summary: "takes a zone away from Auto Scaling groups, and gives it back",
			doc: "The subnets of one availability zone are taken out of each group. It starts nothing there any more: as many members as it had there it starts in its other zones, and then ends those. " +
				"For a zone that fails at once, isolate its subnets in the same experiment, with subnet-isolate. " +
				"Afterwards the group gets those subnets back, where they were, and evens out its zones: with other members than before. " +
				"What others add to its subnets or take from them meanwhile stays; if they give it other subnets of the zone, or others altogether, all that stays. " +
				"Of those that they delete it gets back the rest.",
			example:  "injector: asg-zone-loss\ntargets: {names: [payments]}\nwith: {zone: eu-west-1a}\nfor: 15m",
			whenLost: "the groups stay without the zone until `mishap revert` or `mishap sweep`, or until somebody gives them its subnets back",
			batch:    20, settles: asgSettles,
			do:   []allow{reading(groupsRead, "ec2:DescribeSubnets"), acting("autoscaling:UpdateAutoScalingGroup")},
			undo: []allow{reading(groupsRead, "ec2:DescribeSubnets"), acting("autoscaling:UpdateAutoScalingGroup")},
			noun: "group", kind: "auto-scaling-group", arn: groupARN,
			attribute: "subnets", normal: "multi-zone", injecting: "without the zone", id: like(groupName), idLike: "payments", byName: true,
		},
		find: findZoned,
		inject: each(func(ctx context.Context, c aws.Config, on recorded[zoneWith]) error {
			was, now, err := subnetsNow(ctx, c, on)
			if err == nil && (len(without(now, was.Subnets)) > 0 || len(without(was.Subnets, now)) > 0) {
				err = mishap.WithHint(fmt.Errorf("group %s has other subnets than when it was planned: %s", on.id, strings.Join(now, ", ")), "plan again")
			}
			if err != nil {
				return err
			}
			return giveSubnets(ctx, c, on.id, without(now, was.Lost))
		}),
		revert: each(func(ctx context.Context, c aws.Config, on recorded[zoneWith]) error {
			was, now, err := subnetsNow(ctx, c, on)
			if err != nil || len(now) == 0 {
				return err
			}
			taken := without(without(was.Subnets, was.Lost), now) // by others
			had := slices.Concat(without(was.Subnets, taken), without(now, was.Subnets))
			return giveBack("group "+on.id, had, func(some []string) error { return giveSubnets(ctx, c, on.id, some) }, subnetsThere(ctx, c))
		}),
		read: lookTogether(look{gone, "deleted"}, func(ctx context.Context, c aws.Config, on []recorded[zoneWith]) (map[string]look, error) {
			var lost []string
			for _, one := range on {
				was, err := before[zoneBefore](one)
				if err != nil {
					return nil, err
				}
				lost = append(lost, was.Lost...)
			}
			there, unread := subnetsThere(ctx, c)(lost)
			if unread != nil { // giving them back must not hang on it
				there = lost
			}
			return lookGroups(func(g types.AutoScalingGroup, on recorded[zoneWith]) (look, error) {
				was, err := before[zoneBefore](on)
				return was.look(subnetsOf(g), g.AvailabilityZones, without(was.Lost, there)), err
			})(ctx, c, on)
		}),
	}
}

// zoneBefore is what a group was spread over, and what of that it loses.
type zoneBefore struct {
	Zone    string   `json:"zone"` // its name in this account
	Subnets []string `json:"subnets"`
	Lost    []string `json:"lost"`
}

func (b zoneBefore) look(now, zones, deleted []string) look {
	missing := without(b.Lost, now)
	switch back := len(b.Lost) - len(missing); {
	case back == len(b.Lost):
		return look{normal, "spread over " + strings.Join(slices.Sorted(slices.Values(zones)), ", ")}
	case len(without(missing, deleted)) == 0:
		return look{foreign, "without " + strings.Join(missing, ", ") + " of " + b.Zone + giveAnother}
	case back > 0:
		return look{half, fmt.Sprintf("with %d of %s in %s", back, mishap.Plural(len(b.Lost), "subnet"), b.Zone)}
	case slices.Contains(zones, b.Zone):
		return look{foreign, "in " + b.Zone + " by subnets that somebody else gave it"}
	case len(without(now, b.Subnets)) == len(now):
		return look{foreign, "in other subnets, which somebody else gave it"}
	}
	return look{injected, "without " + b.Zone}
}

// subnetsOf are the ids of a group's subnets, as they are written.
func subnetsOf(g types.AutoScalingGroup) []string {
	return strings.FieldsFunc(aws.ToString(g.VPCZoneIdentifier), func(r rune) bool { return r == ',' || r == ' ' })
}

// subnetsNow are what a group had before, and what it has; nothing if it is no more.
func subnetsNow(ctx context.Context, c aws.Config, on recorded[zoneWith]) (was zoneBefore, now []string, err error) {
	if was, err = before[zoneBefore](on); err != nil {
		return was, nil, err
	}
	groups, err := describeGroups(ctx, c, []string{on.id})
	if err != nil || len(groups) == 0 {
		return was, nil, err
	}
	return was, subnetsOf(groups[0]), nil
}

func giveSubnets(ctx context.Context, c aws.Config, group string, subnets []string) error {
	_, err := newAutoScaling(c).UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: &group, VPCZoneIdentifier: aws.String(strings.Join(subnets, ","))})
	return cloud.Failed("give Auto Scaling group "+group+" subnets "+strings.Join(subnets, ", "), err)
}
