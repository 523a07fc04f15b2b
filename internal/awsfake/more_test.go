package awsfake_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mishap/internal/awsfake"
)

func TestCallsThatFilterNothingHaveALimitOfTheirOwnAndSomeShareOne(t *testing.T) {
	in(t, awsfake.Settings{Limits: awsfake.Documented()}, func(t *testing.T, c *awsfake.Cloud) {
		client, parameters := ec2.NewFromConfig(admin(c, one)), ssm.NewFromConfig(admin(c, one))
		describe := func(filters ...types.Filter) error {
			_, err := client.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{Filters: filters})
			return err
		}
		for range 50 {
			wants(t, "bare", describe(), nil)
		}
		refused(t, "RequestLimitExceeded", describe())
		wants(t, "filtered", describe(types.Filter{Name: aws.String("status"), Values: []string{"in-use"}}), nil)
		for range 20 {
			_, err := parameters.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/a"}})
			wants(t, "names", err, nil)
			_, err = parameters.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/")})
			wants(t, "path", err, nil)
		}
		_, err := parameters.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/a")})
		refused(t, "ThrottlingException", err)
	})
}

func TestAResourceMayAllowWhatARolesOwnPoliciesDoNot(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		arn := c.AddRole(one.Account, "app", "", nil, nil)
		client := sqs.NewFromConfig(once(c.Config(c.Key(one.Account, "role/app"), one.Region)))
		allow := fmt.Sprintf(`{"Statement": {"Effect": "Allow", "Principal": {"AWS": %q}, "Action": "sqs:SendMessage", "Resource": "*"}}`, arn)
		for name, text := range map[string]string{"theirs": "", "ours": allow} {
			url := c.AddQueue(one, name, text, nil)
			_, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("x")})
			if text == "" {
				refused(t, "AccessDenied", err)
			} else {
				wants(t, name, err, nil)
			}
		}
	})
}

func TestEachProcessOfAGroupIsSuspendedByItself(t *testing.T) {
	for process, want := range map[string]string{
		"ReplaceUnhealthy": "map[InService a:1 InService b:1 InService c:1] stopped",
		"Terminate":        "map[InService a:1 InService b:1 InService c:1] stopped",
		"HealthCheck":      "map[InService a:1 InService b:1 InService c:1] stopped",
		"Launch":           "map[InService b:1 InService c:1] terminated",
	} {
		in(t, slow(), func(t *testing.T, c *awsfake.Cloud) {
			members := c.AddGroup(one, "web", 1, 3, 6, nil)
			g := group{t, autoscaling.NewFromConfig(admin(c, one))}
			_, err := g.client.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: []string{process}})
			wants(t, process, err, nil)
			wants(t, process, stop(t.Context(), ec2.NewFromConfig(admin(c, one)), members[0]), nil)
			time.Sleep(5 * time.Minute)
			got := g.lives() + " " + c.Get(one, awsfake.Instance, members[0]).Str("instanceState.name")
			wants(t, process, got, want)
			_, err = g.client.ResumeProcesses(t.Context(), &autoscaling.ResumeProcessesInput{AutoScalingGroupName: aws.String("web")})
			wants(t, process, err, nil)
			time.Sleep(5 * time.Minute)
			got = g.lives() + " " + c.Get(one, awsfake.Instance, members[0]).Str("instanceState.name")
			wants(t, "resumed after "+process, got, "map[InService a:1 InService b:1 InService c:1] terminated")
		})
	}
}

func TestWhatIsTerminatedWhileItStopsStaysTerminated(t *testing.T) {
	in(t, awsfake.Settings{Stop: 40 * time.Second, Terminate: 10 * time.Second}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0]
		wants(t, "stop", stop(t.Context(), client, id), nil)
		_, err := client.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
		wants(t, "terminate", err, nil)
		time.Sleep(time.Minute)
		wants(t, "it", state(t, client, id), "terminated")
	})
}

func TestWhatAFunctionHasReservedIsNotCountedAgainstItself(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		c.AddFunction(one, "pay", nil)
		c.AddFunction(one, "other", nil)
		put := func(name string, n int32) error {
			_, err := lambda.NewFromConfig(admin(c, one)).PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: &n})
			return err
		}
		wants(t, "first", put("pay", 900), nil)
		wants(t, "again", put("pay", 900), nil)
		refused(t, "InvalidParameterValueException", put("other", 1))
	})
}

func TestSessionsAreNoLongerThanTheirRoleAndAChainAllow(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		arn := c.AddRole(one.Account, "mishap", "", map[string]string{"p": `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`}, nil)
		assume := func(key string, seconds int32) error {
			_, err := sts.NewFromConfig(once(c.Config(key, one.Region))).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("s"), DurationSeconds: &seconds})
			return err
		}
		refused(t, "ValidationError", assume(one.Account, 3601))
		c.Edit(awsfake.Place{Account: one.Account}, awsfake.Role, "mishap", func(d awsfake.Doc) { d["MaxSessionDuration"] = 7200 })
		wants(t, "two hours", assume(one.Account, 7200), nil)
		chained := c.Key(one.Account, "role/mishap")
		refused(t, "ValidationError", assume(chained, 3601))
		wants(t, "an hour", assume(chained, 3600), nil)
	})
}
