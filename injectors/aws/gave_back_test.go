package aws_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/awsfake"
	"mishap/internal/revert"
)

// partial is a thing that loses some of what it had while a fault is in.
type partial struct {
	put   func(c *awsfake.Cloud) (targets, with string)
	theft func(c *awsfake.Cloud, all bool)     // others delete some of what it had, or all
	has   func(c *awsfake.Cloud) string        // what the thing has now
	some  string                               // what it has once it got back the rest
	none  string                               // and where nothing is left; none: it is stranded
	hand  func(c *awsfake.Cloud, named string) // a person gives it something
}

func partials() map[string]partial {
	groups := func(c *awsfake.Cloud) {
		for _, id := range []string{"sg-1", "sg-2", "sg-3"} {
			c.Put(here, awsfake.SecurityGroup, id, awsfake.Doc{"groupId": id, "groupName": id, "vpcId": c.All(here, awsfake.VPC)[0].Str("vpcId"), "ipPermissions": []awsfake.Doc{}, "ipPermissionsEgress": []awsfake.Doc{}})
		}
	}
	inGroups := func(kind awsfake.Kind, id string, list ...string) func(c *awsfake.Cloud) {
		return func(c *awsfake.Cloud) {
			set := []awsfake.Doc{}
			for _, g := range list {
				set = append(set, awsfake.Doc{"groupId": g, "groupName": g})
			}
			c.Edit(here, kind, c.All(here, kind)[0].Str(id), func(d awsfake.Doc) { d["groupSet"] = set })
		}
	}
	steal := func(kind awsfake.Kind, first string, rest ...string) func(c *awsfake.Cloud, all bool) {
		return func(c *awsfake.Cloud, all bool) {
			c.Drop(here, kind, first)
			for n := 0; all && n < len(rest); n++ {
				c.Drop(here, kind, rest[n])
			}
		}
	}
	groupsOf := func(kind awsfake.Kind) func(c *awsfake.Cloud) string {
		return func(c *awsfake.Cloud) string {
			var ids []string
			for _, g := range c.All(here, kind)[0].Docs("groupSet") {
				ids = append(ids, g.Str("groupId"))
			}
			return strings.Join(ids, ",")
		}
	}
	subnet := func(c *awsfake.Cloud, id, zone string) {
		d := c.All(here, awsfake.Subnet)[0].Clone()
		d["subnetId"], d["_id"], d["availabilityZone"] = id, id, zone
		c.Put(here, awsfake.Subnet, id, d)
	}
	acl := func(c *awsfake.Cloud) string {
		for _, acl := range c.All(here, awsfake.NetworkACL) {
			if slices.ContainsFunc(acl.Docs("associationSet"), func(a awsfake.Doc) bool {
				return a.Str("subnetId") == c.All(here, awsfake.Subnet)[0].Str("subnetId")
			}) {
				if acl.Bool("default") {
					return "default"
				}
				return acl.Str("networkAclId")
			}
		}
		return ""
	}
	return map[string]partial{
		"ec2-isolate": {
			put: func(c *awsfake.Cloud) (targets, with string) {
				groups(c)
				id := c.Launch(here, 1, nil)[0]
				inGroups(awsfake.NetworkInterface, "networkInterfaceId", "sg-1", "sg-2")(c)
				return `{"ids": ["` + id + `"]}`, ""
			},
			theft: steal(awsfake.SecurityGroup, "sg-1", "sg-2"), has: groupsOf(awsfake.NetworkInterface), some: "sg-2",
			hand: func(c *awsfake.Cloud, g string) { inGroups(awsfake.NetworkInterface, "networkInterfaceId", g)(c) },
		},
		"vpc-endpoint-cut": {
			put: func(c *awsfake.Cloud) (targets, with string) {
				groups(c)
				id := c.AddEndpoint(here, "sqs", "Interface", nil)
				inGroups(awsfake.VPCEndpoint, "vpcEndpointId", "sg-1", "sg-2")(c)
				return `{"ids": ["` + id + `"]}`, ""
			},
			theft: steal(awsfake.SecurityGroup, "sg-1", "sg-2"), has: groupsOf(awsfake.VPCEndpoint), some: "sg-2",
			hand: func(c *awsfake.Cloud, g string) { inGroups(awsfake.VPCEndpoint, "vpcEndpointId", g)(c) },
		},
		"asg-zone-loss": {
			put: func(c *awsfake.Cloud) (targets, with string) {
				for id, zone := range map[string]string{"subnet-a": "eu-west-1a", "subnet-b1": "eu-west-1b", "subnet-b2": "eu-west-1b"} {
					subnet(c, id, zone)
				}
				c.AddGroup(here, "pay", 0, 0, 1, nil, awsfake.Doc{"VPCZoneIdentifier": "subnet-a,subnet-b1,subnet-b2"})
				return `{"ids": ["pay"]}`, `{"zone": "eu-west-1b"}`
			},
			theft: steal(awsfake.Subnet, "subnet-b1", "subnet-b2"),
			has:   func(c *awsfake.Cloud) string { return c.Get(here, awsfake.Group, "pay").Str("VPCZoneIdentifier") },
			some:  "subnet-a,subnet-b2", none: "subnet-a",
		},
		"subnet-isolate": {
			put: func(c *awsfake.Cloud) (targets, with string) {
				subnet := c.All(here, awsfake.Subnet)[0]
				d := c.All(here, awsfake.NetworkACL)[0].Clone()
				d["networkAclId"], d["_id"], d["default"] = "acl-own", "acl-own", false
				d["associationSet"] = []awsfake.Doc{{"networkAclAssociationId": "aclassoc-own", "networkAclId": "acl-own", "subnetId": subnet.Str("subnetId")}}
				c.Edit(here, awsfake.NetworkACL, c.All(here, awsfake.NetworkACL)[0].Str("networkAclId"), func(d awsfake.Doc) { d["associationSet"] = []awsfake.Doc{} })
				c.Put(here, awsfake.NetworkACL, "acl-own", d)
				return `{"ids": ["` + subnet.Str("subnetId") + `"]}`, ""
			},
			theft: steal(awsfake.NetworkACL, "acl-own"), has: acl, some: "default", none: "default",
		},
	}
}

