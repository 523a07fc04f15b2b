package aws

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/internal/cloud"
)

// What faults in EC2 share.

const (
	ec2Settles = 15 * time.Second
	ec2PerCall = 200  // values that the filters of a call have at most
	ec2PerPage = 1000 // instances that a page has at most
	groupTag   = "aws:autoscaling:groupName"
)

const instanceID = `^i-[0-9a-f]{8,17}$`

func newEC2(c aws.Config) *ec2.Client { return ec2.NewFromConfig(c) }

// describe lists all pages of the instances that pass the filters. The SDK's own
// way takes the client as an interface, and so links all of its methods. By a
// filter instances that are no more are left out; by id they would be an error.
func describe(ctx context.Context, c aws.Config, filters ...types.Filter) ([]types.Instance, error) {
	return pages("instances", filters, func(some []types.Filter, token *string) (found []types.Instance, next *string, err error) {
		page, err := newEC2(c).DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: some, MaxResults: aws.Int32(ec2PerPage), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		for _, r := range page.Reservations {
			found = append(found, r.Instances...)
		}
		return found, page.NextToken, nil
	})
}

// describeIDs lists the instances with these ids, as far as there are any.
func describeIDs(ctx context.Context, c aws.Config, ids []string) ([]types.Instance, error) {
	return describe(ctx, c, filter("instance-id", ids...))
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// meantBy are the filters that all of EC2 has for what targets say.
func meantBy(t targets) (filters []types.Filter) {
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		filters = append(filters, filter("tag:"+key, t.Tags[key]))
	}
	if t.Stack != "" {
		filters = append(filters, filter("tag:"+stackTag, t.Stack))
	}
	if len(t.Names) > 0 {
		filters = append(filters, filter("tag:Name", t.Names...))
	}
	if t.VPC != "" {
		filters = append(filters, filter("vpc-id", t.VPC))
	}
	return filters
}

// inZones is the filter of what is in a zone.
func inZones(t targets) (filters []types.Filter) {
	if len(t.Zones) > 0 {
		filters = append(filters, filter("availability-zone", t.Zones...))
	}
	return filters
}

// findInstances lists the instances in one of these states that may be meant.
func findInstances(ctx context.Context, c aws.Config, t targets, states ...string) ([]types.Instance, error) {
	filters := append(append(meantBy(t), inZones(t)...), filter("instance-state-name", states...))
	if t.Group != "" {
		filters = append(filters, filter("tag:"+groupTag, t.Group))
	}
	if len(t.IDs) > 0 {
		filters = append(filters, filter("instance-id", t.IDs...))
	}
	return describe(ctx, c, filters...)
}

// instanceThing is an instance as targets see it.
func instanceThing(i types.Instance, now look) thing {
	one := thing{id: aws.ToString(i.InstanceId), tags: ec2Tags(i.Tags), now: now, is: map[string]string{
		inVPC: aws.ToString(i.VpcId), "subnet": aws.ToString(i.SubnetId), "instance-type": string(i.InstanceType), "image": aws.ToString(i.ImageId),
	}}
	if i.Placement != nil {
		one.is[inZone] = aws.ToString(i.Placement.AvailabilityZone)
	}
	one.name, one.is[inGroup] = one.tags["Name"], one.tags[groupTag]
	return one
}

// instanceState is how an instance is, as EC2 calls it.
func instanceState(i types.Instance) types.InstanceStateName {
	if i.State == nil {
		return types.InstanceStateNameTerminated
	}
	return i.State.Name
}

func ec2Tags(list []types.Tag) map[string]string {
	tags := map[string]string{}
	for _, t := range list {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}

// askProtected says which are protected against what is to be done to them; may is
// what else was not asked of the others.
func askProtected(ctx context.Context, c aws.Config, chosen []thing, attribute types.InstanceAttributeName, may, against, protection string) ([]string, error) {
	return asking("whether they may be "+may+", and are protected", chosen, func(i thing) error {
		is, err := newEC2(c).DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: aws.String(i.id), Attribute: attribute})
		if err != nil {
			return cloud.Failed("ask whether instance "+i.id+" is protected", err)
		}
		for _, value := range []*types.AttributeBooleanValue{is.DisableApiStop, is.DisableApiTermination} {
			if value != nil && aws.ToBool(value.Value) {
				return mishap.WithHint(fmt.Errorf("instance %s is protected against %s", i.id, against), "choose another, or turn its "+protection+" protection off")
			}
		}
		return nil
	})
}

// statusChecks are how the status checks of running instances are, and the time by
// AWS's clock. They are asked for by id, so that those must be there.
func statusChecks(ctx context.Context, c aws.Config, all []types.Instance) (checks map[string]types.SummaryStatus, now time.Time, err error) {
	checks = map[string]types.SummaryStatus{}
	var running []string
	for _, i := range all {
		if instanceState(i) == types.InstanceStateNameRunning {
			running = append(running, aws.ToString(i.InstanceId))
		}
	}
	for some := range slices.Chunk(running, 100) {
		out, err := newEC2(c).DescribeInstanceStatus(ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: some})
		if err != nil {
			return nil, now, cloud.Failed("ask for the status checks of instances", err)
		}
		now, _ = awsmiddleware.GetServerTime(out.ResultMetadata)
		for _, s := range out.InstanceStatuses {
			if s.InstanceStatus != nil {
				checks[aws.ToString(s.InstanceId)] = s.InstanceStatus.Status
			}
		}
	}
	return checks, now, nil
}

// wouldWork reads the answer to a dry run.
func wouldWork(permission string, err error) error {
	const yes = "DryRunOperation"
	if err == nil {
		return fmt.Errorf("dry run of %s: it was answered as if it were none", permission)
	}
	return cloud.Failed("dry run of "+permission, err, yes)
}

// someIDs are those that a dry run is about: each costs as much as in earnest.
func someIDs(chosen []thing) []string { return thingIDs(chosen[:min(len(chosen), most)]) }

func thingIDs(all []thing) (ids []string) {
	for _, one := range all {
		ids = append(ids, one.id)
	}
	return ids
}
