package awsfake_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap/internal/awsfake"
)

func TestAnInterfaceGetsOtherSecurityGroupsAndItsOwnBack(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0]
		before := c.Snapshot()
		found, err := client.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{{Name: aws.String("attachment.instance-id"), Values: []string{id}}}})
		if err != nil {
			t.Fatal(err)
		}
		nic := found.NetworkInterfaces[0]
		group, err := client.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: aws.String("none"), Description: aws.String("d"), VpcId: nic.VpcId,
			TagSpecifications: []types.TagSpecification{{ResourceType: "security-group", Tags: []types.Tag{{Key: aws.String("mishap"), Value: aws.String("run.1")}}}}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.RevokeSecurityGroupEgress(t.Context(), &ec2.RevokeSecurityGroupEgressInput{GroupId: group.GroupId, IpPermissions: []types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}})
		if err != nil {
			t.Fatal(err)
		}
		set := func(ids ...string) {
			t.Helper()
			if _, err := client.ModifyNetworkInterfaceAttribute(t.Context(), &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: nic.NetworkInterfaceId, Groups: ids}); err != nil {
				t.Fatal(err)
			}
		}
		set(*group.GroupId)
		read, err := client.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
		if err != nil {
			t.Fatal(err)
		}
		i := read.Reservations[0].Instances[0]
		wants(t, "groups of the interface", *i.NetworkInterfaces[0].Groups[0].GroupId, *group.GroupId)
		wants(t, "groups of the instance", len(i.SecurityGroups), 1)
		found, err = client.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{*nic.NetworkInterfaceId}})
		if err != nil || *found.NetworkInterfaces[0].Groups[0].GroupId != *group.GroupId {
			t.Errorf("%+v, %v", found, err)
		}
		groups, err := client.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{{Name: aws.String("tag:mishap"), Values: []string{"run.1"}}}})
		if err != nil || len(groups.SecurityGroups) != 1 || len(groups.SecurityGroups[0].IpPermissionsEgress) != 0 {
			t.Errorf("%+v, %v", groups, err)
		}
		_, err = client.DeleteSecurityGroup(t.Context(), &ec2.DeleteSecurityGroupInput{GroupId: group.GroupId})
		refused(t, "DependencyViolation", err)
		set(*nic.Groups[0].GroupId)
		if _, err = client.DeleteSecurityGroup(t.Context(), &ec2.DeleteSecurityGroupInput{GroupId: group.GroupId}); err != nil {
			t.Error(err)
		}
		unchanged(t, c, before)
	})
}

