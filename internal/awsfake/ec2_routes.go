package awsfake

import (
	"maps"
	"slices"
	"strings"
)

// changeRoute creates, replaces or deletes a route.
func changeRoute(k *call) (Doc, error) {
	id := k.in.Str("RouteTableId")
	table, err := k.find(RouteTable, id, notFound("routeTable", id))
	if err != nil {
		return nil, err
	}
	route := Doc{"state": "active", "origin": "CreateRoute"}
	for asked, name := range map[string]string{
		"DestinationCidrBlock": "destinationCidrBlock", "DestinationIpv6CidrBlock": "destinationIpv6CidrBlock", "DestinationPrefixListId": "destinationPrefixListId",
		"GatewayId": "gatewayId", "NatGatewayId": "natGatewayId", "TransitGatewayId": "transitGatewayId", "VpcPeeringConnectionId": "vpcPeeringConnectionId",
		"NetworkInterfaceId": "networkInterfaceId", "InstanceId": "instanceId", "EgressOnlyInternetGatewayId": "egressOnlyInternetGatewayId",
		"LocalGatewayId": "localGatewayId", "CarrierGatewayId": "carrierGatewayId", "CoreNetworkArn": "coreNetworkArn", "OdbNetworkArn": "odbNetworkArn",
		"VpcEndpointId": "gatewayId", // as which a table shows it
	} {
		if value := k.in.Str(asked); value != "" {
			route[name] = value
		}
	}
	destination := func(r Doc) string {
		return r.Str("destinationCidrBlock") + r.Str("destinationIpv6CidrBlock") + r.Str("destinationPrefixListId")
	}
	same := func(r Doc) bool { return destination(r) == destination(route) }
	routes := slices.Clone(table.Docs("routeSet"))
	at := slices.IndexFunc(routes, same)
	nic := k.now(NetworkInterface.ARN(k.Place, route.Str("networkInterfaceId")))
	switch {
	case strings.HasPrefix(k.in.Str("GatewayId"), "vpce-"):
		return nil, &Error{Code: "InvalidGatewayID.NotFound", Message: "The gateway ID '" + k.in.Str("GatewayId") + "' does not exist"}
	case at >= 0 && routes[at].Has("destinationPrefixListId") && strings.HasPrefix(routes[at].Str("gatewayId"), "vpce-"):
		return nil, &Error{Code: "InvalidParameterValue", Message: "cannot change the route of endpoint " + routes[at].Str("gatewayId") + " in route table " + id}
	case route.Has("networkInterfaceId") && nic == nil:
		return nil, notFound("networkInterface", route.Str("networkInterfaceId"))
	case k.name == "CreateRoute" && at >= 0:
		return nil, &Error{Code: "RouteAlreadyExists", Message: "The route identified by " + destination(route) + " already exists."}
	case k.name != "CreateRoute" && at < 0:
		return nil, &Error{Code: "InvalidRoute.NotFound", Message: "no route with destination-cidr-block " + destination(route) + " in route table " + id}
	case at >= 0 && routes[at].Str("gatewayId") == "local":
		return nil, &Error{Code: "InvalidParameterValue", Message: "cannot change local route " + destination(route) + " in route table " + id}
	}
	routes = slices.DeleteFunc(routes, same)
	if k.name != "DeleteRoute" {
		if nic.Str("attachment.instanceId") == "" && route.Has("networkInterfaceId") {
			route["state"] = "blackhole"
		}
		routes = append(routes, route)
	}
	k.edit(RouteTable.ARN(k.Place, id), func(d Doc) { d["routeSet"] = routes })
	return Doc{"return": true}, nil
}

func endpointNeeds(k *call) []Need {
	return slices.Concat(on(SecurityGroup, "AddSecurityGroupId")(k), on(SecurityGroup, "RemoveSecurityGroupId")(k),
		on(RouteTable, "AddRouteTableId")(k), on(RouteTable, "RemoveRouteTableId")(k), on(Subnet, "AddSubnetId")(k), on(Subnet, "RemoveSubnetId")(k))
}

