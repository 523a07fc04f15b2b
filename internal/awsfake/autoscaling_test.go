package awsfake_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"mishap/internal/awsfake"
)

type group struct {
	*testing.T
	client *autoscaling.Client
}

func (g group) read() types.AutoScalingGroup {
	g.Helper()
	out, err := g.client.DescribeAutoScalingGroups(g.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"web"}})
	if err != nil || len(out.AutoScalingGroups) != 1 {
		g.Fatalf("%+v, %v", out, err)
	}
	return out.AutoScalingGroups[0]
}

// lives counts the members by state and zone.
func (g group) lives() string {
	g.Helper()
	lives := map[string]int{}
	for _, m := range g.read().Instances {
		lives[string(m.LifecycleState)+" "+(*m.AvailabilityZone)[9:]]++
	}
	return fmt.Sprint(lives)
}

func slow() awsfake.Settings {
	return awsfake.Settings{Stop: 40 * time.Second, Start: 20 * time.Second, Terminate: 40 * time.Second, Heal: 30 * time.Second, Standby: 5 * time.Second}
}

func TestAGroupReplacesAMemberThatWasStoppedInItsZone(t *testing.T) {
	in(t, slow(), func(t *testing.T, c *awsfake.Cloud) {
		members := c.AddGroup(one, "web", 2, 3, 6, map[string]string{"Role": "web"})
		g := group{t, autoscaling.NewFromConfig(admin(c, one))}
		wants(t, "at first", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
		if err := stop(t.Context(), ec2.NewFromConfig(admin(c, one)), members[1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * time.Second)
		wants(t, "unseen", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
		time.Sleep(2 * time.Second)
		wants(t, "seen", g.lives(), "map[InService a:1 InService c:1 Pending b:1 Terminating b:1]")
		time.Sleep(20 * time.Second)
		wants(t, "replaced", g.lives(), "map[InService a:1 InService b:1 InService c:1 Terminating b:1]")
		time.Sleep(time.Minute)
		wants(t, "healed", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
		wants(t, "the old", c.Get(one, awsfake.Instance, members[1]).Str("instanceState.name"), "terminated")
		wants(t, "tags of the new", len(c.All(one, awsfake.Instance)[3].Map("_tags")), 2)
	})
}

func TestASuspendedGroupReplacesNobody(t *testing.T) {
	in(t, slow(), func(t *testing.T, c *awsfake.Cloud) {
		members := c.AddGroup(one, "web", 2, 3, 6, nil)
		g := group{t, autoscaling.NewFromConfig(admin(c, one))}
		before := c.Snapshot(awsfake.Group)
		name, launch := aws.String("web"), []string{"Launch"}
		if _, err := g.client.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: name, ScalingProcesses: launch}); err != nil {
			t.Fatal(err)
		}
		wants(t, "suspended", *g.read().SuspendedProcesses[0].ProcessName, "Launch")
		if _, err := g.client.ResumeProcesses(t.Context(), &autoscaling.ResumeProcessesInput{AutoScalingGroupName: name, ScalingProcesses: launch}); err != nil {
			t.Fatal(err)
		}
		wants(t, "all there is", c.Snapshot(awsfake.Group), before)
		if _, err := g.client.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: name}); err != nil {
			t.Fatal(err)
		}
		if err := stop(t.Context(), ec2.NewFromConfig(admin(c, one)), members[1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		wants(t, "the stopped one", c.Get(one, awsfake.Instance, members[1]).Str("instanceState.name"), "stopped")
		wants(t, "members", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
	})
}

func TestAGroupThatLosesAZoneMovesOutAndComesBack(t *testing.T) {
	in(t, slow(), func(t *testing.T, c *awsfake.Cloud) {
		c.AddGroup(one, "web", 2, 6, 9, nil)
		g := group{t, autoscaling.NewFromConfig(admin(c, one))}
		before := *g.read().VPCZoneIdentifier
		update := func(subnets string) {
			t.Helper()
			if _, err := g.client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), VPCZoneIdentifier: &subnets}); err != nil {
				t.Fatal(err)
			}
		}
		update(c.All(one, awsfake.Subnet)[0].Str("subnetId") + "," + c.All(one, awsfake.Subnet)[1].Str("subnetId"))
		wants(t, "zones", len(g.read().AvailabilityZones), 2)
		wants(t, "soon", g.lives(), "map[InService a:2 InService b:2 InService c:2 Pending a:1 Pending b:1]")
		time.Sleep(5 * time.Minute)
		wants(t, "moved", g.lives(), "map[InService a:3 InService b:3]")
		update(before)
		time.Sleep(10 * time.Minute)
		wants(t, "back", g.lives(), "map[InService a:2 InService b:2 InService c:2]")
	})
}

