package awsfake_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mishap/internal/awsfake"
)

// asked is a harmless call of each service.
func asked(ctx context.Context, config aws.Config) map[string]error {
	_, ofEC2 := ec2.NewFromConfig(config).DescribeVpcs(ctx, nil)
	_, ofGroups := autoscaling.NewFromConfig(config).DescribeAutoScalingGroups(ctx, nil)
	_, ofRoles := iam.NewFromConfig(config).ListRoles(ctx, nil)
	_, ofStacks := cloudformation.NewFromConfig(config).DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: aws.String("shop")})
	_, ofParameters := ssm.NewFromConfig(config).DescribeParameters(ctx, nil)
	_, ofFunctions := lambda.NewFromConfig(config).ListFunctions(ctx, nil)
	_, ofQueues := sqs.NewFromConfig(config).ListQueues(ctx, nil)
	_, ofTables := dynamodb.NewFromConfig(config).ListTables(ctx, nil)
	_, ofStreams := kinesis.NewFromConfig(config).ListStreams(ctx, nil)
	_, ofBuckets := s3.NewFromConfig(config).ListBuckets(ctx, nil)
	return map[string]error{"ec2": ofEC2, "autoscaling": ofGroups, "iam": ofRoles, "cloudformation": ofStacks, "ssm": ofParameters,
		"lambda": ofFunctions, "sqs": ofQueues, "dynamodb": ofTables, "kinesis": ofStreams, "s3": ofBuckets}
}

func TestEachServiceRefusesInItsOwnWords(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		c.AddStack(one, "shop")
		for name, err := range asked(t.Context(), admin(c, one)) {
			wants(t, name, err, nil)
		}
		compare := func(what string, config aws.Config, want map[string]string) {
			t.Helper()
			for name, err := range asked(t.Context(), once(config)) {
				code, own := want[name]
				if !own {
					code = want[""]
				}
				t.Log(what, name)
				refused(t, code, err)
			}
		}
		compare("an unknown key", c.Config("AKIANOBODY", one.Region), map[string]string{"ec2": "AuthFailure", "s3": "InvalidAccessKeyId",
			"autoscaling": "InvalidClientTokenId", "iam": "InvalidClientTokenId", "cloudformation": "InvalidClientTokenId", "": "UnrecognizedClientException"})
		c.AddRole(one.Account, "nobody", "", nil, nil)
		compare("nothing allowed", c.Config(c.Key(one.Account, "role/nobody"), one.Region), map[string]string{"ec2": "UnauthorizedOperation",
			"autoscaling": "AccessDenied", "iam": "AccessDenied", "cloudformation": "AccessDenied", "s3": "AccessDenied", "sqs": "AccessDenied", "": "AccessDeniedException"})
		short, err := sts.NewFromConfig(admin(c, one)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111111111111:role/nobody"), RoleSessionName: aws.String("s"), DurationSeconds: aws.Int32(900)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		compare("an expired session", c.Config(*short.Credentials.AccessKeyId, one.Region), map[string]string{"ec2": "RequestExpired",
			"autoscaling": "ExpiredToken", "iam": "ExpiredToken", "cloudformation": "ExpiredToken", "s3": "ExpiredToken", "": "ExpiredTokenException"})
		c.Set(func(s *awsfake.Settings) { s.Limits = []awsfake.Limit{{Actions: "*"}} })
		compare("throttled", admin(c, one), map[string]string{"ec2": "RequestLimitExceeded", "autoscaling": "Throttling", "iam": "Throttling",
			"cloudformation": "Throttling", "lambda": "TooManyRequestsException", "s3": "SlowDown", "": "ThrottlingException"})
	})
}

func TestAnActionThatThereIsNotIsSaidToBeMissing(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		_, err := ec2.NewFromConfig(admin(c, one)).DescribeHosts(t.Context(), nil)
		refused(t, "InvalidAction", err)
		if !strings.Contains(err.Error(), `awsfake has no action "DescribeHosts" of ec2`) {
			t.Error(err)
		}
		unsigned := admin(c, one)
		unsigned.Credentials = aws.AnonymousCredentials{}
		_, err = ec2.NewFromConfig(unsigned).DescribeVpcs(t.Context(), nil)
		refused(t, "MissingAuthenticationToken", err)
	})
}