func modifyEndpoint(k *call) (Doc, error) {
	id := k.in.Str("VpcEndpointId")
	if _, err := k.find(VPCEndpoint, id, notFound("vpcEndpoint", id)); err != nil {
		return nil, err
	}
	added, err := k.groups(k.in.Strs("AddSecurityGroupId"))
	if err != nil {
		return nil, err
	}
	after := k.now(VPCEndpoint.ARN(k.Place, id)).Clone()
	removed := k.in.Strs("RemoveSecurityGroupId")
	groups := slices.DeleteFunc(after.Docs("groupSet"), func(g Doc) bool {
		return slices.Contains(removed, g.Str("groupId")) || slices.ContainsFunc(added, func(a Doc) bool { return a.Str("groupId") == g.Str("groupId") })
	})
	after["groupSet"] = append(groups, added...)
	for of, set := range map[string]string{"RouteTableId": "routeTableIdSet", "SubnetId": "subnetIdSet"} {
		all := slices.Concat([]string{}, after.Strs(set), k.in.Strs("Add"+of))
		all = slices.DeleteFunc(all, func(one string) bool { return slices.Contains(k.in.Strs("Remove"+of), one) })
		slices.Sort(all)
		after[set] = slices.Compact(all)
	}
	if text := k.in.Str("PolicyDocument"); text != "" {
		after["policyDocument"] = text
	}
	if len(after.Docs("groupSet")) == 0 && after.Str("vpcEndpointType") == "Interface" {
		return nil, &Error{Code: "InvalidParameter", Message: "An interface endpoint must have at least one security group."}
	}
	k.ids++
	after["state"], after["_turn"] = "pending", k.ids
	arn, turn := VPCEndpoint.ARN(k.Place, id), k.ids
	k.write(arn, after)
	k.after(k.Endpoint, func() {
		if k.now(arn).Int("_turn", 0) == turn {
			k.edit(arn, func(d Doc) { d["state"] = "available" })
		}
	})
	return Doc{"return": true}, nil
}

// AddEndpoint seeds an endpoint of the default VPC with its default security group:
// an interface in all subnets, or a gateway in all route tables.
func (c *Cloud) AddEndpoint(p Place, service, kind string, tags map[string]string) (id string) {
	defer c.lock()()
	c.enter(p)
	id = c.fresh("vpce")
	d := Doc{"vpcEndpointId": id, "vpcId": c.list(p, VPC, false)[0].Str("vpcId"), "serviceName": "com.amazonaws." + p.Region + "." + service,
		"vpcEndpointType": kind, "state": "available", "ownerId": p.Account,
		"groupSet": []Doc{}, "subnetIdSet": []string{}, "routeTableIdSet": []string{}, "_tags": maps.Clone(tags)}
	of, set, key := RouteTable, "routeTableIdSet", "routeTableId"
	if kind == "Interface" {
		of, set, key = Subnet, "subnetIdSet", "subnetId"
		d["groupSet"] = []Doc{{"groupId": c.list(p, SecurityGroup, false)[0].Str("groupId"), "groupName": "default"}}
	}
	members := []string{}
	for _, one := range c.list(p, of, false) {
		members = append(members, one.Str(key))
	}
	d[set] = members
	c.plant(p, VPCEndpoint, id, d)
	return id
}

// Share lets an account use a subnet of another. It sees its NACL and its routes
// as little as it may change them.
func (c *Cloud) Share(from, with Place) (subnet, vpc string) {
	defer c.lock()()
	s := c.list(from, Subnet, false)[0].Clone()
	v := c.now(VPC.ARN(from, s.Str("vpcId"))).Clone()
	c.plant(with, Subnet, s.Str("subnetId"), s)
	c.plant(with, VPC, v.Str("vpcId"), v)
	return s.Str("subnetId"), v.Str("vpcId")
}
