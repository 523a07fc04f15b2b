package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"mishap"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
)

var home = awsfake.Place{Account: "111111111111", Region: "eu-west-1"}

// on is a fake AWS in a bubble, and a configuration whose calls go through the
// layer.
func on(t *testing.T, s awsfake.Settings, test func(t *testing.T, fake *awsfake.Cloud, config aws.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fake := awsfake.New(s)
		test(t, fake, cloud.New().Calls(fake.Config(home.Account, home.Region), home.Account))
	})
}

func look(ctx context.Context, config aws.Config) error {
	_, err := ec2.NewFromConfig(config).DescribeInstances(ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)})
	return err
}

func stop(ctx context.Context, config aws.Config, ids ...string) error {
	_, err := ec2.NewFromConfig(config).StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids})
	return err
}

// atOnce makes n calls side by side, and says how long the last one took.
func atOnce(t *testing.T, n int, call func() error) time.Duration {
	t.Helper()
	start := time.Now()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := call(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

func refusals(fake *awsfake.Cloud) (n int) {
	for _, call := range fake.Calls() {
		if call.Error != "" {
			n++
		}
	}
	return n
}

func TestCallsKeepToTheRatesThatAWSDocuments(t *testing.T) {
	on(t, awsfake.Slow(), func(t *testing.T, fake *awsfake.Cloud, config aws.Config) {
		ids := fake.Launch(home, 100, nil)
		// 75 at once, without what is kept for reverts, and 20 a second.
		if took := atOnce(t, 275, func() error { return look(t.Context(), config) }); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("275 looks took %s", took)
		}
		if took := atOnce(t, 12, func() error { return stop(t.Context(), config, ids...) }); took < 20*time.Second {
			t.Errorf("1,200 instances were stopped in %s", took)
		}
		if n := refusals(fake); n > 0 {
			t.Errorf("%d calls were refused", n)
		}
	})
}

func TestAPartOfEachRateIsKeptForReverts(t *testing.T) {
	on(t, awsfake.Slow(), func(t *testing.T, fake *awsfake.Cloud, config aws.Config) {
		go func() { atOnce(t, 200, func() error { return look(t.Context(), config) }) }()
		synctest.Wait() // what may not be made yet waits
		if took := atOnce(t, 25, func() error { return look(cloud.Reverting(t.Context()), config) }); took > 0 {
			t.Errorf("25 looks of reverts waited %s", took)
		}
		time.Sleep(time.Minute)
		if n := refusals(fake); n > 0 {
			t.Errorf("%d calls were refused", n)
		}
	})
}

func TestARateIsOfOneAccountAndRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, c := awsfake.New(awsfake.Slow()), cloud.New()
		took := atOnce(t, 4, func() error { return nil })
		for _, p := range []awsfake.Place{home, {Account: "222222222222", Region: home.Region}, {Account: home.Account, Region: "us-east-1"}} {
			config := c.Calls(fake.Config(p.Account, p.Region), p.Account)
			took += atOnce(t, 75, func() error { return look(t.Context(), config) })
		}
		if took > 0 {
			t.Errorf("75 looks in each of three places waited %s", took)
		}
	})
}

func TestReadsAreRepeatedAndWhatInjectsNeverIs(t *testing.T) {
	for name, fate := range map[string]awsfake.Fate{
		"lost": awsfake.LosesAnswer(), "unavailable": awsfake.FailsAfter("Unavailable"), "never answered": awsfake.AnswersLate(time.Hour),
		"throttled": awsfake.FailsBefore("RequestLimitExceeded"),
	} {
		t.Run(name, func(t *testing.T) {
			on(t, awsfake.Settings{}, func(t *testing.T, fake *awsfake.Cloud, config aws.Config) {
				ids := fake.Launch(home, 1, nil)
				fake.On("ec2:*", 2, fate)
				if err := look(t.Context(), config); err != nil || len(fake.Calls()) != 3 {
					t.Errorf("look: %v after %d calls", err, len(fake.Calls()))
				}
				fake.Forget()
				fake.On("ec2:*", 1, fate)
				if err := stop(t.Context(), cloud.Once(config), ids...); err == nil || len(fake.Calls()) != 1 {
					t.Errorf("stop: %v after %d calls", err, len(fake.Calls()))
				}
			})
		})
	}
}