func TestAFunctionMayJudgeEachCall(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, id, n, effects := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0], 0, ""
		c.Judge(func(call awsfake.Call) awsfake.Fate {
			n++
			effects += c.Get(one, awsfake.Instance, id).Str("instanceState.name") + " "
			if n == 1 {
				return awsfake.FailsBefore("InternalError")
			}
			return awsfake.Fate{Then: func() { effects += "then " + c.Get(one, awsfake.Instance, id).Str("instanceState.name") }}
		})
		refused(t, "InternalError", stop(t.Context(), client, id))
		wants(t, "the second", stop(t.Context(), client, id), nil)
		wants(t, "seen before and after", effects, "running running then stopped")
		calls := c.Calls()
		wants(t, "done", fmt.Sprint(calls[0].Done, calls[1].Done), "false true")
	})
}

func TestWhatWasMadeIsSeenOnlyAfterAWhile(t *testing.T) {
	in(t, awsfake.Settings{Stale: 5 * time.Second}, func(t *testing.T, c *awsfake.Cloud) {
		client, vpc := ec2.NewFromConfig(admin(c, one)), aws.String(c.All(one, awsfake.VPC)[0].Str("vpcId"))
		made, err := client.CreateNetworkAcl(t.Context(), &ec2.CreateNetworkAclInput{VpcId: vpc})
		if err != nil {
			t.Fatal(err)
		}
		id := *made.NetworkAcl.NetworkAclId
		read := func() error {
			_, err := client.DescribeNetworkAcls(t.Context(), &ec2.DescribeNetworkAclsInput{NetworkAclIds: []string{id}})
			return err
		}
		refused(t, "InvalidNetworkAclID.NotFound", read())
		time.Sleep(5 * time.Second)
		wants(t, "seen", read(), nil)
		c.SetStale(time.Minute, "*:network-acl/"+id)
		_, err = client.DeleteNetworkAcl(t.Context(), &ec2.DeleteNetworkAclInput{NetworkAclId: &id})
		wants(t, "deleted", err, nil)
		time.Sleep(59 * time.Second)
		wants(t, "still seen", read(), nil)
		time.Sleep(time.Second)
		refused(t, "InvalidNetworkAclID.NotFound", read())
	})
}

func TestTheTimeMayBeATestsOwn(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	c := awsfake.New(awsfake.Settings{Stop: time.Hour, Now: func() time.Time { return now }})
	client, id := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0]
	wants(t, "stop", stop(t.Context(), client, id), nil)
	wants(t, "now", state(t, client, id), "stopping")
	now = now.Add(time.Hour)
	wants(t, "an hour later", state(t, client, id), "stopped")
}

func TestWhatEC2CannotDoItRefuses(t *testing.T) {
	in(t, awsfake.Settings{Start: time.Minute, Terminate: time.Minute}, func(t *testing.T, c *awsfake.Cloud) {
		client := ec2.NewFromConfig(admin(c, one))
		launch := func(d awsfake.Doc) string { return c.Launch(one, 1, nil, d)[0] }
		spot, guarded, well := launch(awsfake.Doc{"instanceLifecycle": "spot"}), launch(awsfake.Doc{"_attributes": awsfake.Doc{"disableApiTermination": true}}), launch(nil)
		terminate := func(id string) error {
			_, err := client.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
			return err
		}
		reboot := func(id string) error {
			_, err := client.RebootInstances(t.Context(), &ec2.RebootInstancesInput{InstanceIds: []string{id}})
			return err
		}
		refused(t, "UnsupportedOperation", stop(t.Context(), client, spot))
		refused(t, "OperationNotPermitted", terminate(guarded))
		_, err := client.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{well}, Hibernate: aws.Bool(true)})
		refused(t, "UnsupportedHibernationConfiguration", err)
		wants(t, "stop", stop(t.Context(), client, well), nil)
		refused(t, "IncorrectInstanceState", reboot(well))
		_, err = client.StartInstances(t.Context(), &ec2.StartInstancesInput{InstanceIds: []string{well}})
		wants(t, "start", err, nil)
		refused(t, "IncorrectInstanceState", stop(t.Context(), client, well))
		wants(t, "terminate", terminate(well), nil)
		time.Sleep(time.Minute)
		wants(t, "it", state(t, client, well), "terminated")
		refused(t, "IncorrectInstanceState", stop(t.Context(), client, well))
		time.Sleep(time.Hour)
		refused(t, "InvalidInstanceID.NotFound", stop(t.Context(), client, well))
		nic := c.Get(one, awsfake.Instance, spot).Str("_nic")
		group := c.All(one, awsfake.SecurityGroup)[0].Str("groupId")
		modify := func(ids ...string) error {
			_, err := client.ModifyNetworkInterfaceAttribute(t.Context(), &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &nic, Groups: ids})
			return err
		}
		refused(t, "InvalidGroup.NotFound", modify("sg-0000000000000dead"))
		refused(t, "SecurityGroupsPerInterfaceLimitExceeded", modify(group, group, group, group, group, group))
		c.Edit(one, awsfake.NetworkInterface, nic, func(d awsfake.Doc) { d["requesterManaged"] = true })
		refused(t, "AuthFailure", modify(group))
		regions, err := client.DescribeRegions(t.Context(), nil)
		wants(t, "region", fmt.Sprint(*regions.Regions[0].RegionName, err), "eu-west-1<nil>")
		zones, err := client.DescribeAvailabilityZones(t.Context(), nil)
		wants(t, "zones", fmt.Sprint(len(zones.AvailabilityZones), *zones.AvailabilityZones[2].ZoneName, err), "3eu-west-1c<nil>")
	})
}

