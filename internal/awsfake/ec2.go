package awsfake

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"mishap/internal/awsfake/policy"
	"mishap/internal/awsfake/wire"
)

// The kinds of EC2.
const (
	Instance         Kind = "arn:aws:ec2:{region}:{account}:instance/{id}"
	NetworkInterface Kind = "arn:aws:ec2:{region}:{account}:network-interface/{id}"
	SecurityGroup    Kind = "arn:aws:ec2:{region}:{account}:security-group/{id}"
	NetworkACL       Kind = "arn:aws:ec2:{region}:{account}:network-acl/{id}"
	Subnet           Kind = "arn:aws:ec2:{region}:{account}:subnet/{id}"
	VPC              Kind = "arn:aws:ec2:{region}:{account}:vpc/{id}"
	RouteTable       Kind = "arn:aws:ec2:{region}:{account}:route-table/{id}"
	VPCEndpoint      Kind = "arn:aws:ec2:{region}:{account}:vpc-endpoint/{id}"
	Volume           Kind = "arn:aws:ec2:{region}:{account}:volume/{id}"
)

func ec2() Service {
	all := map[string]action{
		"DescribeInstances":         {do: describeInstances},
		"DescribeInstanceStatus":    {do: describeInstanceStatus},
		"DescribeInstanceAttribute": {do: describeInstanceAttribute, needs: on(Instance, "InstanceId")},
		"ModifyInstanceAttribute":   {do: modifyInstanceAttribute, needs: on(Instance, "InstanceId")},
		"GetConsoleOutput":          {do: getConsoleOutput, needs: on(Instance, "InstanceId")},
		"RunInstances":              {do: runInstances, needs: created(Instance, Subnet, "SubnetId")},
		"StopInstances":             {do: stopInstances, needs: on(Instance, "InstanceId")},
		"StartInstances":            {do: startInstances, needs: on(Instance, "InstanceId")},
		"RebootInstances":           {do: rebootInstances, needs: on(Instance, "InstanceId")},
		"TerminateInstances":        {do: terminateInstances, needs: on(Instance, "InstanceId")},
		"CreateTags":                {do: createTags, needs: onTagged},
		"DeleteTags":                {do: deleteTags, needs: onTagged},
		"DescribeRegions":           {do: describeRegions},
		"DescribeAvailabilityZones": {do: describeZones},
	}
	maps.Copy(all, ec2Network())
	for name, d := range described() {
		all["Describe"+name] = action{do: d.describe}
	}
	return Service{prefix: "ec2", actions: all, settle: defaultNetwork}
}

// description is how resources of a kind are described.
type description struct {
	kind           Kind
	set, ids, noun string            // where they are in the answer, how a call names them, and errors
	filters        map[string]string // the path that a filter is about
}

func described() map[string]description {
	return map[string]description{
		"NetworkInterfaces": {NetworkInterface, "networkInterfaceSet", "NetworkInterfaceId", "networkInterface", map[string]string{
			"network-interface-id": "networkInterfaceId", "attachment.instance-id": "attachment.instanceId", "group-id": "groupSet.groupId",
			"subnet-id": "subnetId", "vpc-id": "vpcId", "availability-zone": "availabilityZone", "status": "status", "interface-type": "interfaceType"}},
		"SecurityGroups": {SecurityGroup, "securityGroupInfo", "GroupId", "group", map[string]string{
			"group-id": "groupId", "group-name": "groupName", "vpc-id": "vpcId", "description": "groupDescription"}},
		"NetworkAcls": {NetworkACL, "networkAclSet", "NetworkAclId", "networkAcl", map[string]string{
			"network-acl-id": "networkAclId", "vpc-id": "vpcId", "default": "default", "association.subnet-id": "associationSet.subnetId",
			"association.association-id": "associationSet.networkAclAssociationId", "association.network-acl-id": "networkAclId"}},
		"Subnets": {Subnet, "subnetSet", "SubnetId", "subnet", map[string]string{
			"subnet-id": "subnetId", "vpc-id": "vpcId", "availability-zone": "availabilityZone", "owner-id": "ownerId", "state": "state"}},
		"Vpcs": {VPC, "vpcSet", "VpcId", "vpc", map[string]string{"vpc-id": "vpcId", "is-default": "isDefault", "owner-id": "ownerId"}},
		"RouteTables": {RouteTable, "routeTableSet", "RouteTableId", "routeTable", map[string]string{
			"route-table-id": "routeTableId", "vpc-id": "vpcId", "association.subnet-id": "associationSet.subnetId", "association.main": "associationSet.main",
			"association.route-table-association-id": "associationSet.routeTableAssociationId", "route.destination-cidr-block": "routeSet.destinationCidrBlock"}},
		"VpcEndpoints": {VPCEndpoint, "vpcEndpointSet", "VpcEndpointId", "vpcEndpoint", map[string]string{
			"vpc-endpoint-id": "vpcEndpointId", "vpc-id": "vpcId", "service-name": "serviceName", "vpc-endpoint-type": "vpcEndpointType", "vpc-endpoint-state": "state"}},
		"Volumes": {Volume, "volumeSet", "VolumeId", "volume", map[string]string{
			"volume-id": "volumeId", "attachment.instance-id": "attachmentSet.instanceId", "encrypted": "encrypted"}},
	}
}

