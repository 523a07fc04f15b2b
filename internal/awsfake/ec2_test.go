package awsfake_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"mishap/internal/awsfake"
)

// state of an instance as a reader sees it.
func state(t *testing.T, client *ec2.Client, id string) string {
	t.Helper()
	out, err := client.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		t.Fatal(err)
	}
	return string(out.Reservations[0].Instances[0].State.Name)
}

func stop(ctx context.Context, client *ec2.Client, ids ...string) error {
	_, err := client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids})
	return err
}

func TestStoppingAndStartingTakeTheirTimeAndReadsShowThePast(t *testing.T) {
	in(t, awsfake.Settings{Stop: 40 * time.Second, Start: 20 * time.Second, Stale: 2 * time.Second}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0]
		out, err := client.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{id}})
		if err != nil || out.StoppingInstances[0].CurrentState.Name != "stopping" || out.StoppingInstances[0].PreviousState.Name != "running" {
			t.Fatalf("%+v, %v", out, err)
		}
		for _, step := range []struct {
			after time.Duration
			seen  string
			truly string
		}{{time.Second, "running", "stopping"}, {time.Second, "stopping", "stopping"}, {39 * time.Second, "stopping", "stopped"}, {2 * time.Second, "stopped", "stopped"}} {
			time.Sleep(step.after)
			wants(t, "seen", state(t, client, id), step.seen)
			wants(t, "truly", c.Get(one, awsfake.Instance, id).Str("instanceState.name"), step.truly)
		}
		_, err = client.StartInstances(t.Context(), &ec2.StartInstancesInput{InstanceIds: []string{id}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		wants(t, "starting", state(t, client, id), "pending")
		time.Sleep(12 * time.Second)
		wants(t, "started", state(t, client, id), "running")
	})
}

func TestAnInstanceThatStopsCannotBeStarted(t *testing.T) {
	in(t, awsfake.Settings{Stop: 40 * time.Second}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0]
		if err := stop(t.Context(), client, id); err != nil {
			t.Fatal(err)
		}
		_, err := client.StartInstances(t.Context(), &ec2.StartInstancesInput{InstanceIds: []string{id}})
		refused(t, "IncorrectInstanceState", err)
	})
}

func TestWhatCannotBeStoppedIsRefusedAndNothingElseIsStopped(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, well := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0]
		for code, id := range map[string]string{
			"OperationNotPermitted":      c.Launch(one, 1, nil, awsfake.Doc{"_attributes": awsfake.Doc{"disableApiStop": true}})[0],
			"UnsupportedOperation":       c.Launch(one, 1, nil, awsfake.Doc{"rootDeviceType": "instance-store"})[0],
			"InvalidInstanceID.NotFound": "i-0000000000000dead",
		} {
			refused(t, code, stop(t.Context(), client, well, id))
		}
		wants(t, "the other", state(t, client, well), "running")
		for id, want := range map[string]bool{well: false, c.Launch(one, 1, nil, awsfake.Doc{"_attributes": awsfake.Doc{"disableApiStop": true}})[0]: true} {
			out, err := client.DescribeInstanceAttribute(t.Context(), &ec2.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: "disableApiStop"})
			if err != nil || out.DisableApiStop.Value == nil || *out.DisableApiStop.Value != want {
				t.Errorf("%+v, %v, want %v", out, err, want)
			}
		}
	})
}

func TestADryRunSaysWhatWouldBeAndDoesNothing(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0]
		before, yes := c.Snapshot(), aws.Bool(true)
		acl := c.All(one, awsfake.NetworkACL)[0]
		_, err := client.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{id}, DryRun: yes})
		refused(t, "DryRunOperation", err)
		_, err = client.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{"i-0000000000000dead"}, DryRun: yes})
		refused(t, "InvalidInstanceID.NotFound", err)
		_, err = client.CreateNetworkAcl(t.Context(), &ec2.CreateNetworkAclInput{VpcId: aws.String(acl.Str("vpcId")), DryRun: yes})
		refused(t, "DryRunOperation", err)
		_, err = client.DeleteRoute(t.Context(), &ec2.DeleteRouteInput{RouteTableId: aws.String(c.All(one, awsfake.RouteTable)[0].Str("routeTableId")), DestinationCidrBlock: aws.String("0.0.0.0/0"), DryRun: yes})
		refused(t, "DryRunOperation", err)
		unchanged(t, c, before)
	})
}

