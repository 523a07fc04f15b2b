package awsfake_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"mishap/internal/awsfake"
	"mishap/internal/cloud"
)

// motoURL starts a moto that ends with the test.
func motoURL(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed")
	}
	command := exec.Command(path, "-H", "127.0.0.1", "-p", "0")
	command.Env = append(os.Environ(), "MOTO_EC2_LOAD_DEFAULT_AMIS=false")
	log, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stdout = command.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	for running := regexp.MustCompile(`Running on (http://\S+)`); lines.Scan(); {
		if found := running.FindStringSubmatch(lines.Text()); found != nil {
			go func() {
				for lines.Scan() { // so that it never waits for a reader
				}
			}()
			return found[1]
		}
	}
	t.Fatal("moto ended before it listened")
	return ""
}

// side is one of two AWSs that are asked the same.
type side struct {
	context.Context
	config   aws.Config
	instance string
	ec2      *ec2.Client
}

// code is what an answer says: the code of its error, or what it shows.
func code(err error, shows ...any) string {
	var api smithy.APIError
	switch {
	case errors.As(err, &api):
		return api.ErrorCode()
	case err != nil:
		return err.Error()
	}
	return strings.TrimSpace(fmt.Sprintln(shows...))
}

// values of pointers, where there are any.
func value[T any](p *T) any {
	if p == nil {
		return "none"
	}
	return *p
}

func (s side) stop(ids ...string) string {
	out, err := s.ec2.StopInstances(s, &ec2.StopInstancesInput{InstanceIds: ids})
	if err != nil {
		return code(err)
	}
	change := out.StoppingInstances[0]
	return fmt.Sprint(change.PreviousState.Name, change.CurrentState.Name, *change.CurrentState.Code)
}

func (s side) vpc() *string {
	out, err := s.ec2.DescribeVpcs(s, &ec2.DescribeVpcsInput{Filters: []types.Filter{{Name: aws.String("is-default"), Values: []string{"true"}}}})
	if err != nil || len(out.Vpcs) != 1 {
		panic(fmt.Sprint(out, err))
	}
	return out.Vpcs[0].VpcId
}

func TestWhereMotoIsRightTheFakeAnswersAlike(t *testing.T) {
	url := motoURL(t)
	place := awsfake.Place{Account: "123456789012", Region: "eu-west-1"}
	c := awsfake.New(awsfake.Settings{})
	c.Enter(place)
	c.AddQueue(place, "orders", "", nil)
	c.AddBucket(place, "photos", "", nil)
	c.AddTable(place, "carts", "", nil)
	c.AddStream(place, "clicks", "", nil)
	c.AddRole(place.Account, "app", "", nil, nil)
	c.AddGroup(place, "web", 1, 2, 3, nil)
	c.AddFunction(place, "pay", nil)
	moto := aws.Config{Region: place.Region, BaseEndpoint: &url, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "testing", SecretAccessKey: "testing"}, nil
		})}
	seed(t, moto)
	sides := []side{{Context: t.Context(), config: moto}, {Context: t.Context(), config: admin(c, place)}}
	for i := range sides {
		s := &sides[i]
		s.ec2 = ec2.NewFromConfig(s.config)
		subnets, err := s.ec2.DescribeSubnets(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.ec2.RunInstances(t.Context(), &ec2.RunInstancesInput{SubnetId: subnets.Subnets[0].SubnetId, ImageId: aws.String("ami-12345678"), MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
			TagSpecifications: []types.TagSpecification{{ResourceType: "instance", Tags: []types.Tag{{Key: aws.String("Role"), Value: aws.String("pay")}}}}})
		if err != nil {
			t.Fatal(err)
		}
		s.instance = *out.Instances[0].InstanceId
	}
	for _, ask := range questions() {
		if m, f := ask.of(sides[0]), ask.of(sides[1]); m != f {
			t.Errorf("%s: moto %s, the fake %s", ask.name, m, f)
		} else {
			t.Logf("%s: %s", ask.name, strings.TrimSpace(m))
		}
	}
}

