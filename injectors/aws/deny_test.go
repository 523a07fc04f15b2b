package aws_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

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