func TestMembersGoToStandbyAndBack(t *testing.T) {
	in(t, slow(), func(t *testing.T, c *awsfake.Cloud) {
		members := c.AddGroup(one, "web", 2, 3, 3, nil)
		g, name := group{t, autoscaling.NewFromConfig(admin(c, one))}, aws.String("web")
		before := c.Snapshot(awsfake.Instance)
		enter := func(ids ...string) error {
			out, err := g.client.EnterStandby(t.Context(), &autoscaling.EnterStandbyInput{AutoScalingGroupName: name, InstanceIds: ids, ShouldDecrementDesiredCapacity: aws.Bool(true)})
			if err == nil && len(out.Activities) != len(ids) {
				t.Errorf("%+v", out)
			}
			return err
		}
		refused(t, "ValidationError", enter(members[:2]...))
		if err := enter(members[0]); err != nil {
			t.Fatal(err)
		}
		wants(t, "on its way", g.lives(), "map[EnteringStandby a:1 InService b:1 InService c:1]")
		wants(t, "desired", *g.read().DesiredCapacity, 2)
		time.Sleep(5 * time.Second)
		wants(t, "there", g.lives(), "map[InService b:1 InService c:1 Standby a:1]")
		out, err := g.client.DescribeAutoScalingInstances(t.Context(), &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: members[:1]})
		if err != nil || *out.AutoScalingInstances[0].LifecycleState != "Standby" || *out.AutoScalingInstances[0].AutoScalingGroupName != "web" {
			t.Errorf("%+v, %v", out, err)
		}
		if _, err := g.client.ExitStandby(t.Context(), &autoscaling.ExitStandbyInput{AutoScalingGroupName: name, InstanceIds: members[:1]}); err != nil {
			t.Fatal(err)
		}
		wants(t, "on its way back", g.lives(), "map[InService b:1 InService c:1 Pending a:1]")
		time.Sleep(5 * time.Second)
		wants(t, "back", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
		time.Sleep(5 * time.Minute)
		wants(t, "the instances", c.Snapshot(awsfake.Instance), before)
	})
}

func TestAnUnhealthyMemberIsReplacedUnlessItIsHealthyInTime(t *testing.T) {
	in(t, slow(), func(t *testing.T, c *awsfake.Cloud) {
		members := c.AddGroup(one, "web", 2, 3, 3, nil)
		g := group{t, autoscaling.NewFromConfig(admin(c, one))}
		health := func(id, is string) error {
			_, err := g.client.SetInstanceHealth(t.Context(), &autoscaling.SetInstanceHealthInput{InstanceId: &id, HealthStatus: &is})
			return err
		}
		refused(t, "ValidationError", health("i-0000000000000dead", "Unhealthy"))
		wants(t, "set", health(members[0], "Unhealthy"), nil)
		time.Sleep(20 * time.Second)
		wants(t, "set back", health(members[0], "Healthy"), nil)
		time.Sleep(5 * time.Minute)
		wants(t, "it", *g.read().Instances[0].InstanceId, members[0])
		wants(t, "set", health(members[0], "Unhealthy"), nil)
		time.Sleep(5 * time.Minute)
		wants(t, "healed", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
		wants(t, "it", c.Get(one, awsfake.Instance, members[0]).Str("instanceState.name"), "terminated")
		out, err := g.client.DescribeScalingActivities(t.Context(), &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("web")})
		if err != nil || len(out.Activities) != 2 {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestGroupsAreFoundByTagsAndAnUnknownOneIsRefused(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		c.AddGroup(one, "web", 0, 0, 3, map[string]string{"Role": "web"})
		c.AddGroup(one, "db", 0, 0, 3, map[string]string{"Role": "db"})
		client := autoscaling.NewFromConfig(admin(c, one))
		out, err := client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("tag:Role"), Values: []string{"db"}}}})
		if err != nil || len(out.AutoScalingGroups) != 1 || *out.AutoScalingGroups[0].Tags[0].Value != "db" {
			t.Errorf("%+v, %v", out, err)
		}
		_, err = client.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String("x")})
		refused(t, "ValidationError", err)
	})
}

