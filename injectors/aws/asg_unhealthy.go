package aws

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

func asgUnhealthy() fault[target.NoParams] {
	return fault[target.NoParams]{
		about: about{
			name:    "asg-unhealthy",
			summary: "marks members of Auto Scaling groups as unhealthy, so that their groups replace them",
			doc: "Only members that are in service and healthy are taken. The group terminates the instance and starts another: nothing puts back the instance itself, with its instance store. " +
				"The run goes on until the group has let go of it. A group that does not replace who is unhealthy, since a process is suspended, is refused.",
			example:  "injector: asg-unhealthy\ntargets: {group: payments, pick: 1, seed: 42}\nfor: 10m",
			whenLost: "nothing: the group replaces the instances by itself",
			class:    mishap.SelfRecovering, settles: time.Minute, revertTakes: 30 * time.Minute,
			do:   []allow{reading("ec2:DescribeInstances", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeAutoScalingGroups"), {actions: []string{"autoscaling:SetInstanceHealth"}, on: "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*"}},
			undo: []allow{reading("autoscaling:DescribeAutoScalingInstances")},
			noun: "instance", kind: instanceKind, arn: "arn:{partition}:ec2:{region}:{account}:instance/{id}",
			attribute: "health", normal: inService, injecting: "unhealthy", id: instanceID, idLike: "i-0123456789abcdef0",
		},
		find: func(ctx context.Context, c aws.Config, t targets, _ target.NoParams) (found []thing, err error) {
			all, err := findInstances(ctx, c, t, "running")
			if err != nil {
				return nil, err
			}
			for _, i := range all {
				found = append(found, instanceThing(i, look{foreign, "in no group"}))
			}
			members, err := memberLooks(ctx, c, thingIDs(found))
			for n := range found {
				if now, is := members[found[n].id]; is {
					found[n].now = now
				}
			}
			return found, err
		},
		check: replaces,
		inject: each(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) error {
			_, err := newAutoScaling(c).SetInstanceHealth(ctx, &autoscaling.SetInstanceHealthInput{
				InstanceId: aws.String(on.id), HealthStatus: aws.String("Unhealthy"), ShouldRespectGracePeriod: aws.Bool(false)})
			return cloud.Failed("mark instance "+on.id+" as unhealthy", err)
		}),
		read: lookTogether(look{ended, "replaced"}, func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) (map[string]look, error) {
			return memberLooks(ctx, c, ids(on))
		}),
	}
}

// replaces asks whether the groups would replace an unhealthy member.
func replaces(ctx context.Context, c aws.Config, _ target.NoParams, chosen []thing) ([]string, error) {
	all, err := describeGroups(ctx, c, groupsOf(chosen))
	for _, g := range all {
		if off := suspendedOf(g, []string{"ReplaceUnhealthy", "Terminate", "Launch"}); len(off) > 0 {
			name := aws.ToString(g.AutoScalingGroupName)
			return nil, mishap.WithHint(fmt.Errorf("group %s has %s suspended, and would not replace its members", name, off[0]), "resume it, or choose another group")
		}
	}
	return nil, err
}
