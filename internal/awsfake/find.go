package awsfake

import (
	"maps"
	"slices"
	"strings"

	"mishap/internal/awsfake/wire"
)

// Services that find resources of others. Stack is one of CloudFormation, whose
// "_members" are the ARNs of its resources; ResourceGroup has them too.
const (
	Stack         Kind = "arn:aws:cloudformation:{region}:{account}:stack/{id}/00000000-0000-4000-8000-000000000000"
	ResourceGroup Kind = "arn:aws:resource-groups:{region}:{account}:group/{id}"
)

func tagging() Service {
	return Service{prefix: "tag", actions: map[string]action{"GetResources": {do: getResources}}}
}

func resourceGroups() Service {
	return Service{prefix: "resource-groups", actions: map[string]action{
		"ListGroupResources": {do: groupResources, needs: func(k *call) []Need { return []Need{{Resource: groupARN(k)}} }},
	}, route: func(q wire.Request) (string, Doc) {
		return map[string]string{"list-group-resources": "ListGroupResources"}[q.Path[0]], q.In
	}}
}

func cloudFormation() Service {
	stack := func(k *call) []Need { return []Need{{Resource: stackARN(k)}} }
	return Service{prefix: "cloudformation", actions: map[string]action{
		"DescribeStackResources": {do: stackResources, needs: stack},
		"ListStackResources":     {do: stackResources, needs: stack},
	}}
}

// AddStack seeds a stack that made the resources.
func (c *Cloud) AddStack(p Place, name string, arns ...string) {
	defer c.lock()()
	c.plant(p, Stack, name, Doc{"StackName": name, "_members": arns})
}

// AddResourceGroup seeds a resource group of the resources.
func (c *Cloud) AddResourceGroup(p Place, name string, arns ...string) {
	defer c.lock()()
	c.plant(p, ResourceGroup, name, Doc{"Name": name, "_members": arns})
}

// resourceTypes are the names of kinds in CloudFormation, by how their ARNs
// begin behind the account.
func resourceTypes() map[string]string {
	return map[string]string{
		"ec2:instance": "AWS::EC2::Instance", "ec2:subnet": "AWS::EC2::Subnet", "ec2:network-interface": "AWS::EC2::NetworkInterface",
		"ec2:security-group": "AWS::EC2::SecurityGroup", "ec2:network-acl": "AWS::EC2::NetworkAcl", "ec2:route-table": "AWS::EC2::RouteTable",
		"ec2:vpc-endpoint": "AWS::EC2::VPCEndpoint", "ec2:vpc": "AWS::EC2::VPC", "autoscaling:autoScalingGroup": "AWS::AutoScaling::AutoScalingGroup",
		"lambda:function": "AWS::Lambda::Function", "lambda:event-source-mapping": "AWS::Lambda::EventSourceMapping", "dynamodb:table": "AWS::DynamoDB::Table",
		"kinesis:stream": "AWS::Kinesis::Stream", "iam:role": "AWS::IAM::Role", "sqs:": "AWS::SQS::Queue", "s3:": "AWS::S3::Bucket",
	}
}

// typeOf is the short and the long name of a resource's type.
func typeOf(arn string) (short, long string) {
	parts := strings.SplitN(arn+":::::", ":", 6)
	kind, _, is := strings.Cut(strings.Replace(strings.TrimRight(parts[5], ":"), "/", ":", 1), ":")
	if !is {
		kind = "" // a name without a type
	}
	return parts[2] + ":" + kind, resourceTypes()[parts[2]+":"+kind]
}

