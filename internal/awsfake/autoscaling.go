package awsfake

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Group is an Auto Scaling group.
const Group Kind = "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:00000000-0000-4000-8000-000000000000:autoScalingGroupName/{id}"

func autoScaling() Service {
	group, member := on(Group, "AutoScalingGroupName"), onGroupOf
	return Service{prefix: "autoscaling", actions: map[string]action{
		"DescribeAutoScalingGroups":           {do: describeGroups},
		"DescribeAutoScalingInstances":        {do: describeMembers},
		"DescribeScalingActivities":           {do: describeActivities},
		"DescribeLifecycleHooks":              {do: describeHooks},
		"SuspendProcesses":                    {do: suspend, needs: group},
		"ResumeProcesses":                     {do: suspend, needs: group},
		"UpdateAutoScalingGroup":              {do: updateGroup, needs: group},
		"SetDesiredCapacity":                  {do: updateGroup, needs: group},
		"EnterStandby":                        {do: enterStandby, needs: group},
		"ExitStandby":                         {do: exitStandby, needs: group},
		"SetInstanceHealth":                   {do: setHealth, needs: member},
		"TerminateInstanceInAutoScalingGroup": {do: terminateMember, needs: member},
	}}
}

// AddGroup seeds a group over the subnets of the default network, with its
// members in service. What is in with replaces what a group is otherwise.
func (c *Cloud) AddGroup(p Place, name string, least, desired, most int, tags map[string]string, with ...Doc) (members []string) {
	defer c.lock()()
	c.enter(p)
	var subnets []string
	for _, s := range c.list(p, Subnet, false) {
		subnets = append(subnets, s.Str("subnetId"))
	}
	g := Doc{"AutoScalingGroupName": name, "AutoScalingGroupARN": Group.ARN(p, name), "MinSize": least, "DesiredCapacity": desired, "MaxSize": most,
		"VPCZoneIdentifier": strings.Join(subnets, ","), "HealthCheckType": "EC2", "HealthCheckGracePeriod": 0, "DefaultCooldown": 300, "CreatedTime": c.at,
		"Instances": []Doc{}, "SuspendedProcesses": []Doc{}, "TerminationPolicies": []string{"Default"}, "_tags": maps.Clone(tags)}
	for _, w := range with {
		maps.Copy(g, w.Clone())
	}
	g["AvailabilityZones"] = slices.Sorted(maps.Keys(c.subnets(p, g)))
	arn := c.plant(p, Group, name, g)
	for range desired {
		c.edit(arn, func(g Doc) {
			id := c.join(p, g, "InService", "running", c.plant)
			members = append(members, id)
		})
	}
	c.plant(p, Group, name, c.now(arn))
	return members
}

// subnets of a group, by zone.
func (c *Cloud) subnets(p Place, g Doc) map[string]Doc {
	all := map[string]Doc{}
	for id := range strings.SplitSeq(g.Str("VPCZoneIdentifier"), ",") {
		if s := c.now(Subnet.ARN(p, strings.TrimSpace(id))); s != nil {
			all[s.Str("availabilityZone")] = s
		}
	}
	return all
}

// join launches a member in that zone of the group which has the fewest.
func (c *Cloud) join(p Place, g Doc, life, state string, put func(Place, Kind, string, Doc) string) string {
	subnets, load := c.subnets(p, g), loads(g)
	zone := slices.MinFunc(slices.Sorted(maps.Keys(subnets)), func(a, b string) int { return load[a] - load[b] })
	more := tags(g)
	more["aws:autoscaling:groupName"] = g.Str("AutoScalingGroupName")
	id := c.launch(p, subnets[zone], more, state, put)
	arn := Instance.ARN(p, id)
	c.now(arn)["_group"] = g.Str("_arn")
	if state == "pending" {
		c.start(arn)
	}
	g["Instances"] = append(g.Docs("Instances"), Doc{"InstanceId": id, "AvailabilityZone": zone, "LifecycleState": life, "HealthStatus": "Healthy",
		"ProtectedFromScaleIn": g.Bool("NewInstancesProtectedFromScaleIn"), "InstanceType": "t3.micro"})
	return id
}

