package aws_test

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/awsfake"
)

// TestWhatCannotBeDoneOrUndoneIsSaidBeforehand: a sentence each, with what to do.
func TestWhatCannotBeDoneOrUndoneIsSaidBeforehand(t *testing.T) {
	for name, test := range map[string]struct {
		fault   string
		spoil   func(c *awsfake.Cloud)
		targets string // other than those of the trial
		want    string
		fix     string
	}{
		"termination protection": {"ec2-terminate", attribute("disableApiTermination"), "", "is protected against termination", "turn its termination protection off"},
		"stop protection":        {"ec2-stop", attribute("disableApiStop"), "", "is protected against stopping", "turn its stop protection off"},
		"a spot instance": {"ec2-stop", eachMeant(func(d awsfake.Doc) { d["instanceLifecycle"] = "spot" }), "",
			"is a spot instance", "choose instances on demand"},
		"an interface in another VPC": {"ec2-isolate", func(c *awsfake.Cloud) {
			for _, n := range c.All(here, awsfake.NetworkInterface) {
				c.Edit(here, awsfake.NetworkInterface, n.Str("networkInterfaceId"), func(d awsfake.Doc) { d["vpcId"] = "vpc-other" })
			}
		}, "", "which is in another VPC", "choose another instance"},
		"a local route": {"route-blackhole", func(c *awsfake.Cloud) {
			for _, id := range []string{"rtb-00000001", "rtb-00000002"} {
				c.Edit(here, awsfake.RouteTable, id, func(d awsfake.Doc) {
					d["routeSet"] = []awsfake.Doc{{"destinationCidrBlock": "0.0.0.0/0", "gatewayId": "vgw-1", "state": "active", "origin": "EnableVgwRoutePropagation"}}
				})
			}
		}, "", "is local, propagated or of an endpoint", "name another destination"},
		"a gateway endpoint": {"vpc-endpoint-cut", func(c *awsfake.Cloud) { c.AddEndpoint(here, "s3", "Gateway", map[string]string{"Tier": "web"}) }, `{"tags": {"Tier": "web"}}`,
			"is a Gateway endpoint, which has no security group", "S3 and DynamoDB are cut by s3-deny"},
		"a subnet of another account": {"subnet-isolate", func(c *awsfake.Cloud) {
			for _, s := range c.All(here, awsfake.Subnet) {
				c.Edit(here, awsfake.Subnet, s.Str("subnetId"), func(d awsfake.Doc) { d["ownerId"] = "222222222222" })
			}
		}, "", "belongs to account 222222222222, which only shares it", "list account 222222222222 in the settings"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, test.fault, test.spoil, test.targets, "", test.want, test.fix)
		})
	}
}

// refused wants a fault to be refused; it is as its trial has it, but for targets
// and with.
func refused(t *testing.T, name string, spoil func(*awsfake.Cloud), targets, with, want, fix string) {
	t.Helper()
	c := awsfake.New(awsfake.Settings{})
	tried, triedWith := trials()[name].put(c, c.Enter(here))
	spoil(c)
	f := fault(name, cmp.Or(targets, tried), nil)
	if text := cmp.Or(with, triedWith); text != "" {
		f.With = raw(text)
	}
	injector, err := kind(fakeDeps(c), name).New(f)
	if err != nil {
		t.Fatal(err)
	}
	before := c.Snapshot()
	found, err := injector.Prepare(t.Context(), mishap.Request{Run: "run", Fault: f})
	var hinted *mishap.Hinted
	if err == nil || !strings.Contains(err.Error(), want) || found != nil {
		t.Fatalf("%d found, %v; want %q", len(found), err, want)
	}
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, fix) {
		t.Errorf("%v has the hint %+v, want %q", err, hinted, fix)
	}
	if c.Snapshot() != before {
		t.Error("preparing changed something")
	}
}

// eachMeant changes each instance that is meant.
func eachMeant(change func(awsfake.Doc)) func(*awsfake.Cloud) {
	return func(c *awsfake.Cloud) {
		for _, id := range meantInstances(c, here) {
			c.Edit(here, awsfake.Instance, id, change)
		}
	}
}

func attribute(name string) func(*awsfake.Cloud) {
	return eachMeant(func(d awsfake.Doc) { d["_attributes"] = awsfake.Doc{name: true} })
}

// TestThePlanSaysWhatElseWillHappen.
func TestThePlanSaysWhatElseWillHappen(t *testing.T) {
	for name, test := range map[string]struct {
		fault string
		there func(c *awsfake.Cloud)
		want  string
	}{
		"nobody replaces it": {"ec2-terminate", func(*awsfake.Cloud) {}, "is in no Auto Scaling group: nobody starts another"},
		"its volumes go": {"ec2-terminate", eachMeant(func(d awsfake.Doc) {
			d["blockDeviceMapping"] = []awsfake.Doc{{"deviceName": "/dev/xvda", "ebs": awsfake.Doc{"volumeId": "vol-1", "deleteOnTermination": true}}}
		}), "its volumes are deleted: vol-1"},
		"mishap needs it": {"vpc-endpoint-cut", func(c *awsfake.Cloud) {
			for _, e := range c.All(here, awsfake.VPCEndpoint) {
				c.Edit(here, awsfake.VPCEndpoint, e.Str("vpcEndpointId"), func(d awsfake.Doc) { d["serviceName"] = "com.amazonaws.eu-west-1.ec2" })
			}
		}, "mishap itself calls com.amazonaws.eu-west-1.ec2"},
		"its group replaces it": {"ec2-terminate", eachMeant(func(d awsfake.Doc) {
			d["_tags"] = map[string]string{"Role": "payments", "aws:autoscaling:groupName": "shop"}
		}), "Auto Scaling group shop will start another"},
	} {
		t.Run(name, func(t *testing.T) {
			c := awsfake.New(awsfake.Settings{})
			targets, _ := trials()[test.fault].put(c, c.Enter(here))
			test.there(c)
			_, found, err := prepared(t, fakeDeps(c), fault(test.fault, targets, nil))
			if err != nil || !strings.Contains(strings.Join(found[0].Notes, "\n"), test.want) {
				t.Errorf("%v; %+v; want %q", err, found, test.want)
			}
		})
	}
}