// seed puts into moto what the fake was seeded with.
func seed(t *testing.T, config aws.Config) {
	t.Helper()
	_, err := sqs.NewFromConfig(config).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("orders")})
	_, err2 := s3.NewFromConfig(config).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("photos"), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
	_, err3 := dynamodb.NewFromConfig(config).CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: aws.String("carts"), BillingMode: "PAY_PER_REQUEST",
		KeySchema:            []dynamodbtypes.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: "HASH"}},
		AttributeDefinitions: []dynamodbtypes.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: "S"}}})
	_, err4 := kinesis.NewFromConfig(config).CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("clicks"), ShardCount: aws.Int32(1)})
	_, err5 := iam.NewFromConfig(config).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[]}`)})
	groups := autoscaling.NewFromConfig(config)
	_, err6 := groups.CreateLaunchConfiguration(t.Context(), &autoscaling.CreateLaunchConfigurationInput{LaunchConfigurationName: aws.String("l"), ImageId: aws.String("ami-12345678"), InstanceType: aws.String("t3.micro")})
	_, err7 := groups.CreateAutoScalingGroup(t.Context(), &autoscaling.CreateAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), LaunchConfigurationName: aws.String("l"),
		MinSize: aws.Int32(1), MaxSize: aws.Int32(3), DesiredCapacity: aws.Int32(2), AvailabilityZones: []string{"eu-west-1a"}})
	if err := errors.Join(err, err2, err3, err4, err5, err6, err7); err != nil {
		t.Fatal(err)
	}
}

type question struct {
	name string
	of   func(s side) string
}

func questions() []question {
	return slices.Concat(ec2Questions(), groupQuestions(), policyQuestions(), otherQuestions())
}

func ec2Questions() []question {
	yes := aws.Bool(true)
	return []question{
		{"describe an unknown instance", func(s side) string {
			_, err := s.ec2.DescribeInstances(s, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-0123456789abcdef0"}})
			return code(err)
		}},
		{"stop some that are not", func(s side) string { return s.stop(s.instance, "i-0123456789abcdef0") }},
		{"dry run", func(s side) string {
			_, err := s.ec2.StopInstances(s, &ec2.StopInstancesInput{InstanceIds: []string{s.instance}, DryRun: yes})
			return code(err)
		}},
		{"stop one that is protected", func(s side) string {
			for _, on := range []bool{true, false} {
				if _, err := s.ec2.ModifyInstanceAttribute(s, &ec2.ModifyInstanceAttributeInput{InstanceId: &s.instance, DisableApiStop: &types.AttributeBooleanValue{Value: &on}}); err != nil {
					return code(err)
				}
				if on {
					if got := s.stop(s.instance); got != "OperationNotPermitted" {
						return got
					}
				}
			}
			out, err := s.ec2.DescribeInstanceAttribute(s, &ec2.DescribeInstanceAttributeInput{InstanceId: &s.instance, Attribute: "disableApiStop"})
			return code(err, value(out.DisableApiStop.Value))
		}},
		{"stop", func(s side) string { return s.stop(s.instance) }},
		{"find", func(s side) string {
			out, err := s.ec2.DescribeInstances(s, &ec2.DescribeInstancesInput{Filters: []types.Filter{
				{Name: aws.String("tag:Role"), Values: []string{"pay"}}, {Name: aws.String("instance-state-name"), Values: []string{"stopped"}}}})
			if err != nil || len(out.Reservations) != 1 {
				return code(err, len(out.Reservations))
			}
			i := out.Reservations[0].Instances[0]
			return fmt.Sprint(i.State.Name, i.RootDeviceType, len(i.NetworkInterfaces), i.NetworkInterfaces[0].Status, *i.Tags[0].Value)
		}},
		{"start", func(s side) string {
			out, err := s.ec2.StartInstances(s, &ec2.StartInstancesInput{InstanceIds: []string{s.instance}})
			return code(err, out.StartingInstances[0].PreviousState.Name, out.StartingInstances[0].CurrentState.Name)
		}},
		{"subnets", func(s side) string {
			out, err := s.ec2.DescribeSubnets(s, &ec2.DescribeSubnetsInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{*s.vpc()}}}})
			return code(err, len(out.Subnets), *out.Subnets[0].OwnerId)
		}},
		{"an ACL", func(s side) string {
			acl, err := s.ec2.CreateNetworkAcl(s, &ec2.CreateNetworkAclInput{VpcId: s.vpc()})
			if err != nil {
				return code(err)
			}
			entry := &ec2.CreateNetworkAclEntryInput{NetworkAclId: acl.NetworkAcl.NetworkAclId, RuleNumber: aws.Int32(7), Protocol: aws.String("-1"), RuleAction: "deny", Egress: yes, CidrBlock: aws.String("0.0.0.0/0")}
			_, first := s.ec2.CreateNetworkAclEntry(s, entry)
			_, again := s.ec2.CreateNetworkAclEntry(s, entry)
			_, gone := s.ec2.DeleteNetworkAcl(s, &ec2.DeleteNetworkAclInput{NetworkAclId: acl.NetworkAcl.NetworkAclId})
			_, twice := s.ec2.DeleteNetworkAcl(s, &ec2.DeleteNetworkAclInput{NetworkAclId: acl.NetworkAcl.NetworkAclId})
			return fmt.Sprint(value(acl.NetworkAcl.IsDefault), code(first), code(again), code(gone), code(twice))
		}},
		{"a security group", func(s side) string {
			input := &ec2.CreateSecurityGroupInput{GroupName: aws.String("g"), Description: aws.String("d"), VpcId: s.vpc()}
			group, err := s.ec2.CreateSecurityGroup(s, input)
			if err != nil {
				return code(err)
			}
			_, again := s.ec2.CreateSecurityGroup(s, input)
			all := []types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}
			_, revoked := s.ec2.RevokeSecurityGroupEgress(s, &ec2.RevokeSecurityGroupEgressInput{GroupId: group.GroupId, IpPermissions: all})
			_, twice := s.ec2.RevokeSecurityGroupEgress(s, &ec2.RevokeSecurityGroupEgressInput{GroupId: group.GroupId, IpPermissions: all})
			_, gone := s.ec2.DeleteSecurityGroup(s, &ec2.DeleteSecurityGroupInput{GroupId: group.GroupId})
			_, missing := s.ec2.DeleteSecurityGroup(s, &ec2.DeleteSecurityGroupInput{GroupId: group.GroupId})
			return fmt.Sprintln(code(again), code(revoked), code(twice), code(gone), code(missing))
		}},
		{"routes", func(s side) string {
			tables, err := s.ec2.DescribeRouteTables(s, &ec2.DescribeRouteTablesInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{*s.vpc()}}}})
			if err != nil {
				return code(err)
			}
			table, to := tables.RouteTables[0].RouteTableId, aws.String("192.168.0.0/16")
			_, missing := s.ec2.DeleteRoute(s, &ec2.DeleteRouteInput{RouteTableId: table, DestinationCidrBlock: to})
			_, none := s.ec2.ReplaceRoute(s, &ec2.ReplaceRouteInput{RouteTableId: aws.String("rtb-0123456789abcdef0"), DestinationCidrBlock: to, GatewayId: aws.String("igw-x")})
			return fmt.Sprint(value(tables.RouteTables[0].Associations[0].Main), code(missing), code(none))
		}},
		{"unknown ids", func(s side) string {
			_, nic := s.ec2.DescribeNetworkInterfaces(s, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{"eni-0123456789abcdef0"}})
			_, subnet := s.ec2.DescribeSubnets(s, &ec2.DescribeSubnetsInput{SubnetIds: []string{"subnet-0123456789abcdef0"}})
			_, table := s.ec2.DescribeRouteTables(s, &ec2.DescribeRouteTablesInput{RouteTableIds: []string{"rtb-0123456789abcdef0"}})
			_, endpoint := s.ec2.DescribeVpcEndpoints(s, &ec2.DescribeVpcEndpointsInput{VpcEndpointIds: []string{"vpce-0123456789abcdef0"}})
			_, group := s.ec2.DescribeSecurityGroups(s, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"sg-0123456789abcdef0"}})
			return fmt.Sprintln(code(nic), code(subnet), code(table), code(endpoint), code(group))
		}},
		{"terminate", func(s side) string {
			out, err := s.ec2.TerminateInstances(s, &ec2.TerminateInstancesInput{InstanceIds: []string{s.instance}})
			return code(err, out.TerminatingInstances[0].PreviousState.Name, out.TerminatingInstances[0].CurrentState.Name)
		}},
	}
}

func groupQuestions() []question {
	name := aws.String("web")
	group := func(s side) (*autoscaling.Client, autoscalingtypes.AutoScalingGroup) {
		client := autoscaling.NewFromConfig(s.config)
		out, err := client.DescribeAutoScalingGroups(s, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{*name}})
		if err != nil {
			panic(err)
		}
		return client, out.AutoScalingGroups[0]
	}
	return []question{
		{"a group", func(s side) string {
			_, g := group(s)
			return fmt.Sprint(*g.MinSize, *g.DesiredCapacity, *g.MaxSize, *g.HealthCheckType, len(g.SuspendedProcesses), g.Instances[0].LifecycleState, *g.Instances[0].HealthStatus)
		}},
		{"suspend and resume", func(s side) string {
			client, _ := group(s)
			_, err := client.SuspendProcesses(s, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: name, ScalingProcesses: []string{"Launch", "AZRebalance"}})
			if err != nil {
				return code(err)
			}
			_, err = client.ResumeProcesses(s, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: name, ScalingProcesses: []string{"AZRebalance"}})
			_, g := group(s)
			left := fmt.Sprint(len(g.SuspendedProcesses), *g.SuspendedProcesses[0].ProcessName)
			_, all := client.ResumeProcesses(s, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: name})
			return code(err, left, code(all))
		}},
		{"standby", func(s side) string {
			client, g := group(s)
			ids := []string{*g.Instances[0].InstanceId}
			_, err := client.EnterStandby(s, &autoscaling.EnterStandbyInput{AutoScalingGroupName: name, InstanceIds: ids, ShouldDecrementDesiredCapacity: aws.Bool(true)})
			if err != nil {
				return code(err)
			}
			_, g = group(s)
			there := fmt.Sprint(*g.DesiredCapacity, g.Instances[0].LifecycleState)
			_, err = client.ExitStandby(s, &autoscaling.ExitStandbyInput{AutoScalingGroupName: name, InstanceIds: ids})
			_, g = group(s)
			return code(err, there, *g.DesiredCapacity, g.Instances[0].LifecycleState)
		}},
		{"other subnets", func(s side) string {
			client, _ := group(s)
			subnets, err := s.ec2.DescribeSubnets(s, &ec2.DescribeSubnetsInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{*s.vpc()}}}})
			if err != nil {
				return code(err)
			}
			ids, zones := []string{}, map[string]bool{}
			for _, one := range subnets.Subnets[:2] {
				ids, zones[*one.AvailabilityZone] = append(ids, *one.SubnetId), true
			}
			_, err = client.UpdateAutoScalingGroup(s, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: name, VPCZoneIdentifier: aws.String(strings.Join(ids, ","))})
			_, g := group(s)
			return code(err, *g.VPCZoneIdentifier == strings.Join(ids, ","), len(g.AvailabilityZones) == len(zones), zones[g.AvailabilityZones[0]])
		}},
	}
}

func policyQuestions() []question {
	deny := aws.String(`{"Version":"2012-10-17","Statement":[{"Sid":"m","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`)
	return []question{
		{"a bucket's policy", func(s side) string {
			client, bucket := s3.NewFromConfig(s.config), aws.String("photos")
			_, missing := client.GetBucketPolicy(s, &s3.GetBucketPolicyInput{Bucket: bucket})
			_, put := client.PutBucketPolicy(s, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: deny})
			_, none := client.GetBucketPolicy(s, &s3.GetBucketPolicyInput{Bucket: aws.String("no-such-bucket")})
			_, denied := client.GetObject(s, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("a")})
			_, gone := client.DeleteBucketPolicy(s, &s3.DeleteBucketPolicyInput{Bucket: bucket})
			_, key := client.GetObject(s, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("a")})
			_, tags := client.GetBucketTagging(s, &s3.GetBucketTaggingInput{Bucket: bucket})
			where, err := client.GetBucketLocation(s, &s3.GetBucketLocationInput{Bucket: bucket})
			return fmt.Sprintln(code(missing), code(put), code(none), denied != nil, code(gone), code(key), code(tags), code(err, where.LocationConstraint))
		}},
		{"a bucket's policy, without the client of S3", func(s side) string {
			bucket := func(name string) cloud.Bucket {
				return cloud.Bucket{Config: s.config, Account: "123456789012", Name: name}
			}
			_, missing := bucket("photos").Policy(s)
			put := bucket("photos").PutPolicy(s, *deny)
			text, read := bucket("photos").Policy(s)
			gone := bucket("photos").DeletePolicy(s)
			_, again := bucket("photos").Policy(s)
			_, none := bucket("no-such-bucket").Policy(s)
			return fmt.Sprintln(code(missing), code(put), code(read, strings.Contains(text, `"m"`)), code(gone), code(again), code(none))
		}},
		{"a queue", func(s side) string {
			client := sqs.NewFromConfig(s.config)
			url, err := client.GetQueueUrl(s, &sqs.GetQueueUrlInput{QueueName: aws.String("orders")})
			if err != nil {
				return code(err)
			}
			_, missing := client.GetQueueUrl(s, &sqs.GetQueueUrlInput{QueueName: aws.String("none")})
			out, err := client.GetQueueAttributes(s, &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"Policy", "QueueArn"}})
			return code(err, out.Attributes, code(missing))
		}},
		{"a table's policy", func(s side) string {
			client := dynamodb.NewFromConfig(s.config)
			arn := aws.String("arn:aws:dynamodb:eu-west-1:123456789012:table/carts")
			_, missing := client.GetResourcePolicy(s, &dynamodb.GetResourcePolicyInput{ResourceArn: arn})
			_, put := client.PutResourcePolicy(s, &dynamodb.PutResourcePolicyInput{ResourceArn: arn, Policy: aws.String(strings.ReplaceAll(*deny, "s3:GetObject", "dynamodb:GetItem"))})
			_, gone := client.DeleteResourcePolicy(s, &dynamodb.DeleteResourcePolicyInput{ResourceArn: arn})
			_, unknown := client.DescribeTable(s, &dynamodb.DescribeTableInput{TableName: aws.String("none")})
			return fmt.Sprintln(code(missing), code(put), code(gone), code(unknown))
		}},
		{"a role's policies", func(s side) string {
			client, role, name := iam.NewFromConfig(s.config), aws.String("app"), aws.String("p")
			_, missing := client.GetRolePolicy(s, &iam.GetRolePolicyInput{RoleName: role, PolicyName: name})
			_, bad := client.PutRolePolicy(s, &iam.PutRolePolicyInput{RoleName: role, PolicyName: name, PolicyDocument: aws.String("{")})
			_, put := client.PutRolePolicy(s, &iam.PutRolePolicyInput{RoleName: role, PolicyName: name, PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sqs:*","Resource":"*"}]}`)})
			list, err := client.ListRolePolicies(s, &iam.ListRolePoliciesInput{RoleName: role})
			_, gone := client.DeleteRolePolicy(s, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: name})
			_, unknown := client.GetRole(s, &iam.GetRoleInput{RoleName: aws.String("none")})
			return fmt.Sprintln(code(missing), code(bad), code(put), code(err, list.PolicyNames), code(gone), code(unknown))
		}},
		{"a stream", func(s side) string {
			client := kinesis.NewFromConfig(s.config)
			out, err := client.DescribeStreamSummary(s, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("clicks")})
			_, missing := client.DescribeStreamSummary(s, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("none")})
			return code(err, out.StreamDescriptionSummary.StreamStatus, *out.StreamDescriptionSummary.StreamARN, code(missing))
		}},
	}
}