// TestAThingGetsBackWhatThereStillIsOfWhatItHad and is superseded: what others deleted
// stays so, and is named. Where nothing is left a person is asked, and what they give
// it stays.
func TestAThingGetsBackWhatThereStillIsOfWhatItHad(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(partials())) {
		row := partials()[name]
		for what, s := range map[string]awsfake.Settings{"some": {}, "some, slow and stale": awsfake.Slow(), "all": {}} {
			t.Run(name+"/"+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					one := trialOf(t, name, s, 1, func(c *awsfake.Cloud, _ awsfake.Place) (string, string) { return row.put(c) })
					settling, want := &revert.Settling{}, row.some
					if what == "all" {
						want = row.none
					}
					if err := one.inject(t.Context(), settling); err != nil {
						t.Fatal(err)
					}
					row.theft(one.cloud, what == "all")
					time.Sleep(s.Stale)
					if want == "" {
						one.askedOf(row.hand)
						want = "sg-3"
					}
					for id, r := range one.revert(t.Context(), settling) {
						if !strings.Contains(r.Detail, "give it another") {
							t.Errorf("%s: %s does not say what to do", id, r.Detail)
						}
						if r.State != mishap.InjectionSuperseded || !strings.Contains(r.Detail, "sg-1") && !strings.Contains(r.Detail, "subnet-b1") && !strings.Contains(r.Detail, "acl-own") {
							t.Errorf("%s is %q (%s)", id, r.State, r.Detail)
						}
					}
					if now := row.has(one.cloud); now != want {
						t.Errorf("it has %s, want %s", now, want)
					}
					for _, kind := range []awsfake.Kind{awsfake.SecurityGroup, awsfake.NetworkACL} {
						for _, d := range one.cloud.All(here, kind) {
							if d.Map("_tags")["mishap-injection"] != "" {
								t.Errorf("%s is left", d.Str("_arn"))
							}
						}
					}
				})
			})
		}
	}
}

// askedOf wants a revert to say that a person must act, who does so then.
func (one *trial) askedOf(hand func(c *awsfake.Cloud, named string)) {
	one.Helper()
	for _, r := range mishap.RevertAll(context.Background(), one.process(), one.all) {
		if r.Err == nil || !strings.Contains(mishap.HintOf(r.Err), "give it others yourself") {
			one.Errorf("it is %q (%s): %v", r.Value.State, r.Value.Detail, r.Err)
		}
	}
	hand(one.cloud, "sg-3")
}
