package awsfake

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// How groups tend their members by themselves.

// heal lets a group look at its members soon.
func (c *Cloud) heal(arn string) {
	if c.looking[arn] {
		return
	}
	c.looking[arn] = true
	c.after(c.Heal, func() {
		delete(c.looking, arn)
		c.tend(arn)
	})
}

// tendAfter lets a group act on what somebody did to it, or to a member.
func (c *Cloud) tendAfter(arn string) {
	h := c.docs[arn]
	switch {
	case h == nil:
	case h.kind == Group:
		c.after(0, func() { c.tend(arn) })
	case h.kind == Instance:
		for _, v := range h.versions {
			if group := v.doc.Str("_group"); group != "" {
				c.heal(group)
				return
			}
		}
	}
}

// tend does one round of what a group does, as far as its processes run: it sees
// who is well, lets go of who is not, and launches or ends some until as many as
// are desired are in its zones. What it does brings the next round.
func (c *Cloud) tend(arn string) {
	g := c.now(arn).Clone()
	if g == nil {
		return
	}
	p, suspended := c.docs[arn].place, valuesAt(g, "SuspendedProcesses.ProcessName")
	runs := func(process string) bool { return !slices.Contains(suspended, process) }
	before := fmt.Sprint(map[string]any(g))
	c.see(p, g, runs("HealthCheck"))
	if runs("ReplaceUnhealthy") && runs("Terminate") {
		for _, m := range g.Docs("Instances") {
			if m.Str("HealthStatus") == "Unhealthy" && m.Str("LifecycleState") == "InService" {
				c.leave(g, m.Str("InstanceId"), "an instance was taken out of service in response to a health check")
			}
		}
	}
	c.fill(p, g, runs)
	if runs("Terminate") {
		c.shrink(p, g)
	}
	if fmt.Sprint(map[string]any(g)) != before {
		c.write(arn, g)
		c.heal(arn)
	}
}

// see brings the members up to what their instances are.
func (c *Cloud) see(p Place, g Doc, checks bool) {
	g["Instances"] = slices.DeleteFunc(g.Docs("Instances"), func(m Doc) bool {
		state := c.now(Instance.ARN(p, m.Str("InstanceId"))).Str("instanceState.name")
		life := m.Str("LifecycleState")
		switch {
		case life == "Terminating":
			return state == "" || state == "terminated"
		case c.at.Before(m.Time("_until")):
		case life == "EnteringStandby":
			m["LifecycleState"] = "Standby"
		case life == "Pending" && state == "running":
			m["LifecycleState"] = "InService"
		case life == "InService" && state != "running" && checks:
			m["HealthStatus"] = "Unhealthy"
		}
		return false
	})
}

// leave ends a member.
func (c *Cloud) leave(g Doc, id, cause string) Doc {
	arn := Instance.ARN(c.docs[g.Str("_arn")].place, id)
	for _, m := range g.Docs("Instances") {
		if m.Str("InstanceId") == id {
			m["LifecycleState"] = "Terminating"
		}
	}
	if state := c.now(arn).Str("instanceState.name"); state != "" && state != "terminated" && state != "shutting-down" {
		c.terminate(arn)
	}
	return c.note(g, "Terminating EC2 instance: "+id, cause)
}

// note keeps an activity.
func (c *Cloud) note(g Doc, what, cause string) Doc {
	c.ids++
	done := Doc{"ActivityId": fmt.Sprintf("%08x-0000-4000-8000-000000000000", c.ids), "AutoScalingGroupName": g.Str("AutoScalingGroupName"), "Description": what,
		"Cause": "At " + c.at.UTC().Format(time.RFC3339) + " " + cause + ".", "StartTime": c.at, "EndTime": c.at, "StatusCode": "Successful", "Progress": 100}
	g["_activities"] = append(g.Docs("_activities"), done)
	return done
}