func instanceDescription() description {
	return description{Instance, "", "InstanceId", "instance", map[string]string{
		"instance-id": "instanceId", "instance-state-name": "instanceState.name", "vpc-id": "vpcId", "subnet-id": "subnetId", "instance-type": "instanceType",
		"availability-zone": "placement.availabilityZone", "private-ip-address": "privateIpAddress", "instance-lifecycle": "instanceLifecycle",
		"instance.group-id": "groupSet.groupId", "root-device-type": "rootDeviceType", "network-interface.network-interface-id": "_nic"}}
}

func (d description) describe(k *call) (Doc, error) {
	found, err := d.find(k)
	if err != nil {
		return nil, err
	}
	page, next := k.paged(found, "NextToken", "MaxResults")
	shown := []Doc{}
	for _, one := range page {
		shown = append(shown, withTagSet(one))
	}
	return Doc{d.set: shown, "nextToken": next}, nil
}

// find is what is seen of the ids, and passes the filters.
func (d description) find(k *call) (found []Doc, err error) {
	ids, values := k.in.Strs(d.ids), 0
	for _, f := range k.in.Docs("Filter") {
		if len(f.Strs("Value")) == 0 {
			return nil, &Error{Code: "InvalidParameterValue", Message: fmt.Sprintf("No values were given for the filter '%s'", f.Str("Name"))}
		}
		values += len(f.Strs("Value"))
	}
	switch {
	case values > 200:
		return nil, &Error{Code: "FilterLimitExceeded", Message: "The maximum number of filter values specified on a single call is 200"}
	case len(ids) > 1000:
		return nil, &Error{Code: "InvalidParameterValue", Message: "The maximum number of IDs specified on a single call is 1000"}
	case len(ids) > 0 && k.in.Has("MaxResults"):
		return nil, &Error{Code: "InvalidParameterCombination", Message: "The parameter " + d.noun + "sSet cannot be used with the parameter maxResults"}
	}
	for _, id := range ids {
		one := k.seen(d.kind.ARN(k.Place, id))
		if one == nil {
			return nil, notFound(d.noun, id)
		}
		found = append(found, one)
	}
	if len(ids) == 0 {
		found = k.list(k.Place, d.kind, true)
	}
	for _, f := range k.in.Docs("Filter") {
		path, known := d.filters[f.Str("Name")]
		if !known && !strings.HasPrefix(f.Str("Name"), "tag") {
			return nil, &Error{Code: "InvalidParameterValue", Message: fmt.Sprintf("The filter '%s' is invalid", f.Str("Name"))}
		}
		found = slices.DeleteFunc(slices.Clone(found), func(one Doc) bool { return !passes(one, f.Str("Name"), path, f.Strs("Value")) })
	}
	return found, nil
}

func passes(one Doc, filter, path string, wanted []string) bool {
	is := valuesAt(one, path)
	if key, byTag := strings.CutPrefix(filter, "tag:"); byTag {
		is = nil
		if value, has := tags(one)[key]; has {
			is = []string{value}
		}
	}
	if filter == "tag-key" {
		is = slices.Collect(maps.Keys(tags(one)))
	}
	return slices.ContainsFunc(is, func(value string) bool {
		return slices.ContainsFunc(wanted, func(pattern string) bool { return policy.Like(pattern, value) })
	})
}

// valuesAt are the texts at a path that may lead through lists.
func valuesAt(d Doc, path string) (all []string) {
	first, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		if text := d.Str(first); text != "" {
			all = append(all, text)
		}
		return append(all, d.Strs(first)...)
	}
	if below := wire.AsDoc(d[first]); below != nil {
		return valuesAt(below, rest)
	}
	for _, one := range d.Docs(first) {
		all = append(all, valuesAt(one, rest)...)
	}
	return all
}

