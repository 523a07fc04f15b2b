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
	for name, others := range map[string]func(c *awsfake.Cloud, id string){
		"asg-unhealthy": leave,
		"ec2-terminate": func(c *awsfake.Cloud, id string) { c.Drop(here, awsfake.Instance, id) },
		"ec2-reboot": func(c *awsfake.Cloud, id string) {
			c.Edit(here, awsfake.Instance, id, func(d awsfake.Doc) { d["_boot"] = time.Now() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one := trialOf(t, name, awsfake.Settings{}, 1, func(c *awsfake.Cloud, _ awsfake.Place) (targets, with string) {
					return `{"ids": ["` + c.AddGroup(here, "pay", 1, 3, 4, nil)[0] + `"]}`, ""
				})
				others(one.cloud, one.all[0].Target.ID[strings.LastIndex(one.all[0].Target.ID, "/")+1:])
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
