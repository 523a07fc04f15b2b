package awsfake_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go"

	"mishap/internal/awsfake"
)

var (
	one   = awsfake.Place{Account: "111111111111", Region: "eu-west-1"}
	other = awsfake.Place{Account: "222222222222", Region: "eu-west-1"}
)

// in is a fake in a bubble, whose time is its own.
func in(t *testing.T, s awsfake.Settings, test func(t *testing.T, c *awsfake.Cloud)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := awsfake.New(s)
		c.Enter(one)
		test(t, c)
	})
}

// admin may do all in the account, and its client does not try again.
func admin(c *awsfake.Cloud, p awsfake.Place) aws.Config { return once(c.Config(p.Account, p.Region)) }

func once(config aws.Config) aws.Config {
	config.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return config
}

// refused wants the call to be refused with a code.
func refused(t *testing.T, code string, err error) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

func wants[T comparable](t *testing.T, what string, is, want T) {
	t.Helper()
	if is != want {
		t.Errorf("%s: %v, want %v", what, is, want)
	}
}

// unchanged wants all to be as it was.
func unchanged(t *testing.T, c *awsfake.Cloud, before string) {
	t.Helper()
	is, was := strings.Split(c.Snapshot(), "\n"), strings.Split(before, "\n")
	for _, line := range is {
		if !slices.Contains(was, line) {
			t.Errorf("is now  %s", line)
		}
	}
	for _, line := range was {
		if !slices.Contains(is, line) {
			t.Errorf("was once %s", line)
		}
	}
}

func TestManyMayCallAtOnce(t *testing.T) {
	in(t, awsfake.Slow(), func(t *testing.T, c *awsfake.Cloud) {
		ids, client := c.Launch(one, 50, nil), ec2.NewFromConfig(admin(c, one))
		var all sync.WaitGroup
		for _, id := range ids {
			all.Go(func() {
				if err := stop(t.Context(), client, id); err != nil {
					t.Error(err)
				}
				for time.Sleep(time.Second); ; time.Sleep(5 * time.Second) {
					if state(t, client, id) == "stopped" {
						return
					}
				}
			})
		}
		start := time.Now()
		all.Wait()
		wants(t, "until all are seen stopped", time.Since(start), 46*time.Second)
		wants(t, "stops", len(c.Calls("ec2:StopInstances")), 50)
	})
}
