package aws_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/awsfake"
)

// TestWhatSomebodyElseDidBeforeIsNoHit though it looks as if the fault had done it:
// nothing is asked for, and what they did stays as theirs.
func TestWhatSomebodyElseDidBeforeIsNoHit(t *testing.T) {
	leave := func(c *awsfake.Cloud, id string) {
		c.Edit(here, awsfake.Group, "pay", func(d awsfake.Doc) {
			left := []awsfake.Doc{}
			for _, m := range d.Docs("Instances") {
				if m.Str("InstanceId") != id {
					left = append(left, m)
				}
			}
			d["Instances"] = left
		})
	}
	group := func(c *awsfake.Cloud) string { return c.AddGroup(here, "pay", 1, 3, 4, nil)[0] }
	for name, of := range map[string]struct {
		target func(c *awsfake.Cloud) (id string)
		others func(c *awsfake.Cloud, id string)
		with   string
	}{
		"asg-unhealthy": {target: group, others: leave},
		"ec2-terminate": {target: group, others: func(c *awsfake.Cloud, id string) { c.Drop(here, awsfake.Instance, id) }},
		"ec2-reboot": {target: group, others: func(c *awsfake.Cloud, id string) {
			c.Edit(here, awsfake.Instance, id, func(d awsfake.Doc) { d["_boot"] = time.Now() })
		}},
		"ec2-stop": {target: func(c *awsfake.Cloud) string { return c.Launch(here, 1, nil)[0] }, others: func(c *awsfake.Cloud, id string) {
			c.Edit(here, awsfake.Instance, id, func(d awsfake.Doc) {
				d["instanceState"] = awsfake.Doc{"code": 80, "name": "stopped"}
			})
		}},
		"asg-suspend": {with: `{"processes": ["Launch"]}`, target: func(c *awsfake.Cloud) string { group(c); return "pay" }, others: func(c *awsfake.Cloud, id string) {
			c.Edit(here, awsfake.Group, id, func(d awsfake.Doc) {
				d["SuspendedProcesses"] = []awsfake.Doc{{"ProcessName": "Launch"}}
			})
		}},
		"lambda-throttle": {with: `{"concurrency": 0}`, target: func(c *awsfake.Cloud) string { c.AddFunction(here, "pay", nil); return "pay" }, others: func(c *awsfake.Cloud, id string) {
			c.Edit(here, awsfake.Function, id, func(d awsfake.Doc) { d["_concurrency"] = 0 })
		}},
		"event-source-pause": {target: func(c *awsfake.Cloud) string {
			c.AddFunction(here, "pay", nil)
			return c.AddMapping(here, "pay", "arn:aws:sqs:eu-west-1:111111111111:pay", nil)
		}, others: func(c *awsfake.Cloud, id string) {
			c.Edit(here, awsfake.SourceMapping, id, func(d awsfake.Doc) { d["State"] = "Disabled" })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var id string
				one := trialOf(t, name, awsfake.Settings{}, 1, func(c *awsfake.Cloud, _ awsfake.Place) (targets, with string) {
					id = of.target(c)
					return `{"ids": ["` + id + `"]}`, of.with
				})
				of.others(one.cloud, id)
				injector, before := one.process(), one.cloud.Snapshot()
				if err := injector.Inject(t.Context(), one.all[0]); err == nil || !strings.Contains(err.Error(), "somebody else changed it since it was planned") {
					t.Errorf("inject: %v", err)
				}
				one.same(one.cloud.Snapshot(), before)
				if r, err := injector.Revert(t.Context(), one.all[0]); err != nil || r.State != mishap.InjectionSuperseded {
					t.Errorf("revert: %q (%s), %v", r.State, r.Detail, err)
				}
			})
		})
	}
}
