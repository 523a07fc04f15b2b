package awsfake

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Launch seeds running instances, spread over the zones of the default network.
// What is in with replaces what an instance is otherwise.
func (c *Cloud) Launch(p Place, n int, tags map[string]string, with ...Doc) (ids []string) {
	defer c.lock()()
	c.enter(p)
	subnets := c.list(p, Subnet, false)
	for i := range n {
		subnet := subnets[i%len(subnets)]
		more := Doc{}
		for _, w := range with {
			maps.Copy(more, w.Clone())
		}
		if id := more.Str("subnetId"); id != "" {
			subnet = c.now(Subnet.ARN(p, id))
		}
		id := c.launch(p, subnet, tags, "running", c.plant)
		c.edit(Instance.ARN(p, id), func(d Doc) { maps.Copy(d, more) })
		c.plant(p, Instance, id, c.now(Instance.ARN(p, id)))
		ids = append(ids, id)
	}
	return ids
}

// launch makes an instance and its network interface.
func (c *Cloud) launch(p Place, subnet Doc, tags map[string]string, state string, put func(Place, Kind, string, Doc) string) string {
	id, nic, ip := c.fresh("i"), c.fresh("eni"), fmt.Sprintf("10.0.%d.%d", c.ids/250%250, c.ids%250+4)
	var groups []Doc
	for _, g := range c.list(p, SecurityGroup, false) {
		if g.Str("groupName") == "default" && g.Str("vpcId") == subnet.Str("vpcId") {
			groups = append(groups, Doc{"groupId": g.Str("groupId"), "groupName": "default"})
		}
	}
	put(p, Instance, id, Doc{
		"instanceId": id, "imageId": "ami-00000000", "instanceType": "t3.micro", "instanceState": stateDoc(state), "rootDeviceType": "ebs",
		"placement": Doc{"availabilityZone": subnet.Str("availabilityZone"), "tenancy": "default"}, "subnetId": subnet.Str("subnetId"), "vpcId": subnet.Str("vpcId"),
		"privateIpAddress": ip, "groupSet": groups, "launchTime": c.at, "_boot": c.at.Add(-time.Hour), "_nic": nic, "_tags": maps.Clone(tags),
	})
	put(p, NetworkInterface, nic, Doc{
		"networkInterfaceId": nic, "subnetId": subnet.Str("subnetId"), "vpcId": subnet.Str("vpcId"), "availabilityZone": subnet.Str("availabilityZone"),
		"ownerId": p.Account, "status": "in-use", "interfaceType": "interface", "privateIpAddress": ip, "groupSet": groups, "requesterManaged": false,
		"attachment": Doc{"attachmentId": c.fresh("eni-attach"), "instanceId": id, "instanceOwnerId": p.Account, "deviceIndex": 0, "status": "attached"},
	})
	return id
}

