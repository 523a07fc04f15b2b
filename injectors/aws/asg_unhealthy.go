package aws

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

func asgUnhealthy() fault[target.NoParams] {
	return fault[target.NoParams]{
		about: about{
			name:    "asg-unhealthy",
			symptom: mishap.SymptomGone,
			summary: "marks members of Auto Scaling groups as unhealthy, so that their groups replace them",
			doc: "Only members that are in service and healthy are taken. The group terminates the instance and starts another: nothing brings back the instance itself, with its instance store. " +
				"The run goes on until the group has let go of it. A group that does not replace who is unhealthy, since a process is suspended, is refused.",
			example:  "injector: asg-unhealthy\ntargets: {group: payments, pick: 1, seed: 42}\nfor: 10m",
			whenLost: "nothing: the group replaces the instances by itself",
			class:    mishap.SelfRecovering, settles: time.Minute, revertTakes: 30 * time.Minute,
			do:   []allow{reading("ec2:DescribeInstances", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeAutoScalingGroups"), {actions: []string{"autoscaling:SetInstanceHealth"}, on: anyGroup}},
			undo: []allow{reading("autoscaling:DescribeAutoScalingInstances")},
			noun: "instance", kind: instanceKind, arn: "arn:{partition}:ec2:{region}:{account}:instance/{id}",
			attribute: "health", normal: inService, injecting: "unhealthy", id: like(instanceID), idLike: "i-0123456789abcdef0",
		},
		find: func(ctx context.Context, c aws.Config, t targets, _ target.NoParams) ([]thing, error) {
			return findMembers(ctx, c, t, health)
		},
		check: replaces,
		inject: each(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) error {
			_, err := newAutoScaling(c).SetInstanceHealth(ctx, &autoscaling.SetInstanceHealthInput{
				InstanceId: aws.String(on.id), HealthStatus: aws.String("Unhealthy"), ShouldRespectGracePeriod: aws.Bool(false)})
			return cloud.Failed("mark instance "+on.id+" as unhealthy", err)
		}),
		read: lookMembers(look{ended, "replaced"}, health),
	}
}

// health is how a member is where being unhealthy is the fault.
func health(m types.AutoScalingInstanceDetails) look {
	life := aws.ToString(m.LifecycleState)
	switch {
	case strings.HasPrefix(life, "Terminat"):
		return look{ended, "being replaced"}
	case !strings.EqualFold(aws.ToString(m.HealthStatus), "Healthy"):
		return look{injected, "unhealthy"}
	case life == "InService":
		return look{normal, inService}
	}
	return look{foreign, strings.ToLower(life)}
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