func otherQuestions() []question {
	return []question{
		{"who we are", func(s side) string {
			out, err := sts.NewFromConfig(s.config).GetCallerIdentity(s, nil)
			return code(err, *out.Account)
		}},
		{"parameters", func(s side) string {
			client := ssm.NewFromConfig(s.config)
			put := func(overwrite bool) string {
				out, err := client.PutParameter(s, &ssm.PutParameterInput{Name: aws.String("/mishap/a"), Value: aws.String("v"), Type: "SecureString", Overwrite: &overwrite})
				if err != nil {
					return code(err)
				}
				return fmt.Sprint(out.Version)
			}
			first, again, over := put(false), put(false), put(true)
			got, err := client.GetParameter(s, &ssm.GetParameterInput{Name: aws.String("/mishap/a"), WithDecryption: aws.Bool(true)})
			list, err2 := client.GetParametersByPath(s, &ssm.GetParametersByPathInput{Path: aws.String("/mishap"), Recursive: aws.Bool(true)})
			_, gone := client.DeleteParameter(s, &ssm.DeleteParameterInput{Name: aws.String("/mishap/a")})
			_, missing := client.DeleteParameter(s, &ssm.DeleteParameterInput{Name: aws.String("/mishap/a")})
			return fmt.Sprintln(first, again, over, code(err, *got.Parameter.Value, got.Parameter.Version, *got.Parameter.ARN), code(err2, len(list.Parameters)), code(gone), code(missing))
		}},
		{"an unknown function", func(s side) string {
			client, none := lambda.NewFromConfig(s.config), aws.String("none")
			_, err := client.GetFunction(s, &lambda.GetFunctionInput{FunctionName: none})
			_, mapping := client.GetEventSourceMapping(s, &lambda.GetEventSourceMappingInput{UUID: aws.String("00000000-0000-4000-8000-000000000000")})
			return fmt.Sprintln(code(err), code(mapping))
		}},
	}
}
