package aws

import (
	"cmp"
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
)

// routeTarget is where a route goes.
type routeTarget struct {
	Kind string `json:"kind"` // see [routeTarget.in]
	ID   string `json:"id"`
}

// targetOf is where the route to a destination goes; nowhere if there is none.
func targetOf(table types.RouteTable, destination string) (to routeTarget, of types.Route) {
	for _, r := range table.Routes {
		if destination != cmp.Or(aws.ToString(r.DestinationCidrBlock), aws.ToString(r.DestinationIpv6CidrBlock), aws.ToString(r.DestinationPrefixListId)) {
			continue
		}
		for kind, id := range map[string]*string{
			"gateway": r.GatewayId, "nat-gateway": r.NatGatewayId, "transit-gateway": r.TransitGatewayId, "peering": r.VpcPeeringConnectionId,
			"interface": r.NetworkInterfaceId, "egress-gateway": r.EgressOnlyInternetGatewayId, "local-gateway": r.LocalGatewayId,
			"carrier-gateway": r.CarrierGatewayId, "core-network": r.CoreNetworkArn, "odb-network": r.OdbNetworkArn,
		} {
			if id != nil {
				return routeTarget{kind, *id}, r
			}
		}
		return routeTarget{}, r
	}
	return to, of
}

// in lets a call replace a route by one that goes there.
func (t routeTarget) in(call *ec2.ReplaceRouteInput) *ec2.ReplaceRouteInput {
	field := map[string]**string{
		"gateway": &call.GatewayId, "nat-gateway": &call.NatGatewayId, "transit-gateway": &call.TransitGatewayId, "peering": &call.VpcPeeringConnectionId,
		"interface": &call.NetworkInterfaceId, "egress-gateway": &call.EgressOnlyInternetGatewayId, "local-gateway": &call.LocalGatewayId,
		"carrier-gateway": &call.CarrierGatewayId, "core-network": &call.CoreNetworkArn, "odb-network": &call.OdbNetworkArn,
	}[t.Kind]
	if t.endpoint() {
		field = &call.VpcEndpointId
	}
	if field != nil {
		*field = aws.String(t.ID)
	}
	return call
}

// endpoint reports whether it is a VPC endpoint: a table says that of a gateway, and
// a call must not.
func (t routeTarget) endpoint() bool {
	return t.Kind == "gateway" && strings.HasPrefix(t.ID, "vpce-")
}

// routeBefore is what undo has of a route.
type routeBefore struct {
	VPC    string      `json:"vpc"`
	Target routeTarget `json:"target"`
}

// routeNow is a route as it was and is, and the interfaces that were made for its
// injection.
type routeNow struct {
	before routeBefore
	there  bool // the table
	target routeTarget
	ours   []string
}

// findRoutes lists the tables that may be meant, and have the route.
func findRoutes(ctx context.Context, c aws.Config, t targets, with routeWith) (found []thing, err error) {
	filters := meantBy(t)
	if len(t.IDs) > 0 {
		filters = append(filters, filter("route-table-id", t.IDs...))
	}
	tables, err := describeTables(ctx, c, filters...)
	for _, table := range tables {
		to, route := targetOf(table, with.Destination)
		one := thing{id: aws.ToString(table.RouteTableId), owner: aws.ToString(table.OwnerId), tags: ec2Tags(table.Tags),
			is: map[string]string{inVPC: aws.ToString(table.VpcId)}, before: routeBefore{aws.ToString(table.VpcId), to}}
		one.name, one.now = one.tags["Name"], look{normal, "routing"}
		switch {
		case to.ID == "":
			one.now = look{foreign, "without a route to " + with.Destination}
		case route.State == types.RouteStateBlackhole:
			one.now = look{foreign, "a black hole already"}
		case to.ID == "local", route.Origin != types.RouteOriginCreateRoute, to.endpoint() && route.DestinationPrefixListId != nil:
			one.unfit = mishap.WithHint(fmt.Errorf("the route to %s of %s is local, propagated or of an endpoint, and cannot be replaced", with.Destination, one.id), "name another destination; an endpoint is cut by vpc-endpoint-cut")
		}
		found = append(found, one)
	}
	return found, err
}

// routes asks for the routes of the tables, and for what was made for them.
func routes(ctx context.Context, c aws.Config, on ...recorded[routeWith]) (map[string]routeNow, error) {
	tables, err := describeTables(ctx, c, filter("route-table-id", ids(on)...))
	made, unmade := describeInterfaces(ctx, c, filter("tag:"+injectionTag, injections(on)...))
	err = errors.Join(err, unmade)
	now := map[string]routeNow{}
	for _, one := range on {
		was, unread := before[routeBefore](one)
		s := routeNow{before: was}
		for _, table := range tables {
			if aws.ToString(table.RouteTableId) == one.id {
				s.there = true
				s.target, _ = targetOf(table, one.with.Destination)
			}
		}
		for _, nic := range made {
			if ec2Tags(nic.TagSet)[injectionTag] == one.injection {
				s.ours = append(s.ours, aws.ToString(nic.NetworkInterfaceId))
			}
		}
		now[one.id], err = s, errors.Join(err, unread)
	}
	return now, err
}

func (s routeNow) inHole() bool { return slices.Contains(s.ours, s.target.ID) }

func (s routeNow) look() look {
	switch {
	case s.inHole():
		return look{injected, "a black hole, by interface " + s.target.ID}
	case len(s.ours) > 0:
		return look{half, "no black hole by interface " + s.ours[0] + ", which is still there"}
	case !s.there:
		return look{gone, "deleted"}
	case s.target != s.before.Target:
		return look{foreign, fmt.Sprintf("routing to %q, not to %s", s.target.ID, s.before.Target.ID)}
	}
	return look{normal, "routing to " + s.target.ID}
}

// to lets the route go somewhere.
func (s routeNow) to(ctx context.Context, c aws.Config, on recorded[routeWith], where routeTarget) error {
	_, err := newEC2(c).ReplaceRoute(ctx, where.in(on.with.replacing(on.id)))
	failed := cloud.Failed("let the route of "+on.id+" go to "+where.ID, err)
	if strings.HasSuffix(cloud.Code(err), ".NotFound") {
		return mishap.WithHint(failed, "if "+where.ID+" was deleted, let the route go elsewhere yourself: then `mishap revert` removes what is left")
	}
	return failed
}

// hole makes an interface that is attached to nothing, in a subnet with an address
// that is free.
func (s routeNow) hole(ctx context.Context, c aws.Config, injection string) ([]string, error) {
	subnets, err := describeSubnets(ctx, c, filter("vpc-id", s.before.VPC))
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(subnets, func(s types.Subnet) bool { return aws.ToInt32(s.AvailableIpAddressCount) > 0 })
	if at < 0 {
		return nil, mishap.WithHint(fmt.Errorf("no subnet of %s has an address that is free", s.before.VPC), "the black hole is an interface, which takes one: make room, or use subnet-isolate")
	}
	out, err := newEC2(c).CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: subnets[at].SubnetId, ClientToken: aws.String(injection),
		Description: aws.String("a black hole, for mishap " + injection), TagSpecifications: marked(types.ResourceTypeNetworkInterface, injection)})
	if err != nil {
		return nil, cloud.Failed("create a network interface", err)
	}
	return []string{aws.ToString(out.NetworkInterface.NetworkInterfaceId)}, nil
}
