package awsfake

import (
	"fmt"
	"slices"
	"strings"
)

// defaultNetwork puts a VPC with a subnet in each of three zones, its default
// NACL, its main route table and its default security group into a place.
func defaultNetwork(c *Cloud, p Place) {
	vpc, acl, table, group := c.fresh("vpc"), c.fresh("acl"), c.fresh("rtb"), c.fresh("sg")
	c.plant(p, VPC, vpc, Doc{"vpcId": vpc, "state": "available", "cidrBlock": "10.0.0.0/16", "isDefault": true, "ownerId": p.Account})
	associations := []Doc{}
	for i, zone := range zones(p) {
		subnet := c.fresh("subnet")
		c.plant(p, Subnet, subnet, Doc{"subnetId": subnet, "vpcId": vpc, "availabilityZone": zone, "availabilityZoneId": zoneID(zone), "ownerId": p.Account, "state": "available",
			"cidrBlock": fmt.Sprintf("10.0.%d.0/24", i), "subnetArn": Subnet.ARN(p, subnet), "availableIpAddressCount": 250})
		associations = append(associations, Doc{"networkAclAssociationId": c.fresh("aclassoc"), "networkAclId": acl, "subnetId": subnet})
	}
	c.plant(p, NetworkACL, acl, Doc{"networkAclId": acl, "vpcId": vpc, "default": true, "ownerId": p.Account, "associationSet": associations,
		"entrySet": append(denyAll(), entry(100, "-1", "allow", true, "0.0.0.0/0"), entry(100, "-1", "allow", false, "0.0.0.0/0"))})
	c.plant(p, RouteTable, table, Doc{"routeTableId": table, "vpcId": vpc, "ownerId": p.Account,
		"associationSet": []Doc{{"routeTableAssociationId": c.fresh("rtbassoc"), "routeTableId": table, "main": true, "associationState": Doc{"state": "associated"}}},
		"routeSet": []Doc{
			{"destinationCidrBlock": "10.0.0.0/16", "gatewayId": "local", "state": "active", "origin": "CreateRouteTable"},
			{"destinationCidrBlock": "0.0.0.0/0", "gatewayId": c.fresh("igw"), "state": "active", "origin": "CreateRoute"},
		}})
	c.plant(p, SecurityGroup, group, Doc{"groupId": group, "groupName": "default", "groupDescription": "default VPC security group", "vpcId": vpc, "ownerId": p.Account,
		"ipPermissions": []Doc{}, "ipPermissionsEgress": []Doc{anywhere()}})
}

func anywhere() Doc { return Doc{"ipProtocol": "-1", "ipRanges": []Doc{{"cidrIp": "0.0.0.0/0"}}} }

func entry(number int, protocol, verdict string, egress bool, cidr string) Doc {
	return Doc{"ruleNumber": number, "protocol": protocol, "ruleAction": verdict, "egress": egress, "cidrBlock": cidr}
}

// denyAll is what every NACL ends with.
func denyAll() []Doc {
	return []Doc{entry(32767, "-1", "deny", true, "0.0.0.0/0"), entry(32767, "-1", "deny", false, "0.0.0.0/0")}
}