// loads are how many members each zone has: unhealthy ones too, until they are
// being replaced.
func loads(g Doc) map[string]int {
	all := map[string]int{}
	for _, m := range g.Docs("Instances") {
		if active(m) {
			all[m.Str("AvailabilityZone")]++
		}
	}
	return all
}

func active(m Doc) bool {
	return slices.Contains([]string{"Pending", "InService"}, m.Str("LifecycleState"))
}

// noGroup is Auto Scaling's word for a name that is not.
func noGroup(name string) *Error {
	return invalid("AutoScalingGroup name not found - no such group: " + name)
}

func invalid(message string) *Error { return &Error{Code: "ValidationError", Message: message} }

// group is the one that the call names.
func (k *call) group() (Doc, error) {
	name := k.in.Str("AutoScalingGroupName")
	g, err := k.find(Group, name, noGroup(name))
	return g.Clone(), err
}

// memberOf finds the group of an instance.
func (k *call) memberOf(id string) (Doc, error) {
	if g := k.now(k.now(Instance.ARN(k.Place, id)).Str("_group")); g != nil && slices.Contains(valuesAt(g, "Instances.InstanceId"), id) {
		return g.Clone(), nil
	}
	return nil, invalid("No managed instance found for instance ID: " + id)
}

func onGroupOf(k *call) []Need {
	g, err := k.memberOf(k.in.Str("InstanceId"))
	if err != nil {
		return nil
	}
	return []Need{{Resource: g.Str("_arn")}}
}

func describeGroups(k *call) (Doc, error) {
	names, found := k.in.Strs("AutoScalingGroupNames"), []Doc{}
	if len(names) > max(50, k.in.Int("MaxRecords", 0)) {
		return nil, invalid("The number of group names that may be passed in is limited to 50")
	}
	for _, g := range k.list(k.Place, Group, true) {
		fits := len(names) == 0 || slices.Contains(names, g.Str("AutoScalingGroupName"))
		for _, f := range k.in.Docs("Filters") {
			fits = fits && passes(g, f.Str("Name"), "", f.Strs("Values"))
		}
		if fits {
			shown := maps.Clone(g)
			shown["Tags"] = []Doc{}
			for _, t := range pairs(tags(g), "Key", "Value") {
				t["ResourceId"], t["ResourceType"], t["PropagateAtLaunch"] = g["AutoScalingGroupName"], "auto-scaling-group", true
				shown["Tags"] = append(shown["Tags"].([]Doc), t)
			}
			found = append(found, shown)
		}
	}
	k.few("MaxRecords", 50, 100)
	page, next := k.paged(found, "NextToken", "MaxRecords")
	return Doc{"AutoScalingGroups": page, "NextToken": next}, nil
}

func describeMembers(k *call) (Doc, error) {
	ids, found := k.in.Strs("InstanceIds"), []Doc{}
	if len(ids) > 50 {
		return nil, invalid("The number of instance ids that may be passed in is limited to 50")
	}
	for _, g := range k.list(k.Place, Group, true) {
		for _, m := range g.Docs("Instances") {
			if len(ids) == 0 || slices.Contains(ids, m.Str("InstanceId")) {
				m = maps.Clone(m)
				m["AutoScalingGroupName"], m["HealthStatus"] = g["AutoScalingGroupName"], strings.ToUpper(m.Str("HealthStatus"))
				found = append(found, m)
			}
		}
	}
	k.few("MaxRecords", 50, 50)
	page, next := k.paged(found, "NextToken", "MaxRecords")
	return Doc{"AutoScalingInstances": page, "NextToken": next}, nil
}

func describeActivities(k *call) (Doc, error) {
	found := []Doc{}
	for _, g := range k.list(k.Place, Group, true) {
		if name := k.in.Str("AutoScalingGroupName"); name == "" || name == g.Str("AutoScalingGroupName") {
			found = append(found, g.Docs("_activities")...)
		}
	}
	slices.Reverse(found)
	k.few("MaxRecords", 50, 100)
	page, next := k.paged(found, "NextToken", "MaxRecords")
	return Doc{"Activities": page, "NextToken": next}, nil
}

