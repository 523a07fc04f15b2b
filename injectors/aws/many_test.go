package aws_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/awsfake"
)

// TestAHundredThingsAreInjectedInTheTimeThatCallsHave: where each takes calls of its
// own, within the rates, while those that are in are looked at as a run does.
func TestAHundredThingsAreInjectedInTheTimeThatCallsHave(t *testing.T) {
	const n = 100
	tags := map[string]string{"Fleet": "big"}
	for name, put := range map[string]func(c *awsfake.Cloud, id string){
		"sqs-deny":        func(c *awsfake.Cloud, id string) { c.AddQueue(here, id, "", tags) },
		"s3-deny":         func(c *awsfake.Cloud, id string) { c.AddBucket(here, id, "", tags) },
		"dynamodb-deny":   func(c *awsfake.Cloud, id string) { c.AddTable(here, id, "", tags) },
		"kinesis-deny":    func(c *awsfake.Cloud, id string) { c.AddStream(here, id, "", tags) },
		"iam-deny":        func(c *awsfake.Cloud, id string) { c.AddRole(here.Account, id, "", nil, tags) },
		"lambda-throttle": func(c *awsfake.Cloud, id string) { c.AddFunction(here, id, tags) },
		"asg-suspend":     func(c *awsfake.Cloud, id string) { c.AddGroup(here, id, 0, 0, 1, tags) },
		"event-source-pause": func(c *awsfake.Cloud, id string) {
			c.AddMapping(here, "payments", "arn:aws:sqs:eu-west-1:111111111111:"+id, tags)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := awsfake.New(awsfake.Settings{})
				c.Enter(here)
				for i := range n {
					put(c, fmt.Sprintf("thing-%03d", i))
				}
				with := map[string]string{"iam-deny": `{"actions": ["s3:GetObject"]}`, "asg-suspend": `{"processes": ["Launch"]}`}[name]
				f := fault(name, `{"tags": {"Fleet": "big"}}`, with)
				f.For = mishap.Duration(time.Minute)
				injector, all, err := prepared(t, fakeDeps(c), f)
				if err != nil || len(all) != n {
					t.Fatalf("%d found, %v", len(all), err)
				}
				for i := range all {
					all[i].ID = fmt.Sprintf("run.1.%d", i+1)
				}
				looked, stop := context.WithCancel(t.Context())
				defer stop()
				for _, call := range mishap.Calls(kind(fakeDeps(c), name).Complete(all)) {
					ctx, cancel := context.WithTimeout(t.Context(), mishap.CallWithin)
					for k, err := range mishap.InjectAll(ctx, injector, call) {
						if err != nil {
							t.Errorf("%s: %v", call[k].Target.ID, err)
						}
					}
					cancel()
					go func() {
						for looked.Err() == nil {
							mishap.VerifyAll(looked, injector, call)
							time.Sleep(time.Second)
						}
					}()
				}
			})
		})
	}
}