func ec2Network() map[string]action {
	acl, group, table := on(NetworkACL, "NetworkAclId"), on(SecurityGroup, "GroupId"), on(RouteTable, "RouteTableId")
	return map[string]action{
		"CreateSecurityGroup":             {do: createSecurityGroup, needs: created(SecurityGroup, VPC, "VpcId")},
		"DeleteSecurityGroup":             {do: deleteSecurityGroup, needs: group},
		"RevokeSecurityGroupEgress":       {do: changeRules("ipPermissionsEgress", false), needs: group},
		"RevokeSecurityGroupIngress":      {do: changeRules("ipPermissions", false), needs: group},
		"AuthorizeSecurityGroupEgress":    {do: changeRules("ipPermissionsEgress", true), needs: group},
		"AuthorizeSecurityGroupIngress":   {do: changeRules("ipPermissions", true), needs: group},
		"ModifyNetworkInterfaceAttribute": {do: modifyNetworkInterface, needs: on(NetworkInterface, "NetworkInterfaceId", on(SecurityGroup, "SecurityGroupId"))},
		"CreateNetworkInterface":          {do: createNetworkInterface, needs: created(NetworkInterface, Subnet, "SubnetId")},
		"DeleteNetworkInterface":          {do: deleteNetworkInterface, needs: on(NetworkInterface, "NetworkInterfaceId")},
		"CreateNetworkAcl":                {do: createNetworkACL, needs: created(NetworkACL, VPC, "VpcId")},
		"CreateNetworkAclEntry":           {do: changeEntry, needs: acl},
		"ReplaceNetworkAclEntry":          {do: changeEntry, needs: acl},
		"DeleteNetworkAclEntry":           {do: changeEntry, needs: acl},
		"ReplaceNetworkAclAssociation":    {do: replaceACLAssociation, needs: on(NetworkACL, "NetworkAclId", associatedSubnet)},
		"DeleteNetworkAcl":                {do: deleteNetworkACL, needs: acl},
		"CreateRoute":                     {do: changeRoute, needs: table},
		"ReplaceRoute":                    {do: changeRoute, needs: table},
		"DeleteRoute":                     {do: changeRoute, needs: table},
		"ModifyVpcEndpoint":               {do: modifyEndpoint, needs: on(VPCEndpoint, "VpcEndpointId", endpointNeeds)},
	}
}

func createSecurityGroup(k *call) (Doc, error) {
	vpc, name := k.in.Str("VpcId"), k.in.Str("GroupName")
	if _, err := k.find(VPC, vpc, notFound("vpc", vpc)); err != nil {
		return nil, err
	}
	for _, g := range k.list(k.Place, SecurityGroup, false) {
		if g.Str("vpcId") == vpc && g.Str("groupName") == name {
			return nil, &Error{Code: "InvalidGroup.Duplicate", Message: fmt.Sprintf("The security group '%s' already exists for VPC '%s'", name, vpc)}
		}
	}
	id := k.fresh("sg")
	k.put(k.Place, SecurityGroup, id, Doc{"groupId": id, "groupName": name, "groupDescription": k.in.Str("GroupDescription"), "vpcId": vpc, "ownerId": k.Account,
		"ipPermissions": []Doc{}, "ipPermissionsEgress": []Doc{anywhere()}, "_tags": asked(k)})
	return Doc{"return": true, "groupId": id, "tagSet": pairs(asked(k), "key", "value")}, nil
}

func deleteSecurityGroup(k *call) (Doc, error) {
	id := k.in.Str("GroupId")
	if _, err := k.find(SecurityGroup, id, notFound("group", id)); err != nil {
		return nil, err
	}
	for _, kind := range []Kind{NetworkInterface, VPCEndpoint} {
		for _, user := range k.list(k.Place, kind, false) {
			if slices.Contains(valuesAt(user, "groupSet.groupId"), id) {
				return nil, &Error{Code: "DependencyViolation", Message: "resource " + id + " has a dependent object"}
			}
		}
	}
	k.drop(SecurityGroup.ARN(k.Place, id))
	return Doc{"return": true, "groupId": id}, nil
}

// changeRules grants or revokes rules of a security group.
func changeRules(set string, grant bool) func(k *call) (Doc, error) {
	return func(k *call) (Doc, error) {
		id := k.in.Str("GroupId")
		group, err := k.find(SecurityGroup, id, notFound("group", id))
		if err != nil {
			return nil, err
		}
		rules := slices.Clone(group.Docs(set))
		for _, asked := range k.in.Docs("IpPermissions") {
			rule := Doc{"ipProtocol": asked.Str("IpProtocol"), "ipRanges": []Doc{}}
			for _, r := range asked.Docs("IpRanges") {
				rule["ipRanges"] = append(rule["ipRanges"].([]Doc), Doc{"cidrIp": r.Str("CidrIp")})
			}
			for name, to := range map[string]string{"FromPort": "fromPort", "ToPort": "toPort"} {
				if asked.Has(name) {
					rule[to] = asked.Int(name, 0)
				}
			}
			same := func(r Doc) bool { return fmt.Sprint(map[string]any(r)) == fmt.Sprint(map[string]any(rule)) }
			there := slices.ContainsFunc(rules, same)
			switch {
			case there && grant:
				return nil, &Error{Code: "InvalidPermission.Duplicate", Message: "the specified rule already exists"}
			case !there && !grant:
				return nil, &Error{Code: "InvalidPermission.NotFound", Message: "The specified rule does not exist in this security group."}
			case grant:
				rules = append(rules, rule)
			default:
				rules = slices.DeleteFunc(rules, same)
			}
		}
		k.edit(SecurityGroup.ARN(k.Place, id), func(d Doc) { d[set] = rules })
		return Doc{"return": true}, nil
	}
}