func TestAMemberIsTerminatedWithAndWithoutAnother(t *testing.T) {
	in(t, slow(), func(t *testing.T, c *awsfake.Cloud) {
		members := c.AddGroup(one, "web", 2, 3, 6, nil)
		g := group{t, autoscaling.NewFromConfig(admin(c, one))}
		end := func(id string, decrement bool) error {
			_, err := g.client.TerminateInstanceInAutoScalingGroup(t.Context(), &autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: &id, ShouldDecrementDesiredCapacity: &decrement})
			return err
		}
		wants(t, "end", end(members[0], false), nil)
		wants(t, "soon", g.lives(), "map[InService b:1 InService c:1 Pending a:1 Terminating a:1]")
		time.Sleep(5 * time.Minute)
		wants(t, "later", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
		wants(t, "end", end(members[1], true), nil)
		time.Sleep(5 * time.Minute)
		wants(t, "fewer", g.lives(), "map[InService a:1 InService c:1]")
		refused(t, "ValidationError", end(members[2], true))
	})
}

func TestAGroupThatWantsMoreOrFewerGetsThemAndKeepsThoseProtected(t *testing.T) {
	in(t, slow(), func(t *testing.T, c *awsfake.Cloud) {
		c.AddGroup(one, "web", 1, 2, 6, nil, awsfake.Doc{"NewInstancesProtectedFromScaleIn": true})
		g, name := group{t, autoscaling.NewFromConfig(admin(c, one))}, aws.String("web")
		want := func(n int32) error {
			_, err := g.client.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: name, DesiredCapacity: &n})
			return err
		}
		refused(t, "ValidationError", want(7))
		wants(t, "more", want(3), nil)
		time.Sleep(time.Minute)
		wants(t, "more", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
		wants(t, "fewer", want(1), nil)
		time.Sleep(5 * time.Minute)
		wants(t, "protected", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
		c.Edit(one, awsfake.Group, "web", func(d awsfake.Doc) {
			d["_hooks"] = []awsfake.Doc{{"LifecycleHookName": "drain", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 300}}
			for _, m := range d.Docs("Instances") {
				m["ProtectedFromScaleIn"] = false
			}
		})
		wants(t, "fewer", want(1), nil)
		time.Sleep(5 * time.Minute)
		wants(t, "not protected", len(g.read().Instances), 1)
		hooks, err := g.client.DescribeLifecycleHooks(t.Context(), &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: name})
		if err != nil || *hooks.LifecycleHooks[0].LifecycleHookName != "drain" || *hooks.LifecycleHooks[0].HeartbeatTimeout != 300 {
			t.Errorf("%+v, %v", hooks, err)
		}
	})
}

func TestAGroupNoticesWhatOthersDoToItAndItsMembers(t *testing.T) {
	in(t, slow(), func(t *testing.T, c *awsfake.Cloud) {
		members := c.AddGroup(one, "web", 2, 3, 6, nil)
		g := group{t, autoscaling.NewFromConfig(admin(c, one))}
		c.Drop(one, awsfake.Instance, members[0])
		time.Sleep(5 * time.Minute)
		wants(t, "a member went", g.lives(), "map[InService a:1 InService b:1 InService c:1]")
		for _, m := range g.read().Instances {
			if *m.InstanceId == members[0] {
				t.Errorf("what is no more is still a member")
			}
		}
		c.Edit(one, awsfake.Group, "web", func(d awsfake.Doc) { d["DesiredCapacity"] = 2 })
		time.Sleep(5 * time.Minute)
		wants(t, "fewer are wanted", len(g.read().Instances), 2)
	})
}
