package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"mishap"
	"mishap/internal/cloud"
)

const (
	inService    = "in service and healthy"
	instanceKind = "ec2-instance"
	groupsRead   = "autoscaling:DescribeAutoScalingGroups"
	hooksRead    = "autoscaling:DescribeLifecycleHooks"
)

// memberLooks are how members of groups are, where being unhealthy is the fault.
// Whom a group has let go of is none any more.
func memberLooks(ctx context.Context, c aws.Config, ids []string) (map[string]look, error) {
	looks := map[string]look{}
	for some := range slices.Chunk(ids, asgPerCall) {
		page, err := newAutoScaling(c).DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: some})
		if err != nil {
			return nil, cloud.Failed("look at members of Auto Scaling groups", err)
		}
		for _, m := range page.AutoScalingInstances {
			life := aws.ToString(m.LifecycleState)
			now := look{foreign, strings.ToLower(life)}
			switch {
			case strings.HasPrefix(life, "Terminat"):
				now = look{ended, "being replaced"}
			case !strings.EqualFold(aws.ToString(m.HealthStatus), "Healthy"):
				now = look{injected, "unhealthy"}
			case life == "InService":
				now = look{normal, inService}
			}
			looks[aws.ToString(m.InstanceId)] = now
		}
	}
	return looks, nil
}

// groupsOf are the names of the groups that the things are in, once each.
func groupsOf(all []thing) (names []string) {
	for _, one := range all {
		if name := one.is[inGroup]; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// remaining says what the groups keep of whose members the instances are. What it
// may not ask it says too: nothing hangs on it.
func remaining(ctx context.Context, c aws.Config, instances []thing) (notes []string) {
	names := groupsOf(instances)
	if len(names) == 0 {
		return nil
	}
	taken := thingIDs(instances)
	groups, err := describeGroups(ctx, c, names)
	if err != nil {
		return []string{fmt.Sprintf("it was not asked what remains of Auto Scaling group %s: %v", strings.Join(names, ", "), err)}
	}
	for _, g := range groups {
		name, healthy, left := aws.ToString(g.AutoScalingGroupName), 0, 0
		for _, m := range g.Instances {
			if m.LifecycleState == types.LifecycleStateInService && aws.ToString(m.HealthStatus) == "Healthy" {
				if healthy++; !slices.Contains(taken, aws.ToString(m.InstanceId)) {
					left++
				}
			}
		}
		notes = append(notes, fmt.Sprintf("Auto Scaling group %s keeps %d of %d members that are %s; its least size is %d", name, left, healthy, inService, aws.ToInt32(g.MinSize)))
	}
	some := names[:min(len(names), most)]
	said := make([]string, len(some))
	concurrently(len(some), func(n int) { said[n] = hooked(ctx, c, some[n]) })
	return append(notes, slices.DeleteFunc(said, func(note string) bool { return note == "" })...)
}

// hooked says of a group what holds up the end of a member that it replaces.
func hooked(ctx context.Context, c aws.Config, group string) string {
	out, err := newAutoScaling(c).DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String(group)})
	if err != nil {
		return fmt.Sprintf("it was not asked whether Auto Scaling group %s has lifecycle hooks: %v", group, cloud.Failed("describe its lifecycle hooks", err))
	}
	for _, h := range out.LifecycleHooks {
		if aws.ToString(h.LifecycleTransition) == "autoscaling:EC2_INSTANCE_TERMINATING" {
			return fmt.Sprintf("if Auto Scaling group %s replaces a member, that waits for its lifecycle hook %s, up to %s", group, aws.ToString(h.LifecycleHookName),
				mishap.Duration(time.Duration(aws.ToInt32(h.HeartbeatTimeout))*time.Second))
		}
	}
	return ""
}
