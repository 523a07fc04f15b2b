package aws

import (
	"context"
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

// What faults in members of Auto Scaling groups share.

const (
	inService    = "in service and healthy"
	instanceKind = "ec2-instance"
	groupsRead   = "autoscaling:DescribeAutoScalingGroups"
	hooksRead    = "autoscaling:DescribeLifecycleHooks"

	anyGroup   = "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*"
	mostMoving = 20 // members that one call moves at most
)

// seen is how a member is, to a fault.
type seen func(m types.AutoScalingInstanceDetails) look

// findMembers lists the instances that may be meant, as a fault sees members.
func findMembers(ctx context.Context, c aws.Config, t targets, see seen) (found []thing, err error) {
	all, err := findInstances(ctx, c, t, "running")
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		found = append(found, instanceThing(i, look{foreign, "in no group"}))
	}
	members, err := memberLooks(ctx, c, thingIDs(found), see)
	for n := range found {
		if now, is := members[found[n].id]; is {
			found[n].now = now
		}
	}
	return found, err
}

// lookMembers looks at members as a fault sees them. Whom a group has let go of is
// none any more.
func lookMembers(missing look, see seen) func(context.Context, aws.Config, []recorded[target.NoParams]) []mishap.Reply[look] {
	return lookTogether(missing, func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) (map[string]look, error) {
		return memberLooks(ctx, c, ids(on), see)
	})
}

func memberLooks(ctx context.Context, c aws.Config, ids []string, see seen) (map[string]look, error) {
	looks := map[string]look{}
	for some := range slices.Chunk(ids, asgPerCall) {
		page, err := newAutoScaling(c).DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: some})
		if err != nil {
			return nil, cloud.Failed("look at members of Auto Scaling groups", err)
		}
		for _, m := range page.AutoScalingInstances {
			looks[aws.ToString(m.InstanceId)] = see(m)
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
		notes = append(notes, fmt.Sprintf("Auto Scaling group %s keeps %d of %s that are %s; its least size is %d", name, left, mishap.Plural(healthy, "member"), inService, aws.ToInt32(g.MinSize)))
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

// eachGroup makes calls for the members of each group, which is what they were
// recorded with: so many in a call as one takes, or fewer where it is refused.
func eachGroup(call func(ctx context.Context, c aws.Config, group string, ids []string) error) func(context.Context, aws.Config, []recorded[target.NoParams]) []error {
	return func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) []error {
		errs, in := make([]error, len(on)), map[string][]int{}
		for n, one := range on {
			var group string
			group, errs[n] = before[string](one)
			in[group] = append(in[group], n)
		}
		delete(in, "") // which could not be read
		for _, group := range slices.Sorted(maps.Keys(in)) {
			for some := range slices.Chunk(in[group], mostMoving) {
				of := func(some []int) error {
					var members []string
					for _, n := range some {
						members = append(members, on[n].id)
					}
					return call(ctx, c, group, members)
				}
				for k, err := range halved(some, of) {
					errs[some[k]] = err
				}
			}
		}
		return errs
	}
}