func TestWhoeverIsThrottledByOthersWaits(t *testing.T) {
	on(t, awsfake.Settings{}, func(t *testing.T, fake *awsfake.Cloud, config aws.Config) {
		fake.On("ec2:*", 1, awsfake.FailsBefore("RequestLimitExceeded"))
		start := time.Now()
		if err := look(t.Context(), config); err != nil || time.Since(start) < 1300*time.Millisecond {
			t.Errorf("%v after %s: the bucket holds none but those kept for reverts after 1.3 s", err, time.Since(start))
		}
		fake.On("ec2:*", 0, awsfake.FailsBefore("RequestLimitExceeded"))
		err := look(t.Context(), config)
		var hinted *mishap.Hinted
		if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "higher limit") || !cloud.Throttled(err) {
			t.Errorf("throttled to death: %v, %+v", err, hinted)
		}
	})
}

func TestADenialHasAWSsWordsAndWhoCanChangeIt(t *testing.T) {
	const user, asks = "User: arn:aws:iam::111111111111:user/ann is not authorized to perform: ec2:StopInstances on resource: i-1 ", "grant ec2:StopInstances"
	for _, test := range []struct {
		words, hint string
		grant       bool
	}{
		{user + "because no identity-based policy allows the ec2:StopInstances action", asks, true},
		{user + "with an explicit deny in an identity-based policy", "take that statement out", false},
		{user + "with an explicit deny in a service control policy", "whoever manages the organisation", false},
		{user + "because no service control policy allows the ec2:StopInstances action", "whoever manages the organisation", false},
		{user + "with an explicit deny in a resource control policy", "whoever manages the organisation", false},
		{user + "because no permissions boundary allows the ec2:StopInstances action", "boundary", false},
		{user + "because no session policy allows the ec2:StopInstances action", "session", false},
		{user + "because no VPC endpoint policy allows the ec2:StopInstances action", "VPC endpoint", false},
		{user + "with an explicit deny in a resource-based policy", "the resource itself", false},
		{user + "because no resource-based policy allows the ec2:StopInstances action", "in the policy of the resource", false},
		{"You are not authorized to perform this operation", "a grant does not help", false},
	} {
		on(t, awsfake.Settings{}, func(t *testing.T, fake *awsfake.Cloud, config aws.Config) {
			fake.On("ec2:*", 0, awsfake.Fate{Fail: "UnauthorizedOperation", Message: test.words + ". Encoded authorization failure message: 4PdKaq1x", Status: 403, Unreached: true})
			err := cloud.Failed("stop instances", stop(t.Context(), config, "i-0123456789abcdef0"))
			var hinted *mishap.Hinted
			if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, test.hint) || strings.HasPrefix(hinted.Hint, "grant") != test.grant {
				t.Errorf("%q: hint %+v, want %q", test.words, hinted, test.hint)
			}
			want := "stop instances: ec2:StopInstances in 111111111111 eu-west-1: UnauthorizedOperation: " + strings.TrimSuffix(test.words, ".")
			if text := fmt.Sprint(err); strings.TrimSuffix(text, ".") != want {
				t.Errorf("it says\n%s, want\n%s", text, want)
			}
		})
	}
}

func TestWhatSomebodyDeletedIsToldAsThat(t *testing.T) {
	on(t, awsfake.Settings{}, func(t *testing.T, fake *awsfake.Cloud, config aws.Config) {
		fake.On("ec2:*", 0, awsfake.Fate{Fail: "InvalidNetworkAclID.NotFound", Message: "The networkAcl ID 'acl-1' does not exist", Unreached: true})
		var hinted *mishap.Hinted
		if err := stop(t.Context(), config, "i-1"); !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "deleted it since") {
			t.Errorf("%v, %+v", err, hinted)
		}
		if hint := mishap.HintOf(look(t.Context(), config)); hint != "" {
			t.Errorf("to look for what is not there has a hint: %s", hint)
		}
	})
}

func TestAPolicyOfTheOrganisationIsNoMissingGrant(t *testing.T) {
	on(t, awsfake.Settings{}, func(t *testing.T, fake *awsfake.Cloud, config aws.Config) {
		if err := fake.Guard(home.Account, "p-1", `{"Statement": {"Effect": "Deny", "Action": "ec2:StopInstances", "Resource": "*"}}`); err != nil {
			t.Fatal(err)
		}
		err := stop(t.Context(), config, fake.Launch(home, 1, nil)...)
		var hinted *mishap.Hinted
		if !errors.As(err, &hinted) || strings.Contains(hinted.Hint, "grant ec2") || !strings.Contains(err.Error(), "service control policy") {
			t.Errorf("%v, %+v", err, hinted)
		}
	})
}
