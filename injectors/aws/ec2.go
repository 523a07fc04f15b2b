package aws

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap/internal/cloud"
)

// What faults in EC2 share.

const (
	ec2Settles = 15 * time.Second
	ec2PerCall = 200  // values that the filters of a call have at most
	ec2PerPage = 1000 // instances that a page has at most
	groupTag   = "aws:autoscaling:groupName"
)

var instanceID = regexp.MustCompile(`^i-[0-9a-f]{8,17}$`)

func newEC2(c aws.Config) *ec2.Client { return ec2.NewFromConfig(c) }

// describe lists all pages of the instances that pass the filters. The SDK's own
// way takes the client as an interface, and so links all of its methods. By a
// filter instances that are no more are left out; by id they would be an error.
func describe(ctx context.Context, c aws.Config, filters ...types.Filter) (all []types.Instance, err error) {
	input := &ec2.DescribeInstancesInput{Filters: filters, MaxResults: aws.Int32(ec2PerPage)}
	for {
		page, err := newEC2(c).DescribeInstances(ctx, input)
		if err != nil {
			return nil, cloud.Failed("describe instances", err)
		}
		for _, r := range page.Reservations {
			all = append(all, r.Instances...)
		}
		if input.NextToken = page.NextToken; aws.ToString(page.NextToken) == "" {
			return all, nil
		}
	}
}

// describeIDs lists the instances with these ids, as far as there are any.
func describeIDs(ctx context.Context, c aws.Config, ids []string, filters ...types.Filter) (all []types.Instance, err error) {
	most := ec2PerCall
	for _, f := range filters {
		most -= len(f.Values)
	}
	for some := range slices.Chunk(ids, max(most, 1)) {
		found, err := describe(ctx, c, append(slices.Clone(filters), filter("instance-id", some...))...)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// findInstances lists the instances in one of these states that may be meant.
func findInstances(ctx context.Context, c aws.Config, t targets, states ...string) ([]types.Instance, error) {
	filters := []types.Filter{filter("instance-state-name", states...)}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		filters = append(filters, filter("tag:"+key, t.Tags[key]))
	}
	for tag, value := range map[string]string{groupTag: t.Group, stackTag: t.Stack} {
		if value != "" {
			filters = append(filters, filter("tag:"+tag, value))
		}
	}
	if len(t.Names) > 0 {
		filters = append(filters, filter("tag:Name", t.Names...))
	}
	if t.VPC != "" {
		filters = append(filters, filter("vpc-id", t.VPC))
	}
	if len(t.Zones) > 0 {
		filters = append(filters, filter("availability-zone", t.Zones...))
	}
	if len(t.IDs) > 0 {
		return describeIDs(ctx, c, t.IDs, filters...)
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

// wouldWork reads the answer to a dry run.
func wouldWork(permission string, err error) error {
	const yes = "DryRunOperation"
	if err == nil {
		return fmt.Errorf("dry run of %s: it was answered as if it were none", permission)
	}
	return cloud.Failed("dry run of "+permission, err, yes)
}

func thingIDs(all []thing) (ids []string) {
	for _, one := range all {
		ids = append(ids, one.id)
	}
	return ids
}