func TestAGroupThatDoesNotBalanceStaysWhereItIs(t *testing.T) {
	in(t, slow(), func(t *testing.T, c *awsfake.Cloud) {
		members := c.AddGroup(one, "web", 1, 3, 6, nil)
		g, name := group{t, autoscaling.NewFromConfig(admin(c, one))}, aws.String("web")
		_, err := g.client.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: name, ScalingProcesses: []string{"AZRebalance"}})
		wants(t, "suspend", err, nil)
		first := c.All(one, awsfake.Subnet)[0].Str("subnetId")
		_, err = g.client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: name, VPCZoneIdentifier: &first})
		wants(t, "update", err, nil)
		time.Sleep(10 * time.Minute)
		wants(t, "stays", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
		wants(t, "stop", stop(t.Context(), ec2.NewFromConfig(admin(c, one)), members[2]), nil)
		time.Sleep(10 * time.Minute)
		wants(t, "replaced in its zone", g.lives(), "map[InService a:2 InService b:1]")
		_, err = g.client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: name, VPCZoneIdentifier: aws.String("subnet-0000000000000dead")})
		refused(t, "ValidationError", err)
		_, err = g.client.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: name, ScalingProcesses: []string{"Lunch"}})
		refused(t, "ValidationError", err)
		_, err = g.client.ExitStandby(t.Context(), &autoscaling.ExitStandbyInput{AutoScalingGroupName: name, InstanceIds: members[:1]})
		refused(t, "ValidationError", err)
	})
}

func TestARoleHasTagsAttachedPoliciesAndAPathThatIsProtected(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		c.AddRole(one.Account, "app", "", nil, map[string]string{"Role": "app"})
		c.Edit(awsfake.Place{Account: one.Account}, awsfake.Role, "app", func(d awsfake.Doc) {
			d["_managed"], d["Path"] = []string{`{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`}, "/aws-service-role/x/"
		})
		client, role := iam.NewFromConfig(admin(c, one)), aws.String("app")
		tags, err := client.ListRoleTags(t.Context(), &iam.ListRoleTagsInput{RoleName: role})
		if err != nil || *tags.Tags[0].Value != "app" {
			t.Errorf("%+v, %v", tags, err)
		}
		list, err := client.ListAttachedRolePolicies(t.Context(), &iam.ListAttachedRolePoliciesInput{RoleName: role})
		if err != nil || len(list.AttachedPolicies) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		_, err = client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: role, PolicyDocument: aws.String(`{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}`)})
		refused(t, "UnmodifiableEntity", err)
		_, err = ec2.NewFromConfig(once(c.Config(c.Key(one.Account, "role/app"), one.Region))).DescribeVpcs(t.Context(), nil)
		wants(t, "what is attached allows", err, nil)
	})
}
