package aws_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/awsfake"
)

// TestOneThatCannotComeBackKeepsNoneOfTheOthersOut: a call for all is refused as a
// whole, for want of room in a zone or since a policy denies it for one.
func TestOneThatCannotComeBackKeepsNoneOfTheOthersOut(t *testing.T) {
	for name, deny := range map[string]func(c *awsfake.Cloud, bad string){
		"no room": func(c *awsfake.Cloud, bad string) {
			c.Judge(func(call awsfake.Call) awsfake.Fate {
				if call.Action == "ec2:StartInstances" && slices.Contains(call.In.Strs("InstanceId"), bad) {
					return awsfake.FailsBefore("InsufficientInstanceCapacity")
				}
				return awsfake.Fate{}
			})
		},
		"a policy": func(c *awsfake.Cloud, bad string) {
			err := c.Guard(here.Account, "p-1", fmt.Sprintf(`{"Statement": {"Effect": "Deny", "Action": "ec2:StartInstances", "Resource": %q}}`, awsfake.Instance.ARN(here, bad)))
			if err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := awsfake.New(awsfake.Slow())
				ids := c.Launch(here, 100, map[string]string{"Role": "payments"})
				time.Sleep(10 * time.Second)
				f := fault("ec2-stop", `{"tags": {"Role": "payments"}}`, nil)
				injector, all, err := prepared(t, fakeDeps(c), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, err := range mishap.InjectAll(t.Context(), injector, all) {
					if err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				deny(c, ids[0])
				c.Forget()
				for n, got := range mishap.RevertAll(t.Context(), injector, all) {
					if bad := all[n].Target.ID == awsfake.Instance.ARN(here, ids[0]); bad != (got.Err != nil) {
						t.Errorf("%s: %+v, %v", all[n].Target.ID, got.Value, got.Err)
					}
				}
				if n := len(c.Calls("ec2:StartInstances")); n > 20 {
					t.Errorf("%d calls to start", n)
				}
			})
		})
	}
}
