package aws

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap/internal/cloud"
	"mishap/internal/target"
)

// What faults in the network of EC2 share.

// injectionTag is on what a fault creates, with the injection's id: by it that is
// found again, whatever was cut off.
const injectionTag = "mishap-injection"

// marked is the tags of something that is created for an injection.
func marked(kind types.ResourceType, injection string) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: kind, Tags: []types.Tag{
		{Key: aws.String(injectionTag), Value: aws.String(injection)}, {Key: aws.String("Name"), Value: aws.String("mishap " + injection)},
	}}}
}

// injections are the ids of injections, by which what was created is found.
func injections[With any](on []recorded[With]) (all []string) {
	for _, one := range on {
		all = append(all, one.injection)
	}
	return all
}

// creating allows to create something that bears an injection's id, in something.
func creating(action, kind string, in ...string) []allow {
	on := "arn:{partition}:ec2:{region}:{account}:" + kind + "/*"
	return append(actingOn(action, in...),
		allow{actions: []string{action}, on: on, when: map[string]map[string][]string{"StringLike": {"aws:RequestTag/" + injectionTag: {"*"}}}},
		allow{actions: []string{"ec2:CreateTags"}, on: on, when: map[string]map[string][]string{"StringEquals": {"ec2:CreateAction": {action[len("ec2:"):]}}}})
}

// actingOn allows what acts on things of some kinds, other than the targets.
func actingOn(action string, kinds ...string) (all []allow) {
	for _, kind := range kinds {
		all = append(all, allow{actions: []string{action}, on: "arn:{partition}:ec2:{region}:{account}:" + kind + "/*"})
	}
	return all
}

// changingMarked allows to change what bears an injection's id.
func changingMarked(action, kind string) allow {
	return allow{actions: []string{action}, on: "arn:{partition}:ec2:{region}:{account}:" + kind + "/*",
		when: map[string]map[string][]string{"StringLike": {"aws:ResourceTag/" + injectionTag: {"*"}}}}
}

// pages lists all pages of a call that describes what passes the filters, as many
// calls as take that many values.
func pages[T any](what string, filters []types.Filter, page func(some []types.Filter, token *string) ([]T, *string, error)) (all []T, err error) {
	for _, some := range perCall(filters) {
		for token, first := (*string)(nil), true; first || aws.ToString(token) != ""; first = false {
			var found []T
			if found, token, err = page(some, token); err != nil {
				return nil, cloud.Failed("describe "+what, err)
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// perCall splits filters into those of as many calls as it takes so that none has
// more values than EC2 lets one have. What passes any of them passes all together.
func perCall(filters []types.Filter) (calls [][]types.Filter) {
	values, longest := 0, 0
	for n, f := range filters {
		if len(f.Values) == 0 {
			return nil // nothing is one of none
		}
		if values += len(f.Values); len(f.Values) > len(filters[longest].Values) {
			longest = n
		}
	}
	if values <= ec2PerCall || len(filters) >= ec2PerCall {
		return [][]types.Filter{filters}
	}
	split := filters[longest].Values
	room := ec2PerCall - (values - len(split))
	if room < ec2PerCall/2 { // others are long as well
		room = (len(split) + 1) / 2
	}
	for some := range slices.Chunk(split, room) {
		one := slices.Clone(filters)
		one[longest].Values = some
		calls = append(calls, perCall(one)...)
	}
	return calls
}

func describeSubnets(ctx context.Context, c aws.Config, filters ...types.Filter) ([]types.Subnet, error) {
	return pages("subnets", filters, func(some []types.Filter, token *string) ([]types.Subnet, *string, error) {
		out, err := newEC2(c).DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: some, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.Subnets, out.NextToken, nil
	})
}

func describeACLs(ctx context.Context, c aws.Config, filters ...types.Filter) ([]types.NetworkAcl, error) {
	return pages("network ACLs", filters, func(some []types.Filter, token *string) ([]types.NetworkAcl, *string, error) {
		out, err := newEC2(c).DescribeNetworkAcls(ctx, &ec2.DescribeNetworkAclsInput{Filters: some, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.NetworkAcls, out.NextToken, nil
	})
}

// findSubnets lists the subnets that may be meant; before is the ACL of each.
func findSubnets(ctx context.Context, c aws.Config, t targets, _ target.NoParams) (found []thing, err error) {
	filters := append(append(meantBy(t), inZones(t)...), filter("state", "available"))
	if len(t.IDs) > 0 {
		filters = append(filters, filter("subnet-id", t.IDs...))
	}
	subnets, err := describeSubnets(ctx, c, filters...)
	if err != nil {
		return nil, err
	}
	acls, err := describeACLs(ctx, c)
	for _, s := range subnets {
		one := thing{id: aws.ToString(s.SubnetId), owner: aws.ToString(s.OwnerId), tags: ec2Tags(s.Tags), now: look{normal, "available"},
			is: map[string]string{inVPC: aws.ToString(s.VpcId), inZone: aws.ToString(s.AvailabilityZone)}}
		acl, _ := associated(acls, one.id)
		one.name, one.before = one.tags["Name"], aws.ToString(acl.NetworkAclId)
		found = append(found, one)
	}
	return found, err
}

// associated is the ACL that a subnet has, and what ties the two.
func associated(acls []types.NetworkAcl, subnet string) (of types.NetworkAcl, association *string) {
	for _, acl := range acls {
		for _, a := range acl.Associations {
			if aws.ToString(a.SubnetId) == subnet {
				return acl, a.NetworkAclAssociationId
			}
		}
	}
	return of, nil
}

func describeTables(ctx context.Context, c aws.Config, filters ...types.Filter) ([]types.RouteTable, error) {
	return pages("route tables", filters, func(some []types.Filter, token *string) ([]types.RouteTable, *string, error) {
		out, err := newEC2(c).DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: some, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.RouteTables, out.NextToken, nil
	})
}