// fill launches what is missing, in its zones. Those in a zone that it lost are
// replaced before they end, if it balances its zones.
func (c *Cloud) fill(p Place, g Doc, runs func(string) bool) {
	subnets, desired := c.subnets(p, g), g.Int("DesiredCapacity", 0)
	if !runs("Launch") || len(subnets) == 0 {
		return
	}
	balances := runs("AZRebalance") && runs("Terminate")
	for {
		load, there := loads(g), 0
		var least, most int
		for i, zone := range slices.Sorted(maps.Keys(subnets)) {
			if there += load[zone]; i == 0 {
				least, most = load[zone], load[zone]
			}
			least, most = min(least, load[zone]), max(most, load[zone])
		}
		if !balances {
			there = 0
			for _, n := range load {
				there += n
			}
		}
		if there > desired || there == desired && (!balances || most-least <= 1) {
			return
		}
		id := c.join(p, g, "Pending", "pending", c.put)
		c.note(g, "Launching a new EC2 instance: "+id, "an instance was started in response to a difference between desired and actual capacity")
	}
}

// shrink ends members that are too many: first the unhealthy, then those in a
// zone that the group lost, then those in the fullest zone.
func (c *Cloud) shrink(p Place, g Doc) {
	for subnets := c.subnets(p, g); ; {
		load := loads(g)
		var serve []Doc
		for _, m := range g.Docs("Instances") {
			if m.Str("LifecycleState") == "InService" {
				serve = append(serve, m)
			}
		}
		extra := len(serve) - g.Int("DesiredCapacity", 0)
		serve = slices.DeleteFunc(serve, func(m Doc) bool { return m.Bool("ProtectedFromScaleIn") })
		if extra <= 0 || len(serve) == 0 {
			return
		}
		weight := func(m Doc) int {
			if m.Str("HealthStatus") == "Unhealthy" {
				return 1 << 21
			}
			if subnets[m.Str("AvailabilityZone")] == nil {
				return 1 << 20
			}
			return load[m.Str("AvailabilityZone")]
		}
		first := slices.MaxFunc(serve, func(a, b Doc) int { return weight(a) - weight(b) })
		c.leave(g, first.Str("InstanceId"), "an instance was taken out of service in response to a difference between desired and actual capacity")
	}
}

// standby moves members between service and standby.
func (k *call) standby(from, by, to string, desired int, cause string) (Doc, error) {
	g, err := k.group()
	if err != nil {
		return nil, err
	}
	ids, activities, moved := k.in.Strs("InstanceIds"), []Doc{}, 0
	if len(ids) > 20 {
		return nil, invalid("The number of instances that may be passed in is limited to 20")
	}
	for _, m := range g.Docs("Instances") {
		if slices.Contains(ids, m.Str("InstanceId")) && m.Str("LifecycleState") == from {
			m["LifecycleState"], m["_until"] = by, k.at.Add(k.Standby)
			activities = append(activities, k.note(g, cause+m.Str("InstanceId"), "instance was moved by a user request"))
			moved++
		}
	}
	if moved != len(ids) {
		return nil, invalid(fmt.Sprintf("The instances [%v] are not in %s.", ids, from))
	}
	after := g.Int("DesiredCapacity", 0) + desired*moved
	if least, most := g.Int("MinSize", 0), g.Int("MaxSize", 0); after < least || after > most {
		return nil, invalid(fmt.Sprintf("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To place into %s %d instance(s), please update the AutoScalingGroup sizes appropriately.",
			g.Str("AutoScalingGroupName"), least, most, g.Int("DesiredCapacity", 0), to, moved))
	}
	g["DesiredCapacity"] = after
	arn := g.Str("_arn")
	k.write(arn, g)
	k.after(k.Standby, func() { k.tend(arn) })
	k.after(0, func() { k.tend(arn) })
	return Doc{"Activities": activities}, nil
}

func enterStandby(k *call) (Doc, error) {
	desired := 0
	if k.in.Bool("ShouldDecrementDesiredCapacity") {
		desired = -1
	}
	return k.standby("InService", "EnteringStandby", "standby", desired, "Moving EC2 instance to Standby: ")
}

func exitStandby(k *call) (Doc, error) {
	return k.standby("Standby", "Pending", "service", 1, "Moving EC2 instance out of Standby: ")
}
