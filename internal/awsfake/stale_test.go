package awsfake_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"mishap/internal/awsfake"
)

// said is an answer as text, or its error.
func said(out any, err error) string {
	if err != nil {
		return code(err)
	}
	text, _ := json.Marshal(out)
	var plain map[string]any
	_ = json.Unmarshal(text, &plain)
	delete(plain, "ResultMetadata") // when it was answered
	text, _ = json.Marshal(plain)
	return string(text)
}

func TestReadsOfAllServicesShowThePast(t *testing.T) {
	in(t, awsfake.Settings{Stale: 5 * time.Second}, func(t *testing.T, c *awsfake.Cloud) {
		ctx, config := t.Context(), admin(c, one)
		machines, groups, roles, parameters := ec2.NewFromConfig(config), autoscaling.NewFromConfig(config), iam.NewFromConfig(config), ssm.NewFromConfig(config)
		functions, queues, buckets := lambda.NewFromConfig(config), sqs.NewFromConfig(config), s3.NewFromConfig(config)
		tables, streams, tags := dynamodb.NewFromConfig(config), kinesis.NewFromConfig(config), resourcegroupstaggingapi.NewFromConfig(config)
		members := c.AddGroup(one, "web", 1, 2, 3, nil)
		id, url := c.Launch(one, 1, nil)[0], c.AddQueue(one, "orders", "", nil)
		c.AddRole(one.Account, "app", "", nil, nil)
		c.AddBucket(one, "photos", "", nil)
		c.AddFunction(one, "pay", nil)
		uuid := c.AddMapping(one, "pay", "arn:aws:sqs:eu-west-1:111111111111:orders", nil)
		table, stream := c.AddTable(one, "carts", "", nil), c.AddStream(one, "clicks", "", nil)
		vpce := c.AddEndpoint(one, "s3", "Gateway", nil)
		routes, denies := c.All(one, awsfake.RouteTable)[0].Str("routeTableId"), aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"x:y","Resource":"*"}]}`)
		name := aws.String
		for what, test := range map[string]struct{ change, read func() (any, error) }{
			"status": {func() (any, error) {
				return machines.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}})
			}, func() (any, error) {
				return machines.DescribeInstanceStatus(ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: []string{id}, IncludeAllInstances: aws.Bool(true)})
			}},
			"protection": {func() (any, error) {
				return machines.ModifyInstanceAttribute(ctx, &ec2.ModifyInstanceAttributeInput{InstanceId: &id, DisableApiTermination: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}})
			}, func() (any, error) {
				return machines.DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: "disableApiTermination"})
			}},
			"routes": {func() (any, error) {
				return machines.DeleteRoute(ctx, &ec2.DeleteRouteInput{RouteTableId: &routes, DestinationCidrBlock: name("0.0.0.0/0")})
			}, func() (any, error) { return machines.DescribeRouteTables(ctx, nil) }},
			"endpoint": {func() (any, error) {
				return machines.ModifyVpcEndpoint(ctx, &ec2.ModifyVpcEndpointInput{VpcEndpointId: &vpce, RemoveRouteTableIds: []string{routes}})
			}, func() (any, error) { return machines.DescribeVpcEndpoints(ctx, nil) }},
			"tags": {func() (any, error) {
				return machines.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: make51()[:1]})
			}, func() (any, error) { return tags.GetResources(ctx, nil) }},
			"group": {func() (any, error) {
				return groups.SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: name("web")})
			}, func() (any, error) { return groups.DescribeAutoScalingGroups(ctx, nil) }},
			"members": {func() (any, error) {
				return groups.EnterStandby(ctx, &autoscaling.EnterStandbyInput{AutoScalingGroupName: name("web"), InstanceIds: members[:1], ShouldDecrementDesiredCapacity: aws.Bool(true)})
			}, func() (any, error) { return groups.DescribeAutoScalingInstances(ctx, nil) }},
			"role": {func() (any, error) {
				return roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name("app"), PolicyName: name("p"), PolicyDocument: denies})
			}, func() (any, error) {
				return roles.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name("app")})
			}},
			"parameter": {func() (any, error) {
				return parameters.PutParameter(ctx, &ssm.PutParameterInput{Name: name("/a"), Value: name("v"), Type: "String"})
			}, func() (any, error) {
				return parameters.GetParametersByPath(ctx, &ssm.GetParametersByPathInput{Path: name("/")})
			}},
			"concurrency": {func() (any, error) {
				return functions.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: name("pay"), ReservedConcurrentExecutions: aws.Int32(0)})
			}, func() (any, error) {
				return functions.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: name("pay")})
			}},
			"mapping": {func() (any, error) {
				return functions.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: &uuid, Enabled: aws.Bool(false)})
			}, func() (any, error) { return functions.ListEventSourceMappings(ctx, nil) }},
			"queue": {func() (any, error) {
				return queues.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"Policy": *denies}})
			}, func() (any, error) {
				return queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"Policy"}})
			}},
			"bucket": {func() (any, error) {
				return buckets.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: name("photos"), Policy: denies})
			}, func() (any, error) {
				return buckets.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: name("photos")})
			}},
			"table": {func() (any, error) {
				return tables.PutResourcePolicy(ctx, &dynamodb.PutResourcePolicyInput{ResourceArn: &table, Policy: denies})
			}, func() (any, error) {
				return tables.GetResourcePolicy(ctx, &dynamodb.GetResourcePolicyInput{ResourceArn: &table})
			}},
			"stream": {func() (any, error) {
				return streams.PutResourcePolicy(ctx, &kinesis.PutResourcePolicyInput{ResourceARN: &stream, Policy: denies})
			}, func() (any, error) {
				return streams.GetResourcePolicy(ctx, &kinesis.GetResourcePolicyInput{ResourceARN: &stream})
			}},
		} {
			time.Sleep(10 * time.Second) // until what was before is over
			before := said(test.read())
			if _, err := test.change(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			time.Sleep(4 * time.Second)
			wants(t, what+" soon", said(test.read()), before)
			time.Sleep(time.Second)
			if after := said(test.read()); after == before {
				t.Errorf("%s: it is as before after 5 s: %s", what, after)
			}
		}
	})
}
