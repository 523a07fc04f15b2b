package aws_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/awsfake"
	"mishap/internal/revert"
)

// zonesOf says how many members a group has in each zone, in service.
func zonesOf(c *awsfake.Cloud, group string) map[string]int {
	all := map[string]int{}
	for _, m := range c.Get(here, awsfake.Group, group).Docs("Instances") {
		if m.Str("LifecycleState") == "InService" {
			all[m.Str("AvailabilityZone")]++
		}
	}
	return all
}

// TestAGroupThatLosesAZoneMovesOutAndComesBackWithItsSubnetsAsTheyWere also by the
// zone's id, which is the same in all accounts.
func TestAGroupThatLosesAZoneMovesOutAndComesBackWithItsSubnetsAsTheyWere(t *testing.T) {
	for _, zone := range []string{"eu-west-1b", "euw1-az2"} {
		t.Run(zone, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one := zoneTrial(t, awsfake.Slow(), zone)
				before := one.cloud.Get(here, awsfake.Group, "pay").Str("VPCZoneIdentifier")
				if notes := strings.Join(one.all[0].Notes, " "); !strings.Contains(notes, "group pay has 2 of 6 members in eu-west-1b, which it replaces in its other zones") {
					t.Errorf("the plan says %s", notes)
				}
				settling := &revert.Settling{}
				if err := one.inject(t.Context(), settling); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				if got := zonesOf(one.cloud, "pay"); !maps.Equal(got, map[string]int{"eu-west-1a": 3, "eu-west-1c": 3}) {
					t.Errorf("without the zone there are %v", got)
				}
				for id, r := range one.revert(t.Context(), settling) {
					if r.State != mishap.InjectionReverted {
						t.Errorf("%s is %q (%s)", id, r.State, r.Detail)
					}
				}
				if now := one.cloud.Get(here, awsfake.Group, "pay").Str("VPCZoneIdentifier"); now != before {
					t.Errorf("its subnets are %s, they were %s", now, before)
				}
				time.Sleep(20 * time.Minute)
				if got := zonesOf(one.cloud, "pay"); !maps.Equal(got, map[string]int{"eu-west-1a": 2, "eu-west-1b": 2, "eu-west-1c": 2}) {
					t.Errorf("afterwards there are %v", got)
				}
			})
		})
	}
}

// zoneTrial is about a group with members in three zones, and subnets that others may
// give it.
func zoneTrial(t *testing.T, s awsfake.Settings, zone string) *trial {
	t.Helper()
	return trialOf(t, "asg-zone-loss", s, 1, func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
		for n, subnet := range c.All(at, awsfake.Subnet) {
			subnet["subnetId"] = fmt.Sprint("subnet-other", n)
			subnet["_id"] = subnet["subnetId"]
			c.Put(at, awsfake.Subnet, subnet.Str("subnetId"), subnet)
		}
		c.AddGroup(at, "pay", 1, 6, 9, nil, groupSubnets(c, at, 2, 0, 1)) // in no order
		return `{"ids": ["pay"]}`, fmt.Sprintf(`{"zone": %q}`, zone)
	})
}

// TestWhatOthersDoToTheSubnetsOfAGroupStays: they are put back where they were, but
// for what others took away, and not beside others of the zone.
func TestWhatOthersDoToTheSubnetsOfAGroupStays(t *testing.T) {
	for name, test := range map[string]struct {
		theirs, want []string // of a group that had c, a, b, and loses b
		state        mishap.InjectionState
	}{
		"they add one":                    {[]string{"c", "a", "other0"}, []string{"c", "a", "b", "other0"}, mishap.InjectionReverted},
		"they take one away":              {[]string{"a"}, []string{"a", "b"}, mishap.InjectionReverted},
		"they put all back":               {[]string{"a", "b", "c"}, []string{"a", "b", "c"}, mishap.InjectionReverted},
		"they give it the zone otherwise": {[]string{"c", "a", "other1"}, []string{"c", "a", "other1"}, mishap.InjectionSuperseded},
		"they give it others altogether":  {[]string{"other0", "other2"}, []string{"other0", "other2"}, mishap.InjectionSuperseded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one, settling := zoneTrial(t, awsfake.Settings{}, "eu-west-1b"), &revert.Settling{}
				named := map[string]string{}
				for n, subnet := range one.cloud.All(here, awsfake.Subnet)[:3] {
					named[string(rune('a'+n))], named[fmt.Sprint("other", n)] = subnet.Str("subnetId"), fmt.Sprint("subnet-other", n)
				}
				list := func(names []string) string {
					var ids []string
					for _, n := range names {
						ids = append(ids, named[n])
					}
					return strings.Join(ids, ",")
				}
				if err := one.inject(t.Context(), settling); err != nil {
					t.Fatal(err)
				}
				one.cloud.Edit(here, awsfake.Group, "pay", func(d awsfake.Doc) {
					d["VPCZoneIdentifier"] = list(test.theirs)
					if test.state == mishap.InjectionSuperseded {
						d["AvailabilityZones"] = []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}[:len(test.theirs)]
					}
				})
				for id, r := range one.revert(t.Context(), settling) {
					if r.State != test.state {
						t.Errorf("%s is %q (%s)", id, r.State, r.Detail)
					}
				}
				if now := one.cloud.Get(here, awsfake.Group, "pay").Str("VPCZoneIdentifier"); now != list(test.want) {
					t.Errorf("its subnets are %s, want %s", now, list(test.want))
				}
			})
		})
	}
}

func TestAGroupWhoseSubnetsAreOthersThanPlannedIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := zoneTrial(t, awsfake.Settings{}, "eu-west-1b")
		change := func(d awsfake.Doc) { d["VPCZoneIdentifier"] = d.Str("VPCZoneIdentifier") + ",subnet-other1" }
		one.cloud.Edit(here, awsfake.Group, "pay", change)
		before := one.cloud.Snapshot()
		if err := one.inject(t.Context(), &revert.Settling{}); err == nil || !strings.Contains(err.Error(), "has other subnets than when it was planned") {
			t.Errorf("%v", err)
		}
		one.same(one.cloud.Snapshot(), before)
	})
}

// TestWhereNothingFitsItIsSaidHowThoseAreThatWouldOtherwise: a few of them.
func TestWhereNothingFitsItIsSaidHowThoseAreThatWouldOtherwise(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	for _, name := range []string{"shop", "pay", "refund", "cart"} {
		c.AddGroup(c.Enter(here), name, 0, 0, 1, map[string]string{"Role": "payments"})
	}
	f := fault("asg-zone-loss", `{"tags": {"Role": "payments"}}`, raw(`{"zone": "eu-west-1d"}`))
	_, _, err := prepared(t, fakeDeps(c), f)
	if want := `fits the targets of "fault": group cart is not in eu-west-1d, group pay is not in eu-west-1d, group refund is not in eu-west-1d and 1 more`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %q", err, want)
	}
}