func TestAnInstanceThatIsNotWellIsNotRebooted(t *testing.T) {
	c := awsfake.New(awsfake.Settings{Boot: time.Hour})
	targets, _ := trials()["ec2-reboot"].put(c, c.Enter(here))
	ids := meantInstances(c, here)
	c.Edit(here, awsfake.Instance, ids[0], func(d awsfake.Doc) { d["_boot"] = time.Now().Add(-time.Minute) })
	c.Edit(here, awsfake.Instance, ids[1], func(d awsfake.Doc) { d["_boot"] = time.Now().Add(-2 * time.Hour) })
	_, found, err := prepared(t, fakeDeps(c), fault("ec2-reboot", targets, nil))
	if err != nil || len(found) != 1 || !strings.HasSuffix(found[0].Target.ID, ids[1]) {
		t.Errorf("%v; %v, want %s alone", err, targetIDs(found), ids[1])
	}
}

// TestARebootThatNobodySeesIsNotInForce: that EC2 took the call proves nothing.
func TestARebootThatNobodySeesIsNotInForce(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	targets, _ := trials()["ec2-reboot"].put(c, c.Enter(here))
	injector, found, err := prepared(t, fakeDeps(c), fault("ec2-reboot", targets, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := injector.Inject(t.Context(), found[0]); err != nil {
		t.Fatal(err)
	}
	if got, err := injector.Verify(t.Context(), found[0]); err != nil || got.InForce != mishap.Yes {
		t.Fatalf("verify: %+v, %v", got, err)
	}
	eachMeant(func(d awsfake.Doc) { d["_boot"] = time.Now().Add(-time.Hour) })(c) // its console shows an earlier boot
	if got, err := injector.Verify(t.Context(), found[0]); err != nil || got.InForce != mishap.No {
		t.Errorf("verify: %+v, %v", got, err)
	}
	if got, err := injector.Revert(t.Context(), found[0]); err != nil || got.State != mishap.InjectionReverted {
		t.Errorf("revert: %+v, %v", got, err)
	}
}

// TestWhatSomebodyLetsThroughIsNotInForce: what the fault made is anybody's to edit.
func TestWhatSomebodyLetsThroughIsNotInForce(t *testing.T) {
	for name, test := range map[string]struct {
		made   awsfake.Kind
		id     string
		opened func(d awsfake.Doc)
	}{
		"subnet-isolate": {awsfake.NetworkACL, "networkAclId", func(d awsfake.Doc) {
			d["entrySet"] = append(d.Docs("entrySet"), awsfake.Doc{"ruleNumber": 1, "protocol": "-1", "ruleAction": "allow", "egress": true, "cidrBlock": "0.0.0.0/0"})
		}},
		"vpc-endpoint-cut": {awsfake.SecurityGroup, "groupId", func(d awsfake.Doc) {
			d["ipPermissions"] = []awsfake.Doc{{"ipProtocol": "-1", "ipRanges": []awsfake.Doc{{"cidrIp": "10.0.0.0/8"}}}}
		}},
		"ec2-isolate": {awsfake.SecurityGroup, "groupId", func(d awsfake.Doc) {
			d["ipPermissions"] = []awsfake.Doc{{"ipProtocol": "-1", "ipRanges": []awsfake.Doc{{"cidrIp": "10.0.0.0/8"}}}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := awsfake.New(awsfake.Settings{})
			targets, _ := trials()[name].put(c, c.Enter(here))
			before := c.Snapshot()
			injector, found, err := prepared(t, fakeDeps(c), fault(name, targets, nil))
			if err != nil {
				t.Fatal(err)
			}
			if err := injector.Inject(t.Context(), found[0]); err != nil {
				t.Fatal(err)
			}
			for _, one := range c.All(here, test.made) {
				if one.Map("_tags")["mishap-injection"] == found[0].ID {
					c.Edit(here, test.made, one.Str(test.id), test.opened)
				}
			}
			if got, err := injector.Verify(t.Context(), found[0]); err != nil || got.InForce != mishap.No {
				t.Errorf("verify: %+v, %v", got, err)
			}
			if got, err := injector.Revert(t.Context(), found[0]); err != nil || got.State != mishap.InjectionReverted || c.Snapshot() != before {
				t.Errorf("revert: %+v, %v", got, err)
			}
		})
	}
}

func TestADestinationThatIsNoneIsRefused(t *testing.T) {
	for destination, want := range map[string]bool{"0.0.0.0/0": true, "::/0": true, "pl-00000001": true, "": false, "10.0.0.0": false, "10.0.0.1/8": false, "web": false} {
		f := fault("route-blackhole", `{"ids": ["rtb-00000001"]}`, map[string]string{"destination": destination})
		if _, err := kind(aws.Deps{}, "route-blackhole").New(f); (err == nil) != want {
			t.Errorf("%q: %v", destination, err)
		} else if err != nil && !slices.Equal(paths(err), []string{"with.destination"}) {
			t.Errorf("%q: %v names %q", destination, err, paths(err))
		}
	}
}