func TestInstancesAreFoundByFiltersAndInPages(t *testing.T) {
	in(t, awsfake.Settings{Page: 7}, func(t *testing.T, c *awsfake.Cloud) {
		client := ec2.NewFromConfig(admin(c, one))
		c.Launch(one, 30, map[string]string{"Role": "payments"})
		c.Launch(one, 3, map[string]string{"Role": "checkout"})
		zones := map[string]int{}
		pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{Filters: []types.Filter{
			{Name: aws.String("tag:Role"), Values: []string{"pay*"}}, {Name: aws.String("instance-state-name"), Values: []string{"running", "pending"}}}})
		n := 0
		for ; pages.HasMorePages(); n++ {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Reservations {
				i := r.Instances[0]
				zones[*i.Placement.AvailabilityZone]++
				wants(t, "groups", len(i.NetworkInterfaces[0].Groups), 1)
				wants(t, "tag", *i.Tags[0].Value, "payments")
			}
		}
		wants(t, "pages and zones", fmt.Sprint(n, zones), "5 map[eu-west-1a:10 eu-west-1b:10 eu-west-1c:10]")
		_, err := client.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []types.Filter{{Name: aws.String("role"), Values: []string{"x"}}}})
		refused(t, "InvalidParameterValue", err)
	})
}

func TestARebootIsSeenInTheStatusChecks(t *testing.T) {
	in(t, awsfake.Settings{Boot: time.Minute}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0]
		check := func() string {
			out, err := client.DescribeInstanceStatus(t.Context(), &ec2.DescribeInstanceStatusInput{InstanceIds: []string{id}})
			if err != nil {
				t.Fatal(err)
			}
			return string(out.InstanceStatuses[0].InstanceStatus.Status)
		}
		wants(t, "before", check(), "ok")
		if _, err := client.RebootInstances(t.Context(), &ec2.RebootInstancesInput{InstanceIds: []string{id}}); err != nil {
			t.Fatal(err)
		}
		wants(t, "after", check(), "initializing")
		time.Sleep(time.Minute)
		wants(t, "later", check(), "ok")
	})
}

func TestDocumentedLimitsThrottleEachAccountAndRegionByItself(t *testing.T) {
	in(t, awsfake.Settings{Limits: awsfake.Documented()}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0]
		describe := func(client *ec2.Client) error {
			_, err := client.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
			return err
		}
		for i := range 100 {
			if err := describe(client); err != nil {
				t.Fatal(i, err)
			}
		}
		refused(t, "RequestLimitExceeded", describe(client))
		c.Enter(other)
		refused(t, "InvalidInstanceID.NotFound", describe(ec2.NewFromConfig(admin(c, other))))
		time.Sleep(time.Second)
		for i := range 20 {
			if err := describe(client); err != nil {
				t.Fatal(i, err)
			}
		}
		refused(t, "RequestLimitExceeded", describe(client))
		ids := c.Launch(one, 600, nil)
		if err := stop(t.Context(), client, ids...); err != nil {
			t.Fatal(err)
		}
		refused(t, "RequestLimitExceeded", stop(t.Context(), client, ids...))
	})
}