func TestASubnetGetsAnotherACLAndItsOwnBack(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, before := ec2.NewFromConfig(admin(c, one)), c.Snapshot()
		subnet := c.All(one, awsfake.Subnet)[0].Str("subnetId")
		read := func() types.NetworkAcl {
			t.Helper()
			out, err := client.DescribeNetworkAcls(t.Context(), &ec2.DescribeNetworkAclsInput{Filters: []types.Filter{{Name: aws.String("association.subnet-id"), Values: []string{subnet}}}})
			if err != nil || len(out.NetworkAcls) != 1 {
				t.Fatalf("%+v, %v", out, err)
			}
			return out.NetworkAcls[0]
		}
		association := func(acl types.NetworkAcl) *string {
			for _, a := range acl.Associations {
				if *a.SubnetId == subnet {
					return a.NetworkAclAssociationId
				}
			}
			return nil
		}
		own := read()
		wants(t, "entries", len(own.Entries), 4)
		made, err := client.CreateNetworkAcl(t.Context(), &ec2.CreateNetworkAclInput{VpcId: own.VpcId})
		if err != nil || len(made.NetworkAcl.Entries) != 2 || made.NetworkAcl.Entries[0].RuleAction != "deny" {
			t.Fatalf("%+v, %v", made, err)
		}
		entry := &ec2.CreateNetworkAclEntryInput{NetworkAclId: made.NetworkAcl.NetworkAclId, RuleNumber: aws.Int32(10), Protocol: aws.String("-1"), RuleAction: "allow", Egress: aws.Bool(true), CidrBlock: aws.String("10.0.0.0/16")}
		if _, err := client.CreateNetworkAclEntry(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
		_, err = client.CreateNetworkAclEntry(t.Context(), entry)
		refused(t, "NetworkAclEntryAlreadyExists", err)
		first := association(own)
		moved, err := client.ReplaceNetworkAclAssociation(t.Context(), &ec2.ReplaceNetworkAclAssociationInput{AssociationId: first, NetworkAclId: made.NetworkAcl.NetworkAclId})
		if err != nil || *moved.NewAssociationId == *first {
			t.Fatalf("%+v, %v", moved, err)
		}
		now := read()
		wants(t, "acl", *now.NetworkAclId, *made.NetworkAcl.NetworkAclId)
		wants(t, "entries", len(now.Entries), 3)
		_, err = client.ReplaceNetworkAclAssociation(t.Context(), &ec2.ReplaceNetworkAclAssociationInput{AssociationId: first, NetworkAclId: own.NetworkAclId})
		refused(t, "InvalidAssociationID.NotFound", err)
		_, err = client.DeleteNetworkAcl(t.Context(), &ec2.DeleteNetworkAclInput{NetworkAclId: made.NetworkAcl.NetworkAclId})
		refused(t, "DependencyViolation", err)
		if _, err = client.ReplaceNetworkAclAssociation(t.Context(), &ec2.ReplaceNetworkAclAssociationInput{AssociationId: moved.NewAssociationId, NetworkAclId: own.NetworkAclId}); err != nil {
			t.Fatal(err)
		}
		if _, err = client.DeleteNetworkAcl(t.Context(), &ec2.DeleteNetworkAclInput{NetworkAclId: made.NetworkAcl.NetworkAclId}); err != nil {
			t.Fatal(err)
		}
		unchanged(t, c, before)
	})
}

func TestRoutesAreReplacedDeletedAndCreatedAgain(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, table := ec2.NewFromConfig(admin(c, one)), aws.String(c.All(one, awsfake.RouteTable)[0].Str("routeTableId"))
		all := aws.String("0.0.0.0/0")
		route := func() types.Route {
			t.Helper()
			out, err := client.DescribeRouteTables(t.Context(), &ec2.DescribeRouteTablesInput{RouteTableIds: []string{*table}})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.RouteTables[0].Routes {
				if aws.ToString(r.DestinationCidrBlock) == *all {
					return r
				}
			}
			return types.Route{}
		}
		before, text := route(), c.Snapshot()
		_, err := client.ReplaceRoute(t.Context(), &ec2.ReplaceRouteInput{RouteTableId: table, DestinationCidrBlock: all, NetworkInterfaceId: aws.String("eni-0000000000000dead")})
		refused(t, "InvalidNetworkInterfaceID.NotFound", err)
		made, err := client.CreateNetworkInterface(t.Context(), &ec2.CreateNetworkInterfaceInput{SubnetId: aws.String(c.All(one, awsfake.Subnet)[0].Str("subnetId"))})
		if err != nil {
			t.Fatal(err)
		}
		nic := made.NetworkInterface.NetworkInterfaceId
		if _, err := client.ReplaceRoute(t.Context(), &ec2.ReplaceRouteInput{RouteTableId: table, DestinationCidrBlock: all, NetworkInterfaceId: nic}); err != nil {
			t.Fatal(err)
		}
		wants(t, "state", route().State, types.RouteStateBlackhole)
		if _, err := client.DeleteNetworkInterface(t.Context(), &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: nic}); err != nil {
			t.Fatal(err)
		}
		wants(t, "state", route().State, types.RouteStateBlackhole)
		if _, err := client.DeleteRoute(t.Context(), &ec2.DeleteRouteInput{RouteTableId: table, DestinationCidrBlock: all}); err != nil {
			t.Fatal(err)
		}
		wants(t, "route", route().DestinationCidrBlock, nil)
		_, err = client.ReplaceRoute(t.Context(), &ec2.ReplaceRouteInput{RouteTableId: table, DestinationCidrBlock: all, GatewayId: before.GatewayId})
		refused(t, "InvalidRoute.NotFound", err)
		if _, err := client.CreateRoute(t.Context(), &ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: all, GatewayId: before.GatewayId}); err != nil {
			t.Fatal(err)
		}
		_, err = client.CreateRoute(t.Context(), &ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: all, GatewayId: before.GatewayId})
		refused(t, "RouteAlreadyExists", err)
		unchanged(t, c, text)
	})
}

