package aws_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"mishap/injectors/aws"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
	"mishap/internal/revert"
)

// TestADenialIsOverWhenTheFaultMustBeThoughNobodyTakesItOut: by the clock of AWS.
func TestADenialIsOverWhenTheFaultMustBeThoughNobodyTakesItOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newTrial(t, "sqs-deny", awsfake.Settings{})
		c := one.cloud
		c.AddRole(here.Account, "payments", "", map[string]string{"all": `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`}, nil)
		c.AddRole(here.Account, "orders", "", map[string]string{"all": `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`}, nil)
		c.Forget()
		send := func(role string) bool {
			_, err := sqs.NewFromConfig(cloud.Once(c.Config(c.Key(here.Account, "role/"+role), here.Region))).SendMessage(t.Context(),
				&sqs.SendMessageInput{QueueUrl: sdk.String("https://sqs.eu-west-1.amazonaws.com/111111111111/pay"), MessageBody: sdk.String("x")})
			if err != nil && !cloud.Denied(err) {
				t.Fatal(err)
			}
			return err == nil
		}
		if err := one.inject(t.Context(), &revert.Settling{}); err != nil {
			t.Fatal(err)
		}
		if send("payments") || !send("orders") {
			t.Error("not the calls of role payments are denied, and those alone")
		}
		time.Sleep(one.all[0].Lasts() + time.Second)
		if !send("payments") {
			t.Error("calls are denied though the fault must be over")
		}
		if left := c.Get(here, awsfake.Queue, "pay").Str("_policy"); !strings.Contains(left, "Mishaprun") {
			t.Errorf("the statement is not in the policy any more: %s", left)
		}
		c.Forget() // what the roles called
		one.revert(t.Context(), &revert.Settling{})
		if left := c.Get(here, awsfake.Queue, "pay").Str("_policy"); left != "" {
			t.Errorf("there is a policy left: %s", left)
		}
	})
}

// TestADenialIsOverByAWSsClockWhateverThisMachines: a slow one made denials that were
// over before they began, and a fast one those that went on.
func TestADenialIsOverByAWSsClockWhateverThisMachines(t *testing.T) {
	ends := regexp.MustCompile(`aws:CurrentTime\W+([0-9TZ:-]+)`)
	for _, name := range []string{"sqs-deny", "s3-deny", "dynamodb-deny", "kinesis-deny", "iam-deny"} {
		for _, ahead := range []time.Duration{-4 * time.Minute, 0, 4 * time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				one := newTrial(t, name, awsfake.Settings{Now: func() time.Time { return time.Now().Add(ahead) }})
				if err := one.inject(t.Context(), &revert.Settling{}); err != nil {
					t.Fatal(err)
				}
				all := ends.FindAllStringSubmatch(one.cloud.Snapshot(), -1)
				if len(all) != len(one.all) {
					t.Fatalf("%s: %d denials", name, len(all))
				}
				for _, found := range all {
					at, err := time.Parse(time.RFC3339, found[1])
					if late := at.Sub(one.cloud.Now().Add(one.all[0].Lasts())); err != nil || late.Abs() > 3*time.Second {
						t.Errorf("%s, AWS's clock %s ahead: it is over %s late, %v", name, ahead, late, err)
					}
				}
				one.revert(t.Context(), &revert.Settling{})
			})
		}
	}
}