// notFound is EC2's word for an id that is not.
func notFound(noun, id string) *Error {
	code := map[string]string{
		"instance": "InvalidInstanceID.NotFound", "networkInterface": "InvalidNetworkInterfaceID.NotFound", "group": "InvalidGroup.NotFound",
		"networkAcl": "InvalidNetworkAclID.NotFound", "subnet": "InvalidSubnetID.NotFound", "vpc": "InvalidVpcID.NotFound",
		"routeTable": "InvalidRouteTableID.NotFound", "vpcEndpoint": "InvalidVpcEndpointId.NotFound", "volume": "InvalidVolume.NotFound",
		"association": "InvalidAssociationID.NotFound",
	}[noun]
	if noun == "instance" && !regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`).MatchString(id) {
		return &Error{Code: "InvalidInstanceID.Malformed", Message: fmt.Sprintf("Invalid id: %q", id)}
	}
	return &Error{Code: code, Message: fmt.Sprintf("The %s ID '%s' does not exist", noun, id)}
}

// unknown is EC2's word for an ARN that is not.
func unknown(arn string) *Error {
	kind, id, _ := strings.Cut(arn[strings.LastIndexByte(arn, ':')+1:], "/")
	noun := map[string]string{"network-interface": "networkInterface", "security-group": "group", "network-acl": "networkAcl", "route-table": "routeTable", "vpc-endpoint": "vpcEndpoint"}[kind]
	if noun == "" {
		noun = kind
	}
	return notFound(noun, id)
}

func withTagSet(d Doc) Doc {
	shown := maps.Clone(d)
	shown["tagSet"] = pairs(tags(d), "key", "value")
	return shown
}

// asked are the tags that a call puts on what it makes.
func asked(k *call) map[string]string {
	all := map[string]string{}
	for _, s := range k.in.Docs("TagSpecification") {
		maps.Copy(all, unpaired(s.Docs("Tag"), "Key", "Value"))
	}
	return all
}

// requested is the context of tags in a call.
func requested(tags map[string]string) map[string][]string {
	if len(tags) == 0 {
		return nil
	}
	c := map[string][]string{"aws:TagKeys": slices.Sorted(maps.Keys(tags))}
	for key, value := range tags {
		c["aws:RequestTag/"+key] = []string{value}
	}
	return c
}

// created is the permission to make something, in something, and to tag it.
func created(kind, in Kind, key string) func(k *call) []Need {
	return func(k *call) []Need {
		what, context := kind.ARN(k.Place, "*"), requested(asked(k))
		all := []Need{{Resource: what, Context: context}}
		if id := k.in.Str(key); id != "" {
			all = append(all, Need{Resource: in.ARN(k.Place, id)})
		}
		if context != nil {
			with := maps.Clone(context)
			with["ec2:CreateAction"] = []string{k.name}
			all = append(all, Need{Action: "ec2:CreateTags", Resource: what, Context: with})
		}
		return all
	}
}

// arnOf finds what an id of EC2 belongs to.
func (k *call) arnOf(id string) string {
	for _, kind := range []Kind{Instance, NetworkInterface, SecurityGroup, NetworkACL, Subnet, VPC, RouteTable, VPCEndpoint, Volume} {
		if arn := kind.ARN(k.Place, id); k.now(arn) != nil {
			return arn
		}
	}
	return ""
}

func onTagged(k *call) (all []Need) {
	for _, id := range k.in.Strs("ResourceId") {
		all = append(all, Need{Resource: k.arnOf(id), Context: requested(unpaired(k.in.Docs("Tag"), "Key", "Value"))})
	}
	return all
}

func createTags(k *call) (Doc, error) {
	add := unpaired(k.in.Docs("Tag"), "Key", "Value")
	return retagAll(k, func(d Doc) { retag(d, add) })
}

func deleteTags(k *call) (Doc, error) {
	return retagAll(k, func(d Doc) { retag(d, nil, slices.Collect(maps.Keys(unpaired(k.in.Docs("Tag"), "Key", "Value")))...) })
}

func retagAll(k *call, change func(Doc)) (Doc, error) {
	for _, id := range k.in.Strs("ResourceId") {
		arn := k.arnOf(id)
		if arn == "" {
			return nil, &Error{Code: "InvalidID", Message: fmt.Sprintf("The ID '%s' is not valid", id)}
		}
		after := k.now(arn).Clone()
		if change(after); len(tags(after)) > 50 {
			return nil, &Error{Code: "TagLimitExceeded", Message: "The maximum number of tags (50) for this resource has been reached"}
		}
		k.write(arn, after)
	}
	return Doc{"return": true}, nil
}

func describeRegions(k *call) (Doc, error) {
	return Doc{"regionInfo": []Doc{{"regionName": k.Region, "optInStatus": "opt-in-not-required"}}}, nil
}

func describeZones(k *call) (Doc, error) {
	all := []Doc{}
	for _, zone := range zones(k.Place) {
		all = append(all, Doc{"zoneName": zone, "zoneState": "available", "regionName": k.Region, "zoneType": "availability-zone"})
	}
	return Doc{"availabilityZoneInfo": all}, nil
}

func zones(p Place) []string { return []string{p.Region + "a", p.Region + "b", p.Region + "c"} }