func stateDoc(name string) Doc {
	code := map[string]int{"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}[name]
	return Doc{"code": code, "name": name}
}

// become brings an instance on its way, and there after a while.
func (c *Cloud) become(arn, way, end string, d time.Duration) {
	c.ids++
	turn := c.ids
	c.edit(arn, func(i Doc) { i["instanceState"], i["_turn"] = stateDoc(way), turn })
	c.changed(arn)
	c.after(d, func() {
		if c.now(arn).Int("_turn", 0) != turn {
			return
		}
		c.edit(arn, func(i Doc) { i["instanceState"] = stateDoc(end) })
		if end == "terminated" {
			c.drop(NetworkInterface.ARN(c.docs[arn].place, c.now(arn).Str("_nic")))
			c.after(time.Hour, func() { c.drop(arn) })
		}
		c.changed(arn)
	})
}

// changed lets the group of an instance look at it: at once, if it was waiting
// for that.
func (c *Cloud) changed(arn string) {
	d := c.now(arn)
	group := d.Str("_group")
	switch state := d.Str("instanceState.name"); {
	case group == "":
	case state == "running" || state == "terminated":
		c.after(0, func() { c.tend(group) })
	default:
		c.heal(group)
	}
}

func (c *Cloud) stop(arn string) { c.become(arn, "stopping", "stopped", c.Stop) }

func (c *Cloud) start(arn string) {
	c.become(arn, "pending", "running", c.Start)
	c.edit(arn, func(d Doc) { d["launchTime"], d["_boot"] = c.at, c.at.Add(c.Start) })
}

func (c *Cloud) terminate(arn string) { c.become(arn, "shutting-down", "terminated", c.Terminate) }

func describeInstances(k *call) (Doc, error) {
	found, err := instanceDescription().find(k)
	if err != nil {
		return nil, err
	}
	page, next := k.paged(found, "NextToken", "MaxResults")
	reservations := []Doc{}
	for _, one := range page {
		shown := withTagSet(one)
		if nic := k.seen(NetworkInterface.ARN(k.Place, one.Str("_nic"))); nic != nil {
			shown["networkInterfaceSet"] = []Doc{nic}
			shown["groupSet"] = nic["groupSet"]
		}
		reservations = append(reservations, Doc{"reservationId": "r-" + one.Str("instanceId")[2:], "ownerId": k.Account, "instancesSet": []Doc{shown}})
	}
	return Doc{"reservationSet": reservations, "nextToken": next}, nil
}

func describeInstanceStatus(k *call) (Doc, error) {
	if len(k.in.Strs("InstanceId")) > 100 {
		return nil, &Error{Code: "InvalidParameterValue", Message: "The maximum of explicitly specified instance IDs is 100"}
	}
	found, err := instanceDescription().find(k)
	if err != nil {
		return nil, err
	}
	all := []Doc{}
	for _, one := range found {
		running := one.Str("instanceState.name") == "running"
		status := Doc{"status": "not-applicable"}
		if running {
			status = Doc{"status": "ok", "details": []Doc{{"name": "reachability", "status": "passed"}}}
			if k.at.Before(one.Time("_boot").Add(k.Boot)) {
				status = Doc{"status": "initializing", "details": []Doc{{"name": "reachability", "status": "initializing"}}}
			}
		}
		if running || k.in.Bool("IncludeAllInstances") {
			all = append(all, Doc{"instanceId": one["instanceId"], "availabilityZone": one.At("placement.availabilityZone"),
				"instanceState": one["instanceState"], "instanceStatus": status, "systemStatus": status})
		}
	}
	page, next := k.paged(all, "NextToken", "MaxResults")
	return Doc{"instanceStatusSet": page, "nextToken": next}, nil
}

// getConsoleOutput is what was posted after the latest boot.
func getConsoleOutput(k *call) (Doc, error) {
	id := k.in.Str("InstanceId")
	i := k.seen(Instance.ARN(k.Place, id))
	if i == nil {
		return nil, notFound("instance", id)
	}
	return Doc{"instanceId": id, "timestamp": i.Time("_boot"), "output": []byte("Ym9vdGVk")}, nil
}

func describeInstanceAttribute(k *call) (Doc, error) {
	id, name := k.in.Str("InstanceId"), k.in.Str("Attribute")
	i := k.seen(Instance.ARN(k.Place, id))
	if i == nil {
		return nil, notFound("instance", id)
	}
	value := i.At("_attributes." + name)
	if value == nil {
		value = map[string]any{"instanceInitiatedShutdownBehavior": "stop", "disableApiStop": false, "disableApiTermination": false}[name]
	}
	return Doc{"instanceId": id, name: Doc{"value": value}}, nil
}

func modifyInstanceAttribute(k *call) (Doc, error) {
	id := k.in.Str("InstanceId")
	if _, err := k.find(Instance, id, notFound("instance", id)); err != nil {
		return nil, err
	}
	k.edit(Instance.ARN(k.Place, id), func(d Doc) {
		attributes, is := d["_attributes"].(Doc)
		if !is {
			attributes = Doc{}
		}
		for asked, name := range map[string]string{"DisableApiStop": "disableApiStop", "DisableApiTermination": "disableApiTermination"} {
			if k.in.Has(asked + ".Value") {
				attributes[name] = k.in.Str(asked+".Value") == "true"
			}
		}
		d["_attributes"] = attributes
	})
	return Doc{"return": true}, nil
}

func runInstances(k *call) (Doc, error) {
	subnet := k.list(k.Place, Subnet, false)[0]
	if id := k.in.Str("SubnetId"); id != "" {
		var err error
		if subnet, err = k.find(Subnet, id, notFound("subnet", id)); err != nil {
			return nil, err
		}
	}
	started := []Doc{}
	for range k.in.Int("MaxCount", 1) {
		id := k.launch(k.Place, subnet, asked(k), "pending", k.put)
		k.start(Instance.ARN(k.Place, id))
		started = append(started, withTagSet(k.now(Instance.ARN(k.Place, id))))
	}
	return Doc{"instancesSet": started, "ownerId": k.Account}, nil
}

// eachInstance checks all the instances of a call, and then does it to each.
func eachInstance(k *call, check func(d Doc, id, state string) error, do func(arn string)) (Doc, error) {
	ids := k.in.Strs("InstanceId")
	for _, id := range ids {
		d, err := k.find(Instance, id, notFound("instance", id))
		if err == nil {
			err = check(d, id, d.Str("instanceState.name"))
		}
		if err != nil {
			return nil, err
		}
	}
	changes := []Doc{}
	for _, id := range ids {
		arn := Instance.ARN(k.Place, id)
		before := k.now(arn)["instanceState"]
		do(arn)
		changes = append(changes, Doc{"instanceId": id, "previousState": before, "currentState": k.now(arn)["instanceState"]})
	}
	return Doc{"instancesSet": changes}, nil
}

func incorrect(id, verb string) *Error {
	return &Error{Code: "IncorrectInstanceState", Message: fmt.Sprintf("This instance '%s' is not in a state from which it can be %s.", id, verb)}
}

func protected(id, verb, attribute string) *Error {
	return &Error{Code: "OperationNotPermitted", Message: fmt.Sprintf("The instance '%s' may not be %s. Modify its '%s' instance attribute and try again.", id, verb, attribute)}
}

func stopInstances(k *call) (Doc, error) {
	return eachInstance(k, func(d Doc, id, state string) error {
		switch {
		case slices.Contains([]string{"shutting-down", "terminated", "pending"}, state):
			return incorrect(id, "stopped")
		case d.Bool("_attributes.disableApiStop"):
			return protected(id, "stopped", "disableApiStop")
		case d.Str("rootDeviceType") == "instance-store":
			return &Error{Code: "UnsupportedOperation", Message: fmt.Sprintf("The instance '%s' does not have an 'ebs' root device type and cannot be stopped.", id)}
		case d.Str("instanceLifecycle") == "spot":
			return &Error{Code: "UnsupportedOperation", Message: "You can't stop the Spot Instance '" + id + "' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests."}
		case k.in.Bool("Hibernate") && !d.Bool("hibernationOptions.configured"):
			return &Error{Code: "UnsupportedHibernationConfiguration", Message: "The instance '" + id + "' is not configured for hibernation"}
		}
		return nil
	}, func(arn string) {
		if k.now(arn).Str("instanceState.name") == "running" {
			k.stop(arn)
		}
	})
}

func startInstances(k *call) (Doc, error) {
	return eachInstance(k, func(_ Doc, id, state string) error {
		if slices.Contains([]string{"stopping", "shutting-down", "terminated"}, state) {
			return &Error{Code: "IncorrectInstanceState", Message: fmt.Sprintf("The instance '%s' is not in a state from which it can be started.", id)}
		}
		return nil
	}, func(arn string) {
		if k.now(arn).Str("instanceState.name") == "stopped" {
			k.start(arn)
		}
	})
}

func rebootInstances(k *call) (Doc, error) {
	_, err := eachInstance(k, func(_ Doc, id, state string) error {
		if state != "running" {
			return incorrect(id, "rebooted")
		}
		return nil
	}, func(arn string) {
		k.edit(arn, func(d Doc) { d["_boot"], d["_boots"] = k.at, d.Int("_boots", 0)+1 })
	})
	return Doc{"return": true}, err
}

func terminateInstances(k *call) (Doc, error) {
	return eachInstance(k, func(d Doc, id, _ string) error {
		if d.Bool("_attributes.disableApiTermination") {
			return protected(id, "terminated", "disableApiTermination")
		}
		return nil
	}, func(arn string) {
		if state := k.now(arn).Str("instanceState.name"); state != "terminated" && state != "shutting-down" {
			k.terminate(arn)
		}
	})
}