// getResources finds what carries tags, of all services.
func getResources(k *call) (Doc, error) {
	found := []Doc{}
	switch arns, filters := k.in.Strs("ResourceARNList"), k.in.Docs("TagFilters"); {
	case len(arns) > 100:
		return nil, &Error{Code: "InvalidParameterException", Message: "Member must have length less than or equal to 100: resourceARNList"}
	case len(filters) > 50:
		return nil, &Error{Code: "InvalidParameterException", Message: "Member must have length less than or equal to 50: tagFilters"}
	case len(arns) > 0 && len(filters) > 0:
		return nil, &Error{Code: "InvalidParameterException", Message: "ResourceARNList cannot be given with any other parameter"}
	}
	for _, h := range k.inOrder() {
		d := k.seen(h.arn)
		kind, _ := typeOf(h.arn)
		service, _, _ := strings.Cut(kind, ":")
		of, only := k.in.Strs("ResourceTypeFilters"), k.in.Strs("ResourceARNList")
		switch {
		case d == nil || len(tags(d)) == 0:
		case h.place.Account != k.Account || h.place.Region != k.Region && d.Str("BucketRegion") != k.Region:
		case len(of) > 0 && !slices.Contains(of, strings.TrimSuffix(kind, ":")) && !slices.Contains(of, service):
		case len(only) > 0 && !slices.Contains(only, h.arn):
		case slices.ContainsFunc(k.in.Docs("TagFilters"), func(f Doc) bool { return !tagged(d, f.Str("Key"), f.Strs("Values")) }):
		default:
			found = append(found, Doc{"ResourceARN": h.arn, "Tags": pairs(tags(d), "Key", "Value")})
		}
	}
	k.few("ResourcesPerPage", 50, 100)
	page, next := k.paged(found, "PaginationToken", "ResourcesPerPage")
	if next == nil {
		next = ""
	}
	return Doc{"ResourceTagMappingList": page, "PaginationToken": next}, nil
}

func tagged(d Doc, key string, values []string) bool {
	value, has := tags(d)[key]
	return has && (len(values) == 0 || slices.Contains(values, value))
}

// inOrder is all that ever was, in the order it was made.
func (c *Cloud) inOrder() []*history {
	return slices.SortedFunc(maps.Values(c.docs), func(a, b *history) int { return a.order - b.order })
}

func groupARN(k *call) string {
	name := k.in.Str("Group")
	if name == "" {
		name = k.in.Str("GroupName")
	}
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return ResourceGroup.ARN(k.Place, name)
}

func groupResources(k *call) (Doc, error) {
	g := k.seen(groupARN(k))
	if g == nil {
		return nil, &Error{Status: 404, Code: "NotFoundException", Message: "Cannot find group " + groupARN(k)}
	}
	all := []Doc{}
	for _, arn := range g.Strs("_members") {
		_, long := typeOf(arn)
		all = append(all, Doc{"Identifier": Doc{"ResourceArn": arn, "ResourceType": long}})
	}
	k.pageSize = 50
	page, next := k.paged(all, "NextToken", "MaxResults")
	identifiers := []any{}
	for _, one := range page {
		identifiers = append(identifiers, one["Identifier"])
	}
	return Doc{"Resources": page, "ResourceIdentifiers": identifiers, "NextToken": next}, nil
}

func stackARN(k *call) string { return Stack.ARN(k.Place, k.in.Str("StackName")) }

func stackResources(k *call) (Doc, error) {
	s := k.seen(stackARN(k))
	if s == nil {
		return nil, invalid("Stack with id " + k.in.Str("StackName") + " does not exist")
	}
	all := []Doc{}
	for i, arn := range s.Strs("_members") {
		_, long := typeOf(arn)
		all = append(all, Doc{"StackName": s["StackName"], "LogicalResourceId": "Resource" + string(rune('A'+i)), "PhysicalResourceId": k.physical(arn),
			"ResourceType": long, "ResourceStatus": "CREATE_COMPLETE", "Timestamp": k.at, "LastUpdatedTimestamp": k.at})
	}
	if k.name == "DescribeStackResources" {
		return Doc{"StackResources": all[:min(100, len(all))]}, nil
	}
	k.pageSize = 100
	page, next := k.paged(all, "NextToken", "")
	return Doc{"StackResourceSummaries": page, "NextToken": next}, nil
}

// physical is what CloudFormation calls a resource: its id, or the URL of a queue.
func (k *call) physical(arn string) string {
	d := k.now(arn)
	if url := d.Str("_url"); url != "" {
		return url
	}
	return d.Str("_id")
}