func TestAnEndpointIsPendingForAWhileAfterItsGroupsChanged(t *testing.T) {
	in(t, awsfake.Settings{Endpoint: 15 * time.Second}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.AddEndpoint(one, "sqs", "Interface", nil)
		read := func() types.VpcEndpoint {
			t.Helper()
			out, err := client.DescribeVpcEndpoints(t.Context(), &ec2.DescribeVpcEndpointsInput{VpcEndpointIds: []string{id}})
			if err != nil {
				t.Fatal(err)
			}
			return out.VpcEndpoints[0]
		}
		before := read()
		group, err := client.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: aws.String("none"), Description: aws.String("d"), VpcId: before.VpcId})
		if err != nil {
			t.Fatal(err)
		}
		own := *before.Groups[0].GroupId
		_, err = client.ModifyVpcEndpoint(t.Context(), &ec2.ModifyVpcEndpointInput{VpcEndpointId: &id, RemoveSecurityGroupIds: []string{own}})
		refused(t, "InvalidParameter", err)
		if _, err := client.ModifyVpcEndpoint(t.Context(), &ec2.ModifyVpcEndpointInput{VpcEndpointId: &id, AddSecurityGroupIds: []string{*group.GroupId}, RemoveSecurityGroupIds: []string{own}}); err != nil {
			t.Fatal(err)
		}
		now := read()
		wants(t, "state", string(now.State), "pending")
		wants(t, "groups", len(now.Groups), 1)
		wants(t, "group", *now.Groups[0].GroupId, *group.GroupId)
		wants(t, "subnets", len(now.SubnetIds), 3)
		time.Sleep(15 * time.Second)
		wants(t, "state", string(read().State), "available")
	})
}

func TestAGatewayEndpointLeavesARouteTable(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.AddEndpoint(one, "s3", "Gateway", map[string]string{"Role": "s3"})
		before := c.Snapshot()
		read := func() types.VpcEndpoint {
			t.Helper()
			out, err := client.DescribeVpcEndpoints(t.Context(), &ec2.DescribeVpcEndpointsInput{Filters: []types.Filter{{Name: aws.String("tag:Role"), Values: []string{"s3"}}}})
			if err != nil || len(out.VpcEndpoints) != 1 {
				t.Fatalf("%+v, %v", out, err)
			}
			return out.VpcEndpoints[0]
		}
		tables := read().RouteTableIds
		wants(t, "service", *read().ServiceName, "com.amazonaws.eu-west-1.s3")
		if _, err := client.ModifyVpcEndpoint(t.Context(), &ec2.ModifyVpcEndpointInput{VpcEndpointId: &id, RemoveRouteTableIds: tables}); err != nil {
			t.Fatal(err)
		}
		wants(t, "route tables", len(read().RouteTableIds), 0)
		if _, err := client.ModifyVpcEndpoint(t.Context(), &ec2.ModifyVpcEndpointInput{VpcEndpointId: &id, AddRouteTableIds: tables}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		unchanged(t, c, before)
	})
}

