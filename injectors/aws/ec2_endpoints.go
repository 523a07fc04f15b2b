package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

// endpointBefore is what undo has of an endpoint.
type endpointBefore struct {
	VPC    string   `json:"vpc"`
	Groups []string `json:"groups"`
}

// cut is an endpoint as it was and is, and the groups that were made for its
// injection.
type cut struct {
	vpc            string
	before, groups []string
	state          types.State // none: there is no such endpoint
	ours           madeGroups
}

func endpointThing(e types.VpcEndpoint) thing {
	service := aws.ToString(e.ServiceName)
	one := thing{id: aws.ToString(e.VpcEndpointId), owner: aws.ToString(e.OwnerId), tags: ec2Tags(e.Tags), now: look{normal, "available"},
		is:     map[string]string{inVPC: aws.ToString(e.VpcId), "service": service, "type": string(e.VpcEndpointType)},
		before: endpointBefore{aws.ToString(e.VpcId), endpointGroups(e)}}
	one.name = one.tags["Name"]
	switch {
	case e.VpcEndpointType != types.VpcEndpointTypeInterface:
		one.unfit = mishap.WithHint(fmt.Errorf("endpoint %s is a %s endpoint, which has no security group", one.id, e.VpcEndpointType),
			"choose those with filters: {type: [Interface]}; S3 and DynamoDB are cut by s3-deny and dynamodb-deny")
	case aws.ToBool(e.RequesterManaged):
		one.unfit = mishap.WithHint(fmt.Errorf("endpoint %s is managed by an AWS service", one.id), "choose another")
	case slices.Contains([]string{"ec2", "sts", "ssm"}, service[strings.LastIndexByte(service, '.')+1:]):
		one.notes = []string{fmt.Sprintf("mishap itself calls %s: if it goes through %s, it cannot undo this", service, one.id)}
	}
	return one
}

func endpointGroups(e types.VpcEndpoint) (ids []string) {
	for _, g := range e.Groups {
		ids = append(ids, aws.ToString(g.GroupId))
	}
	return ids
}

// cuts asks for the endpoints, and for what was made for them.
func cuts(ctx context.Context, c aws.Config, on ...recorded[target.NoParams]) (map[string]cut, error) {
	all, err := describeEndpoints(ctx, c, filter("vpc-endpoint-id", ids(on)...))
	made, unmade := groupsMade(ctx, c, injections(on))
	err = errors.Join(err, unmade)
	now := map[string]cut{}
	for _, one := range on {
		was, unread := before[endpointBefore](one)
		s := cut{vpc: was.VPC, before: was.Groups, ours: made.of(one.injection)}
		for _, e := range all {
			if aws.ToString(e.VpcEndpointId) == one.id && e.State != types.StateDeleted && e.State != types.StateDeleting {
				s.groups, s.state = endpointGroups(e), e.State
			}
		}
		now[one.id], err = s, errors.Join(err, unread)
	}
	return now, err
}

func (s cut) look() look {
	same := slices.Equal(slices.Sorted(slices.Values(s.groups)), slices.Sorted(slices.Values(s.before)))
	switch {
	case len(s.groups) == 1 && s.ours.has(s.groups[0]) && !s.ours.edited():
		return look{injected, "cut off by security group " + s.groups[0]}
	case len(s.ours) > 0:
		return look{half, "not cut off by security group " + aws.ToString(s.ours[0].GroupId) + " alone, which is still there"}
	case s.state == "":
		return look{gone, "deleted"}
	case !same:
		return look{foreign, otherGroups(s.before, s.groups)}
	case !strings.EqualFold(string(s.state), string(types.StateAvailable)):
		return look{changing, string(s.state)}
	}
	return look{normal, "available"}
}

// release gives an endpoint that has our group those back that it had, and leaves it
// what others gave it.
func (s cut) release(ctx context.Context, c aws.Config, id string) error {
	theirs := slices.DeleteFunc(slices.Clone(s.groups), s.ours.has)
	if ours := without(s.groups, theirs); len(ours) > 0 {
		err := giveBack("endpoint "+id, slices.Concat(theirs, without(s.before, theirs)), func(some []string) error {
			return modifyEndpoint(ctx, c, id, without(some, s.groups), ours)
		}, groupsThere(ctx, c))
		if err != nil {
			return err
		}
	}
	return s.ours.delete(ctx, c)
}

// modifyEndpoint puts an endpoint into some security groups, and out of others.
func modifyEndpoint(ctx context.Context, c aws.Config, id string, into, out []string) error {
	out = slices.DeleteFunc(slices.Clone(out), func(g string) bool { return slices.Contains(into, g) })
	_, err := newEC2(c).ModifyVpcEndpoint(ctx, &ec2.ModifyVpcEndpointInput{VpcEndpointId: aws.String(id), AddSecurityGroupIds: into, RemoveSecurityGroupIds: out})
	return cloud.Failed("give endpoint "+id+" other security groups", err)
}

func describeEndpoints(ctx context.Context, c aws.Config, filters ...types.Filter) ([]types.VpcEndpoint, error) {
	return pages("VPC endpoints", filters, func(some []types.Filter, token *string) ([]types.VpcEndpoint, *string, error) {
		out, err := newEC2(c).DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{Filters: some, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.VpcEndpoints, out.NextToken, nil
	})
}
