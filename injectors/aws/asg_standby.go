package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

func asgStandby() fault[target.NoParams] {
	return fault[target.NoParams]{
		about: about{
			name:    "asg-standby",
			symptom: mishap.SymptomGone,
			summary: "puts members of Auto Scaling groups on standby, and back into service",
			doc: "Members in service are taken out: they run on, and the load balancers of their group send them nothing. The group wants so many fewer meanwhile and starts no others; " +
				"each that comes back it wants again, on top of whatever others have set by then. Those on standby already are not taken. " +
				"A group at its least size is refused, and one that others have made as large as it may be takes nobody back until there is room.",
			example:  "injector: asg-standby\ntargets: {group: payments, pick: 1, seed: 42}\nfor: 10m",
			whenLost: "the instances stay on standby until `mishap revert` or `mishap sweep`, or until somebody moves them back into service",
			settles:  asgSettles, revertTakes: 30 * time.Minute,
			do:   []allow{reading("ec2:DescribeInstances", "autoscaling:DescribeAutoScalingInstances", groupsRead), {actions: []string{"autoscaling:EnterStandby"}, on: anyGroup}},
			undo: []allow{reading("autoscaling:DescribeAutoScalingInstances"), {actions: []string{"autoscaling:ExitStandby"}, on: anyGroup}},
			noun: "instance", kind: instanceKind, arn: "arn:{partition}:ec2:{region}:{account}:instance/{id}",
			attribute: "standby", normal: "in service", injecting: "on standby", id: like(instanceID), idLike: "i-0123456789abcdef0",
		},
		find: func(ctx context.Context, c aws.Config, t targets, _ target.NoParams) ([]thing, error) {
			found, err := findMembers(ctx, c, t, standby)
			for n := range found {
				found[n].before = found[n].is[inGroup]
			}
			return found, err
		},
		check: mayShrink,
		inject: eachGroup(func(ctx context.Context, c aws.Config, group string, ids []string) error {
			_, err := newAutoScaling(c).EnterStandby(ctx, &autoscaling.EnterStandbyInput{AutoScalingGroupName: &group, InstanceIds: ids, ShouldDecrementDesiredCapacity: aws.Bool(true)})
			return cloud.Failed("put "+strings.Join(ids, ", ")+" of Auto Scaling group "+group+" on standby", err)
		}),
		revert: eachGroup(func(ctx context.Context, c aws.Config, group string, ids []string) error {
			_, err := newAutoScaling(c).ExitStandby(ctx, &autoscaling.ExitStandbyInput{AutoScalingGroupName: &group, InstanceIds: ids})
			return cloud.Failed("put "+strings.Join(ids, ", ")+" of Auto Scaling group "+group+" back into service", err)
		}),
		read: lookMembers(look{gone, "no longer in its group"}, standby),
	}
}

// standby is how a member is where standby is the fault.
func standby(m types.AutoScalingInstanceDetails) look {
	switch life := aws.ToString(m.LifecycleState); {
	case life == "InService":
		return look{normal, "in service"}
	case life == "EnteringStandby":
		return look{injecting, "entering standby"}
	case life == "Standby":
		return look{injected, "on standby"}
	case strings.HasPrefix(life, "Pending"):
		return look{changing, "on its way into service"}
	case strings.HasPrefix(life, "Terminat"), strings.HasPrefix(life, "Detach"):
		return look{gone, "leaving its group"}
	default:
		return look{foreign, strings.ToLower(life)}
	}
}

// mayShrink asks whether the groups may be smaller by so many, and notes which
// would move others to even out their zones.
func mayShrink(ctx context.Context, c aws.Config, _ target.NoParams, chosen []thing) (notes []string, err error) {
	all, err := describeGroups(ctx, c, groupsOf(chosen))
	problems := []error{err}
	for _, g := range all {
		name, out := aws.ToString(g.AutoScalingGroupName), 0
		left := map[string]int{}
		for _, zone := range g.AvailabilityZones {
			left[zone] = 0
		}
		for _, m := range g.Instances {
			if m.LifecycleState == types.LifecycleStateInService {
				left[aws.ToString(m.AvailabilityZone)]++
			}
		}
		for _, one := range chosen {
			if one.is[inGroup] == name {
				left[one.is[inZone]]--
				out++
			}
		}
		if least, wants := int(aws.ToInt32(g.MinSize)), int(aws.ToInt32(g.DesiredCapacity)); wants-out < least {
			problems = append(problems, mishap.WithHint(fmt.Errorf("group %s wants %s and at least %d, so that %d of them cannot be on standby", name, mishap.Plural(wants, "member"), least, out),
				"choose fewer, or lower its least size"))
		}
		if uneven(left) && len(suspendedOf(g, []string{"AZRebalance", "Launch", "Terminate"})) == 0 {
			notes = append(notes, fmt.Sprintf("group %s will have its zones uneven, and may start a member in one and end one in another: asg-suspend of AZRebalance keeps it from that", name))
		}
	}
	return notes, errors.Join(problems...)
}

// uneven reports whether one zone has at least two more than another.
func uneven(zones map[string]int) bool {
	counts := slices.Collect(maps.Values(zones))
	return len(counts) > 0 && slices.Max(counts)-slices.Min(counts) > 1
}