// TestWhatWouldDenyNobodyAnythingIsRefused: a run with it would hold, and prove nothing.
func TestWhatWouldDenyNobodyAnythingIsRefused(t *testing.T) {
	for principal, good := range map[string]bool{
		"arn:aws:iam::123456789012:role/checkout": true, "arn:aws:iam::123456789012:user/team/bob": true, "arn:aws-cn:iam::123456789012:role/x": true,
		"arn:aws:iam::*:role/payments": true, "arn:aws:iam::123456789012:*": true, "arn:aws:iam::123456789012:role/*": true, "arn:*:iam::*:role/pay*": true,
		"arn:aws:sts::123456789012:federated-user/bob": true,
		"bob": false, "": false, "*": false, "role/checkout": false, "123456789012": false, "arn:aws:iam::123456789012:root": false,
		"arn:aws:sts::123456789012:assumed-role/checkout/one": false, "arn:aws:iam::checkout:role/x": false, "arn:aws:iam::12345:role/x": false,
		"arn:aws:s3:::photos": false, "arn:aws:iam::123456789012:group/team": false, "arn:aws:iam::123456789012:role": false, " arn:aws:iam::123456789012:role/x": false,
		"arn:aws:iam::123456789012:policy/x": false, "arn:aws:iam:eu-west-1:123456789012:role/x": false, "arn:aws:iam::123456789012:role/a b": false,
	} {
		for _, name := range []string{"sqs-deny", "s3-deny", "dynamodb-deny", "kinesis-deny"} {
			_, err := kind(aws.Deps{}, name).New(fault(name, `{"names": ["orders"]}`, map[string]any{"principals": []string{principal}}))
			if got := slices.Contains(paths(err), "with.principals[0]"); got == good {
				t.Errorf("%s of %q: %v", name, principal, err)
			}
		}
	}
	for resource, good := range map[string]bool{
		"*": true, "arn:aws:s3:::photos/*": true, "arn:aws:s3:::photos": true, "arn:aws:sqs:*:*:orders": true, "arn:aws:dynamodb:eu-west-1:123456789012:table/orders": true,
		"arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-*": true, "arn:aws:sns:eu-west-1:123456789012:*": true, "arn:*:ssm:*:123456789012:parameter/shop/*": true,
		"photos": false, "": false, "arn:aws:s3": false, "arn:aws:s3:::": false, "s3://photos": false, "arn:aws:sqs:eu-west-1:orders:x": false, "orders/*": false,
	} {
		_, err := kind(aws.Deps{}, "iam-deny").New(fault("iam-deny", `{"names": ["checkout"]}`, map[string]any{"actions": []string{"s3:GetObject"}, "resources": []string{resource}}))
		if got := slices.Contains(paths(err), "with.resources[0]"); got == good {
			t.Errorf("iam-deny of %q: %v", resource, err)
		}
	}
}

// TestAListWithNothingInItNeverMeansAll: it asks for none.
func TestAListWithNothingInItNeverMeansAll(t *testing.T) {
	for _, test := range []struct{ injector, with, want string }{
		{"sqs-deny", `{"principals": []}`, "with.principals"}, {"s3-deny", `{"actions": []}`, "with.actions"},
		{"iam-deny", `{"actions": ["s3:GetObject"], "resources": []}`, "with.resources"},
	} {
		if _, err := kind(aws.Deps{}, test.injector).New(fault(test.injector, `{"names": ["orders"]}`, test.with)); !slices.Contains(paths(err), test.want) {
			t.Errorf("%s with %s: %v", test.injector, test.with, err)
		}
	}
}

// TestAListOfTargetsWithNothingInItNeverMeansAll: beside tags it would narrow nothing.
func TestAListOfTargetsWithNothingInItNeverMeansAll(t *testing.T) {
	for _, key := range []string{"ids", "arns", "names", "zones"} {
		if _, err := kind(aws.Deps{}, "ec2-stop").New(fault("ec2-stop", `{"tags": {"Role": "shop"}, "`+key+`": []}`, nil)); !slices.Contains(paths(err), "targets."+key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestWhoeverIsLeftWithAFaultIsToldBothWaysOut: revert needs the run, sweep only the vault.
func TestWhoeverIsLeftWithAFaultIsToldBothWaysOut(t *testing.T) {
	for _, kind := range aws.Catalog(aws.Deps{}) {
		if strings.Contains(kind.WhenLost, "`mishap revert`") && !strings.Contains(kind.WhenLost, "`mishap sweep`") {
			t.Errorf("%s: %s", kind.Name, kind.WhenLost)
		}
	}
}