func describeHooks(k *call) (Doc, error) {
	g, err := k.group()
	if err != nil {
		return nil, err
	}
	return Doc{"LifecycleHooks": g.Docs("_hooks")}, nil
}

// suspend also resumes. No process means all.
func suspend(k *call) (Doc, error) {
	g, err := k.group()
	if err != nil {
		return nil, err
	}
	every := []string{"Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh", "ReplaceUnhealthy", "ScheduledActions"}
	asked := k.in.Strs("ScalingProcesses")
	if len(asked) == 0 {
		asked = every
	}
	left := g.Docs("SuspendedProcesses")
	for _, p := range asked {
		if !slices.Contains(every, p) {
			return nil, invalid(fmt.Sprintf("Invalid process type: %s", p))
		}
		there := func(s Doc) bool { return s.Str("ProcessName") == p }
		switch {
		case k.name == "ResumeProcesses":
			left = slices.DeleteFunc(left, there)
		case !slices.ContainsFunc(left, there):
			left = append(left, Doc{"ProcessName": p, "SuspensionReason": "User suspended at " + k.at.UTC().Format("2006-01-02T15:04:05Z")})
		}
	}
	g["SuspendedProcesses"] = left
	k.write(g.Str("_arn"), g)
	k.heal(g.Str("_arn"))
	return nil, nil
}

func updateGroup(k *call) (Doc, error) {
	g, err := k.group()
	if err != nil {
		return nil, err
	}
	for _, size := range []string{"MinSize", "MaxSize", "DesiredCapacity"} {
		g[size] = k.in.Int(size, g.Int(size, 0))
	}
	least, most, desired := g.Int("MinSize", 0), g.Int("MaxSize", 0), g.Int("DesiredCapacity", 0)
	if !k.in.Has("DesiredCapacity") {
		desired = min(max(desired, least), most)
	}
	if desired < least || desired > most {
		return nil, invalid(fmt.Sprintf("Desired capacity:%d must be between the specified min size:%d and max size:%d", desired, least, most))
	}
	g["DesiredCapacity"] = desired
	if subnets := k.in.Str("VPCZoneIdentifier"); subnets != "" {
		for id := range strings.SplitSeq(subnets, ",") {
			if k.now(Subnet.ARN(k.Place, strings.TrimSpace(id))) == nil {
				return nil, invalid("The subnet ID '" + id + "' does not exist")
			}
		}
		g["VPCZoneIdentifier"] = subnets
		g["AvailabilityZones"] = slices.Sorted(maps.Keys(k.subnets(k.Place, g)))
	}
	arn := g.Str("_arn")
	k.write(arn, g)
	k.after(0, func() { k.tend(arn) })
	return nil, nil
}

func setHealth(k *call) (Doc, error) {
	g, err := k.memberOf(k.in.Str("InstanceId"))
	if err != nil {
		return nil, err
	}
	for _, m := range g.Docs("Instances") {
		if m.Str("InstanceId") == k.in.Str("InstanceId") {
			m["HealthStatus"] = k.in.Str("HealthStatus")
		}
	}
	k.write(g.Str("_arn"), g)
	k.heal(g.Str("_arn"))
	return nil, nil
}

func terminateMember(k *call) (Doc, error) {
	id := k.in.Str("InstanceId")
	g, err := k.memberOf(id)
	if err != nil {
		return nil, err
	}
	if k.in.Bool("ShouldDecrementDesiredCapacity") {
		if g.Int("DesiredCapacity", 0) <= g.Int("MinSize", 0) {
			return nil, invalid("Currently, desiredSize equals minSize. Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.")
		}
		g["DesiredCapacity"] = g.Int("DesiredCapacity", 0) - 1
	}
	done := k.leave(g, id, "instance was taken out of service in response to a user request")
	arn := g.Str("_arn")
	k.write(arn, g)
	k.after(0, func() { k.tend(arn) })
	return Doc{"Activity": done}, nil
}
