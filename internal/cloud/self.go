package cloud

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
)

// Roles are the roles that calls have been made as, as far as they are known, by
// their ARNs without a path.
func (c *Cloud) Roles() (roles []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.places {
		if role := roleOf(p.Caller); role != "" && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles
}

// roleOf is the role of a session: arn:aws:sts::123456789012:assumed-role/mishap/i-1
// is one of arn:aws:iam::123456789012:role/mishap.
func roleOf(caller string) string {
	a, err := arn.Parse(caller)
	parts := strings.Split(a.Resource, "/")
	if err != nil || len(parts) != 3 || parts[0] != "assumed-role" {
		return ""
	}
	a.Service, a.Resource = "iam", "role/"+parts[1]
	return a.String()
}

// Instance asks the machine where the instance is that it is.
func (c *Cloud) Instance(ctx context.Context) (account, region string, err error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	is, err := imds.New(imds.Options{}).GetInstanceIdentityDocument(ctx, nil)
	if err != nil {
		return "", "", mishap.WithHint(fmt.Errorf("ask this machine which instance it is: %s", said(err)), "let it reach 169.254.169.254")
	}
	return is.AccountID, is.Region, nil
}

// StandsOn is what an instance needs to reach AWS and to stay what it is, as what it
// needs each, by ARN. It is asked once; errors are not remembered.
func (c *Cloud) StandsOn(ctx context.Context, p Place, instance string) (map[string]string, error) {
	c.mu.Lock()
	known := c.stands[instance]
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	s := standing{client: ec2.NewFromConfig(p.Config), at: p.At, things: map[string]string{}}
	if err := s.look(ctx, instance); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stands == nil {
		c.stands = map[string]map[string]string{}
	}
	c.stands[instance] = s.things
	return s.things, nil
}

// standing is what has been found of what an instance stands on.
type standing struct {
	client *ec2.Client
	at     At
	things map[string]string
}

func (s *standing) look(ctx context.Context, instance string) error {
	found, err := s.client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []types.Filter{filtered("instance-id", instance)}})
	if err != nil {
		return Failed("describe the instance that mishap runs on", err)
	}
	for _, r := range found.Reservations {
		for _, i := range r.Instances {
			s.instance(i)
			if err := s.network(ctx, aws.ToString(i.SubnetId), aws.ToString(i.VpcId)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *standing) instance(i types.Instance) {
	s.needs("ec2", "subnet/"+aws.ToString(i.SubnetId), "the subnet that mishap runs in")
	for _, nic := range i.NetworkInterfaces {
		s.needs("ec2", "network-interface/"+aws.ToString(nic.NetworkInterfaceId), "a network interface of the machine that mishap runs on")
	}
	for _, g := range i.SecurityGroups {
		s.needs("ec2", "security-group/"+aws.ToString(g.GroupId), "a security group of the machine that mishap runs on")
	}
	for _, t := range i.Tags {
		if aws.ToString(t.Key) == "aws:autoscaling:groupName" {
			s.needs("autoscaling", "autoScalingGroup::autoScalingGroupName/"+aws.ToString(t.Value), "the Auto Scaling group that mishap runs in")
		}
	}
}

// network is by what the subnet reaches anything.
func (s *standing) network(ctx context.Context, subnet, vpc string) error {
	acls, err := s.client.DescribeNetworkAcls(ctx, &ec2.DescribeNetworkAclsInput{Filters: []types.Filter{filtered("association.subnet-id", subnet)}})
	if err != nil {
		return Failed("describe the network ACL of mishap's subnet", err)
	}
	for _, acl := range acls.NetworkAcls {
		s.needs("ec2", "network-acl/"+aws.ToString(acl.NetworkAclId), "the network ACL of mishap's subnet")
	}
	tables, err := s.client.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []types.Filter{filtered("association.subnet-id", subnet)}})
	if err == nil && len(tables.RouteTables) == 0 {
		tables, err = s.client.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []types.Filter{filtered("vpc-id", vpc), filtered("association.main", "true")}})
	}
	if err != nil {
		return Failed("describe the route table of mishap's subnet", err)
	}
	for _, table := range tables.RouteTables {
		s.needs("ec2", "route-table/"+aws.ToString(table.RouteTableId), "the route table of mishap's subnet")
	}
	ends, err := s.client.DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{Filters: []types.Filter{filtered("vpc-id", vpc)}})
	if err != nil {
		return Failed("describe the endpoints of mishap's VPC", err)
	}
	for _, end := range ends.VpcEndpoints {
		s.needs("ec2", "vpc-endpoint/"+aws.ToString(end.VpcEndpointId), "an endpoint of the VPC that mishap runs in")
	}
	return nil
}

func (s *standing) needs(service, resource, why string) {
	s.things[arn.ARN{Partition: "aws", Service: service, Region: s.at.Region, AccountID: s.at.Account, Resource: resource}.String()] = why
}

func filtered(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}