func TestCallsHaveTheFatesThatTestsGiveThem(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client := ec2.NewFromConfig(admin(c, one))
		for name, test := range map[string]struct {
			fate    awsfake.Fate
			code    string // of the error, if it is answered
			stopped bool
			takes   time.Duration
			later   bool // is stopped a minute later
		}{
			"fails before":  {awsfake.FailsBefore("InternalError"), "InternalError", false, 0, false},
			"fails after":   {awsfake.FailsAfter("Unavailable"), "Unavailable", true, 0, true},
			"late":          {awsfake.AnswersLate(5 * time.Second), "", true, 5 * time.Second, true},
			"answer lost":   {awsfake.LosesAnswer(), "lost", true, 0, true},
			"call lost":     {awsfake.LosesCall(), "lost", false, 0, false},
			"acts too late": {awsfake.ActsLate(30 * time.Second), "lost", false, 0, true},
		} {
			id, start := c.Launch(one, 1, nil)[0], time.Now()
			c.On("ec2:StopInstances", 1, test.fate)
			err := stop(t.Context(), client, id)
			switch test.code {
			case "":
				wants(t, name, err, nil)
			case "lost":
				if err == nil || !strings.Contains(err.Error(), "connection reset") {
					t.Errorf("%s: %v", name, err)
				}
			default:
				refused(t, test.code, err)
			}
			wants(t, name+" takes", time.Since(start), test.takes)
			wants(t, name+" stops", state(t, client, id) == "stopped", test.stopped)
			time.Sleep(time.Minute)
			wants(t, name+" stops later", state(t, client, id) == "stopped", test.later)
			wants(t, "the next", stop(t.Context(), client, id), nil)
		}
	})
}

func TestALateAnswerEndsWithTheCallersPatience(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, nil)[0]
		c.On("ec2:*", 0, awsfake.AnswersLate(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := stop(ctx, client, id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestItAnswersOverASocketToo(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	id := c.Launch(c.Enter(one), 1, nil)[0]
	server := httptest.NewServer(c)
	defer server.Close()
	config := admin(c, one)
	config.HTTPClient, config.BaseEndpoint = nil, aws.String(server.URL)
	client := ec2.NewFromConfig(config)
	wants(t, "state", state(t, client, id), "running")
	c.On("ec2:StopInstances", 1, awsfake.LosesAnswer())
	if err := stop(t.Context(), client, id); err == nil {
		t.Error("a lost answer came")
	}
	wants(t, "state", state(t, client, id), "stopped")
}

func TestACallMayNameOnlySoMany(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, ids := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 201, nil)
		groups, parameters := autoscaling.NewFromConfig(admin(c, one)), ssm.NewFromConfig(admin(c, one))
		describe := func(input ec2.DescribeInstancesInput) error {
			_, err := client.DescribeInstances(t.Context(), &input)
			return err
		}
		filter := func(n int) []types.Filter {
			return []types.Filter{{Name: aws.String("instance-id"), Values: ids[:n]}}
		}
		wants(t, "200 values", describe(ec2.DescribeInstancesInput{Filters: filter(200)}), nil)
		refused(t, "FilterLimitExceeded", describe(ec2.DescribeInstancesInput{Filters: filter(201)}))
		wants(t, "201 ids", describe(ec2.DescribeInstancesInput{InstanceIds: ids}), nil)
		refused(t, "InvalidParameterCombination", describe(ec2.DescribeInstancesInput{InstanceIds: ids, MaxResults: aws.Int32(5)}))
		refused(t, "InvalidInstanceID.Malformed", describe(ec2.DescribeInstancesInput{InstanceIds: []string{"i-x"}}))
		_, err := client.DescribeInstanceStatus(t.Context(), &ec2.DescribeInstanceStatusInput{InstanceIds: ids[:101]})
		refused(t, "InvalidParameterValue", err)
		_, err = groups.DescribeAutoScalingInstances(t.Context(), &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: ids[:51]})
		refused(t, "ValidationError", err)
		_, err = groups.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: ids[:51]})
		refused(t, "ValidationError", err)
		_, err = parameters.GetParameters(t.Context(), &ssm.GetParametersInput{Names: ids[:11]})
		refused(t, "ValidationException", err)
		_, err = parameters.DeleteParameters(t.Context(), &ssm.DeleteParametersInput{Names: ids[:11]})
		refused(t, "ValidationException", err)
		_, err = client.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: ids[:1], Tags: make51()})
		refused(t, "TagLimitExceeded", err)
	})
}

func make51() (tags []types.Tag) {
	for i := range 51 {
		tags = append(tags, types.Tag{Key: aws.String(fmt.Sprint(i)), Value: aws.String("")})
	}
	return tags
}