// groups are security groups as others name them.
func (k *call) groups(ids []string) (all []Doc, err error) {
	for _, id := range ids {
		g, err := k.find(SecurityGroup, id, notFound("group", id))
		if err != nil {
			return nil, err
		}
		all = append(all, Doc{"groupId": id, "groupName": g.Str("groupName")})
	}
	return all, nil
}

func modifyNetworkInterface(k *call) (Doc, error) {
	id := k.in.Str("NetworkInterfaceId")
	nic, err := k.find(NetworkInterface, id, notFound("networkInterface", id))
	if err != nil {
		return nil, err
	}
	groups, err := k.groups(k.in.Strs("SecurityGroupId"))
	switch {
	case err != nil:
		return nil, err
	case len(groups) > 5:
		return nil, &Error{Code: "SecurityGroupsPerInterfaceLimitExceeded", Message: "The maximum number of security groups per interface has been reached."}
	case nic.Bool("requesterManaged"):
		return nil, &Error{Code: "AuthFailure", Message: "You do not have permission to access the specified resource."}
	case groups != nil:
		k.edit(NetworkInterface.ARN(k.Place, id), func(d Doc) { d["groupSet"] = groups })
	}
	return Doc{"return": true}, nil
}

func createNetworkInterface(k *call) (Doc, error) {
	in := k.in.Str("SubnetId")
	subnet, err := k.find(Subnet, in, notFound("subnet", in))
	if err != nil {
		return nil, err
	}
	id := k.fresh("eni")
	k.put(k.Place, NetworkInterface, id, Doc{"networkInterfaceId": id, "subnetId": in, "vpcId": subnet.Str("vpcId"), "availabilityZone": subnet.Str("availabilityZone"),
		"ownerId": k.Account, "status": "available", "interfaceType": "interface", "groupSet": []Doc{}, "requesterManaged": false, "_tags": asked(k)})
	return Doc{"networkInterface": withTagSet(k.now(NetworkInterface.ARN(k.Place, id)))}, nil
}

func deleteNetworkInterface(k *call) (Doc, error) {
	id := k.in.Str("NetworkInterfaceId")
	nic, err := k.find(NetworkInterface, id, notFound("networkInterface", id))
	if err != nil {
		return nil, err
	}
	if nic.Str("attachment.instanceId") != "" {
		return nil, &Error{Code: "InvalidParameterValue", Message: "Network interface '" + id + "' is currently in use."}
	}
	k.drop(NetworkInterface.ARN(k.Place, id))
	return Doc{"return": true}, nil
}

func createNetworkACL(k *call) (Doc, error) {
	vpc := k.in.Str("VpcId")
	of, err := k.find(VPC, vpc, notFound("vpc", vpc))
	if err != nil {
		return nil, err
	}
	if owner := of.Str("ownerId"); owner != k.Account {
		return nil, &Error{Code: "OperationNotPermitted", Message: "The VPC '" + vpc + "' is shared, and owned by another account."}
	}
	id := k.fresh("acl")
	k.put(k.Place, NetworkACL, id, Doc{"networkAclId": id, "vpcId": vpc, "default": false, "ownerId": k.Account, "associationSet": []Doc{}, "entrySet": denyAll(), "_tags": asked(k)})
	return Doc{"networkAcl": withTagSet(k.now(NetworkACL.ARN(k.Place, id)))}, nil
}