func TestEntriesOfAnACLAreReplacedAndDeletedAndTwentyAreAllowed(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, acl := ec2.NewFromConfig(admin(c, one)), aws.String(c.All(one, awsfake.NetworkACL)[0].Str("networkAclId"))
		before := c.Snapshot()
		create := func(n int32) error {
			_, err := client.CreateNetworkAclEntry(t.Context(), &ec2.CreateNetworkAclEntryInput{NetworkAclId: acl, RuleNumber: &n, Protocol: aws.String("6"), RuleAction: "deny", Egress: aws.Bool(true), CidrBlock: aws.String("0.0.0.0/0"), PortRange: &types.PortRange{From: aws.Int32(80), To: aws.Int32(90)}})
			return err
		}
		remove := func(n int32) error {
			_, err := client.DeleteNetworkAclEntry(t.Context(), &ec2.DeleteNetworkAclEntryInput{NetworkAclId: acl, RuleNumber: &n, Egress: aws.Bool(true)})
			return err
		}
		for n := range int32(19) {
			wants(t, "create", create(n+1), nil)
		}
		refused(t, "NetworkAclEntryLimitExceeded", create(50))
		_, err := client.ReplaceNetworkAclEntry(t.Context(), &ec2.ReplaceNetworkAclEntryInput{NetworkAclId: acl, RuleNumber: aws.Int32(1), Protocol: aws.String("-1"), RuleAction: "allow", Egress: aws.Bool(true), Ipv6CidrBlock: aws.String("::/0")})
		wants(t, "replace", err, nil)
		out, err := client.DescribeNetworkAcls(t.Context(), &ec2.DescribeNetworkAclsInput{NetworkAclIds: []string{*acl}})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.NetworkAcls[0].Entries {
			switch *e.RuleNumber {
			case 1:
				wants(t, "replaced", aws.ToString(e.Ipv6CidrBlock)+string(e.RuleAction)+aws.ToString(e.CidrBlock), "::/0allow")
			case 2:
				wants(t, "ports", *e.PortRange.To, 90)
			}
		}
		for n := range int32(19) {
			wants(t, "delete", remove(n+1), nil)
		}
		refused(t, "InvalidNetworkAclEntry.NotFound", remove(1))
		unchanged(t, c, before)
		_, err = client.DeleteNetworkAcl(t.Context(), &ec2.DeleteNetworkAclInput{NetworkAclId: acl})
		refused(t, "InvalidParameterValue", err)
	})
}

func TestASharedSubnetBelongsToAnotherAccount(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client := ec2.NewFromConfig(admin(c, one))
		subnet, vpc := c.Share(c.Enter(other), one)
		out, err := client.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{SubnetIds: []string{subnet}})
		if err != nil || *out.Subnets[0].OwnerId != other.Account {
			t.Fatalf("%+v, %v", out, err)
		}
		acls, err := client.DescribeNetworkAcls(t.Context(), &ec2.DescribeNetworkAclsInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{vpc}}}})
		if err != nil || len(acls.NetworkAcls) != 0 {
			t.Errorf("%+v, %v", acls, err)
		}
		_, err = client.CreateNetworkAcl(t.Context(), &ec2.CreateNetworkAclInput{VpcId: &vpc})
		refused(t, "OperationNotPermitted", err)
		wants(t, "its zone", state(t, client, c.Launch(one, 1, nil, awsfake.Doc{"subnetId": subnet})[0]), "running")
	})
}

func TestTagsOfEC2AreAddedAndRemoved(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, ids := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 2, map[string]string{"Role": "web"})
		before := c.Snapshot()
		tags := []types.Tag{{Key: aws.String("mishap"), Value: aws.String("1")}}
		_, err := client.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: ids, Tags: tags})
		wants(t, "create", err, nil)
		wants(t, "tags", fmt.Sprint(c.Get(one, awsfake.Instance, ids[1]).Map("_tags")), "map[Role:web mishap:1]")
		wants(t, "needs", c.Calls("ec2:CreateTags")[0].Needs[1].Resource, awsfake.Instance.ARN(one, ids[1]))
		wants(t, "asks for", c.Calls("ec2:CreateTags")[0].Needs[0].Context["aws:RequestTag/mishap"][0], "1")
		_, err = client.DeleteTags(t.Context(), &ec2.DeleteTagsInput{Resources: ids, Tags: tags})
		wants(t, "delete", err, nil)
		unchanged(t, c, before)
		_, err = client.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{"i-0000000000000dead"}, Tags: tags})
		refused(t, "InvalidID", err)
	})
}