// changeEntry creates, replaces or deletes an entry of a NACL.
func changeEntry(k *call) (Doc, error) {
	id := k.in.Str("NetworkAclId")
	acl, err := k.find(NetworkACL, id, notFound("networkAcl", id))
	if err != nil {
		return nil, err
	}
	number, egress := k.in.Int("RuleNumber", 0), k.in.Bool("Egress")
	same := func(e Doc) bool { return e.Int("ruleNumber", 0) == number && e.Bool("egress") == egress }
	entries := slices.Clone(acl.Docs("entrySet"))
	there, creates := slices.ContainsFunc(entries, same), k.name == "CreateNetworkAclEntry"
	direction := func(e Doc) bool { return e.Bool("egress") == egress && e.Int("ruleNumber", 0) != 32767 }
	switch {
	case there && creates:
		return nil, &Error{Code: "NetworkAclEntryAlreadyExists", Message: fmt.Sprintf("The network acl entry identified by %d already exists.", number)}
	case !there && !creates:
		return nil, &Error{Code: "InvalidNetworkAclEntry.NotFound", Message: fmt.Sprintf("The network acl entry identified by %d does not exist.", number)}
	case creates && len(slices.DeleteFunc(slices.Clone(entries), func(e Doc) bool { return !direction(e) })) >= 20:
		return nil, &Error{Code: "NetworkAclEntryLimitExceeded", Message: "The maximum number of network acl entries has been reached."}
	}
	entries = slices.DeleteFunc(entries, same)
	if k.name != "DeleteNetworkAclEntry" {
		e := entry(number, k.in.Str("Protocol"), k.in.Str("RuleAction"), egress, k.in.Str("CidrBlock"))
		if six := k.in.Str("Ipv6CidrBlock"); six != "" {
			delete(e, "cidrBlock")
			e["ipv6CidrBlock"] = six
		}
		if k.in.Has("PortRange") {
			e["portRange"] = Doc{"from": k.in.Int("PortRange.From", 0), "to": k.in.Int("PortRange.To", 0)}
		}
		entries = append(entries, e)
	}
	k.edit(NetworkACL.ARN(k.Place, id), func(d Doc) { d["entrySet"] = entries })
	return Doc{"return": true}, nil
}

// association finds a NACL by one of its associations.
func (k *call) association(id string) (arn string, of Doc) {
	for _, acl := range k.list(k.Place, NetworkACL, false) {
		for _, a := range acl.Docs("associationSet") {
			if a.Str("networkAclAssociationId") == id {
				return acl.Str("_arn"), a
			}
		}
	}
	return "", nil
}

func associatedSubnet(k *call) []Need {
	if _, a := k.association(k.in.Str("AssociationId")); a != nil {
		return []Need{{Resource: Subnet.ARN(k.Place, a.Str("subnetId"))}}
	}
	return nil
}

func replaceACLAssociation(k *call) (Doc, error) {
	id, to := k.in.Str("AssociationId"), k.in.Str("NetworkAclId")
	from, a := k.association(id)
	if a == nil {
		return nil, notFound("association", id)
	}
	if _, err := k.find(NetworkACL, to, notFound("networkAcl", to)); err != nil {
		return nil, err
	}
	k.edit(from, func(d Doc) {
		d["associationSet"] = slices.DeleteFunc(d.Docs("associationSet"), func(one Doc) bool { return one.Str("networkAclAssociationId") == id })
	})
	fresh := Doc{"networkAclAssociationId": k.fresh("aclassoc"), "networkAclId": to, "subnetId": a.Str("subnetId")}
	k.edit(NetworkACL.ARN(k.Place, to), func(d Doc) { d["associationSet"] = append(d.Docs("associationSet"), fresh) })
	return Doc{"newAssociationId": fresh["networkAclAssociationId"]}, nil
}

func deleteNetworkACL(k *call) (Doc, error) {
	id := k.in.Str("NetworkAclId")
	acl, err := k.find(NetworkACL, id, notFound("networkAcl", id))
	switch {
	case err != nil:
		return nil, err
	case acl.Bool("default"):
		return nil, &Error{Code: "InvalidParameterValue", Message: "cannot delete default network ACL " + id}
	case len(acl.Docs("associationSet")) > 0:
		return nil, &Error{Code: "DependencyViolation", Message: "The networkAcl '" + id + "' has dependencies and cannot be deleted."}
	}
	k.drop(NetworkACL.ARN(k.Place, id))
	return Doc{"return": true}, nil
}

// zoneID is what a zone is called in all accounts: "euw1-az1" of "eu-west-1a", as if
// all accounts counted alike.
func zoneID(zone string) string {
	parts := strings.Split(zone, "-")
	last := parts[len(parts)-1]
	return fmt.Sprintf("%s%c%s-az%d", parts[0], parts[1][0], last[:len(last)-1], last[len(last)-1]-'a'+1)
}
