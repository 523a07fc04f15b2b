package aws_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/awsfake"
	"mishap/internal/revert"
)

// trials are the rows, by fault.
func trials() map[string]tried {
	all := serviceTrials()
	maps.Copy(all, map[string]tried{
		"ec2-stop": {
			put: putInstances,
			others: func(c *awsfake.Cloud, at awsfake.Place) {
				for _, i := range meantInstances(c, at) {
					c.Edit(at, awsfake.Instance, i, func(d awsfake.Doc) {
						d["instanceState"], d["_turn"] = awsfake.Doc{"code": 16, "name": "running"}, 0
					})
				}
			},
			remove: removeInstances,
		},
		"ec2-reboot":    {put: putInstances, remove: removeInstances},
		"ec2-terminate": {put: putInstances},
		"ec2-isolate": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				c.Put(at, awsfake.SecurityGroup, "sg-other", awsfake.Doc{"groupId": "sg-other", "groupName": "other", "vpcId": c.All(at, awsfake.VPC)[0].Str("vpcId"), "ipPermissions": []awsfake.Doc{}, "ipPermissionsEgress": []awsfake.Doc{}})
				return putInstances(c, at)
			},
			others: func(c *awsfake.Cloud, at awsfake.Place) { // add one to what there is
				for _, i := range c.All(at, awsfake.Instance)[:2] {
					c.Edit(at, awsfake.NetworkInterface, i.Str("_nic"), func(d awsfake.Doc) {
						d["groupSet"] = append(slices.Clone(d.Docs("groupSet")), awsfake.Doc{"groupId": "sg-other", "groupName": "other"})
					})
				}
			},
			remove: removeInstances,
		},
		"route-blackhole": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				first := c.All(at, awsfake.RouteTable)[0]
				for _, id := range []string{"rtb-00000001", "rtb-00000002"} {
					d := first.Clone()
					d["routeTableId"], d["_id"], d["associationSet"] = id, id, []awsfake.Doc{}
					c.Put(at, awsfake.RouteTable, id, d)
				}
				return `{"ids": ["rtb-00000001", "rtb-00000002"]}`, `{"destination": "0.0.0.0/0"}`
			},
			others: func(c *awsfake.Cloud, at awsfake.Place) { editTables(c, at, "nat-00000001") },
			remove: func(c *awsfake.Cloud, at awsfake.Place) {
				c.Drop(at, awsfake.RouteTable, "rtb-00000001")
				c.Drop(at, awsfake.RouteTable, "rtb-00000002")
			},
		},
		"vpc-endpoint-cut": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				c.Put(at, awsfake.SecurityGroup, "sg-other", awsfake.Doc{"groupId": "sg-other", "groupName": "other", "vpcId": c.All(at, awsfake.VPC)[0].Str("vpcId"), "ipPermissions": []awsfake.Doc{}, "ipPermissionsEgress": []awsfake.Doc{}})
				c.AddEndpoint(at, "sqs", "Interface", map[string]string{"Role": "payments"})
				c.AddEndpoint(at, "kms", "Interface", map[string]string{"Role": "payments"})
				c.AddEndpoint(at, "sts", "Interface", map[string]string{"Role": "checkout"})
				return `{"tags": {"Role": "payments"}}`, ""
			},
			others: func(c *awsfake.Cloud, at awsfake.Place) { // add one to what there is
				for _, e := range c.All(at, awsfake.VPCEndpoint)[:2] {
					c.Edit(at, awsfake.VPCEndpoint, e.Str("vpcEndpointId"), func(d awsfake.Doc) {
						d["groupSet"] = append(slices.Clone(d.Docs("groupSet")), awsfake.Doc{"groupId": "sg-other", "groupName": "other"})
					})
				}
			},
			remove: func(c *awsfake.Cloud, at awsfake.Place) {
				for _, e := range c.All(at, awsfake.VPCEndpoint)[:2] {
					c.Drop(at, awsfake.VPCEndpoint, e.Str("vpcEndpointId"))
				}
			},
		},
		"subnet-isolate": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				subnets := c.All(at, awsfake.Subnet)
				c.Put(at, awsfake.NetworkACL, "acl-other", awsfake.Doc{"networkAclId": "acl-other", "vpcId": subnets[0].Str("vpcId"), "default": false, "associationSet": []awsfake.Doc{}, "entrySet": []awsfake.Doc{}})
				return fmt.Sprintf(`{"ids": [%q, %q]}`, subnets[0].Str("subnetId"), subnets[1].Str("subnetId")), ""
			},
			others: func(c *awsfake.Cloud, at awsfake.Place) { moveSubnets(c, at, "acl-other") },
			remove: func(c *awsfake.Cloud, at awsfake.Place) {
				moveSubnets(c, at, "")
				for _, s := range c.All(at, awsfake.Subnet)[:2] {
					c.Drop(at, awsfake.Subnet, s.Str("subnetId"))
				}
			},
		},
	})
	return all
}

func putInstances(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
	c.Launch(at, 2, map[string]string{"Role": "payments"})
	c.Launch(at, 1, map[string]string{"Role": "checkout"})
	return `{"tags": {"Role": "payments"}}`, ""
}

func meantInstances(c *awsfake.Cloud, at awsfake.Place) (ids []string) {
	for _, i := range c.All(at, awsfake.Instance) {
		if i.Map("_tags")["Role"] == "payments" {
			ids = append(ids, i.Str("instanceId"))
		}
	}
	return ids
}

func removeInstances(c *awsfake.Cloud, at awsfake.Place) {
	for _, i := range c.All(at, awsfake.Instance) {
		if i.Map("_tags")["Role"] == "payments" {
			c.Drop(at, awsfake.Instance, i.Str("instanceId"))
			c.Drop(at, awsfake.NetworkInterface, i.Str("_nic"))
		}
	}
}

// editTables lets the default route of the tables that are meant go elsewhere.
func editTables(c *awsfake.Cloud, at awsfake.Place, nat string) {
	for _, id := range []string{"rtb-00000001", "rtb-00000002"} {
		c.Edit(at, awsfake.RouteTable, id, func(d awsfake.Doc) {
			routes := slices.DeleteFunc(d.Docs("routeSet"), func(r awsfake.Doc) bool { return r.Str("destinationCidrBlock") == "0.0.0.0/0" })
			d["routeSet"] = append(routes, awsfake.Doc{"destinationCidrBlock": "0.0.0.0/0", "natGatewayId": nat, "state": "active", "origin": "CreateRoute"})
		})
	}
}

// moveSubnets gives the first two subnets another ACL, or none.
func moveSubnets(c *awsfake.Cloud, at awsfake.Place, to string) {
	moved := []awsfake.Doc{}
	for n, s := range c.All(at, awsfake.Subnet)[:2] {
		moved = append(moved, awsfake.Doc{"networkAclAssociationId": fmt.Sprint("aclassoc-", n), "networkAclId": to, "subnetId": s.Str("subnetId")})
	}
	for _, acl := range c.All(at, awsfake.NetworkACL) {
		c.Edit(at, awsfake.NetworkACL, acl.Str("networkAclId"), func(d awsfake.Doc) {
			left := slices.DeleteFunc(d.Docs("associationSet"), func(a awsfake.Doc) bool {
				return a.Str("subnetId") == moved[0].Str("subnetId") || a.Str("subnetId") == moved[1].Str("subnetId")
			})
			if acl.Str("networkAclId") == to {
				left = moved
			}
			d["associationSet"] = left
		})
	}
}

func TestEveryFaultHasARowOfTrials(t *testing.T) {
	rows := trials()
	for _, k := range aws.Catalog(aws.Deps{}) {
		if _, has := rows[k.Name]; !has {
			t.Errorf("%s has none", k.Name)
		}
		delete(rows, k.Name)
	}
	for name := range rows {
		t.Errorf("%s is no fault", name)
	}
}

// speeds are how an AWS may be: at once, or as slow as EC2 and showing the past for
// nearly as long as the fault settles. The rest of that is for calls that act late.
func speeds(k mishap.InjectorKind) map[string]awsfake.Settings {
	slow := awsfake.Slow()
	slow.Stale = max(0, k.Settles-2*late)
	return map[string]awsfake.Settings{"at once": {}, "slow and stale": slow}
}

// late is how late a call may act whose answer was lost.
const late = time.Second

// everyTrial runs a trial of each fault in an AWS of each speed, on time of its own.
func everyTrial(t *testing.T, try func(t *testing.T, name string, s awsfake.Settings)) {
	for _, name := range slices.Sorted(maps.Keys(trials())) {
		for speed, s := range speeds(kind(aws.Deps{}, name)) {
			t.Run(name+"/"+speed, func(t *testing.T) {
				t.Parallel()
				try(t, name, s)
			})
		}
	}
}

func bubble(t *testing.T, what string, try func(t *testing.T)) {
	t.Helper()
	if t.Failed() {
		return // what went wrong once goes wrong many times
	}
	defer func() {
		if t.Failed() {
			t.Logf("that was with %s", what)
		}
	}()
	synctest.Test(t, try)
}

func TestAFaultIsInForceAndThenAllIsAsItWas(t *testing.T) {
	everyTrial(t, func(t *testing.T, name string, s awsfake.Settings) {
		bubble(t, "nothing wrong", func(t *testing.T) {
			one, settling := newTrial(t, name, s), &revert.Settling{}
			if err := one.inject(t.Context(), settling); err != nil {
				t.Fatalf("inject: %v", err)
			}
			one.verified(mishap.Yes)
			one.cloud.Forget()
			one.restored(one.revert(t.Context(), settling))
		})
	})
}

// fates are what may become of any call.
func fates() map[string]awsfake.Fate {
	return map[string]awsfake.Fate{
		"a call that was throttled":                 awsfake.FailsBefore("RequestLimitExceeded"),
		"a call that was refused":                   awsfake.FailsBefore("UnauthorizedOperation"),
		"a call that failed before":                 awsfake.FailsBefore("InternalError"),
		"a call that failed after":                  awsfake.FailsAfter("InternalError"),
		"a call that was lost":                      awsfake.LosesCall(),
		"an answer that was lost":                   awsfake.LosesAnswer(),
		"an answer that came late":                  awsfake.AnswersLate(4 * time.Second),
		"an answer that nobody waited for":          awsfake.AnswersLate(time.Minute),
		"an answer that was lost, and it acts late": awsfake.ActsLate(late),
	}
}

// callsOf are the calls of a whole trial that differ: of each action the first two
// to inject, and to revert.
func callsOf(t *testing.T, name string, s awsfake.Settings) (calls []which) {
	bubble(t, "nothing wrong", func(t *testing.T) {
		one, settling := newTrial(t, name, s), &revert.Settling{}
		one.judge(func(w which) awsfake.Fate {
			if w.nth <= 2 {
				calls = append(calls, w)
			}
			return awsfake.Fate{}
		})
		_ = one.inject(t.Context(), settling)
		one.revert(t.Context(), settling)
	})
	return calls
}

// TestWhateverBecomesOfOneCallAllIsAsItWas goes through the calls of a whole trial,
// and all fates.
func TestWhateverBecomesOfOneCallAllIsAsItWas(t *testing.T) {
	everyTrial(t, func(t *testing.T, name string, s awsfake.Settings) {
		calls := callsOf(t, name, s)
		for what, fate := range fates() {
			for _, call := range calls {
				bubble(t, fmt.Sprintf("%s: %s", what, call), func(t *testing.T) {
					one, settling := newTrial(t, name, s), &revert.Settling{}
					made := one.meets(call, fate)
					_ = one.inject(t.Context(), settling) // whatever it says
					ended := one.revert(t.Context(), settling)
					time.Sleep(fate.EffectAfter)
					one.restored(ended)
					if !made.Load() {
						t.Error("that call was not made")
					}
				})
			}
		}
	})
}

// TestAProcessMayEndAtAnyCallAndAllIsAsItWas is about one that dies just before a
// call, or before it hears the answer; another goes on from the records alone.
func TestAProcessMayEndAtAnyCallAndAllIsAsItWas(t *testing.T) {
	everyTrial(t, func(t *testing.T, name string, s awsfake.Settings) {
		calls := callsOf(t, name, s)
		for what, fate := range map[string]awsfake.Fate{"a crash before": awsfake.LosesCall(), "a crash after": awsfake.LosesAnswer()} {
			for _, call := range calls {
				bubble(t, fmt.Sprintf("%s %s", what, call), func(t *testing.T) {
					one, settling := newTrial(t, name, s), &revert.Settling{}
					process, dies := context.WithCancel(t.Context())
					defer dies()
					fate.Then = dies
					made := one.meets(call, fate)
					if one.inject(process, settling) == nil || process.Err() == nil {
						one.revert(process, settling)
					}
					one.restored(one.revert(t.Context(), &revert.Settling{}))
					if !made.Load() {
						t.Error("that call was not made")
					}
				})
			}
		}
	})
}

func TestWhatOthersChangedMeanwhileStays(t *testing.T) {
	everyTrial(t, func(t *testing.T, name string, s awsfake.Settings) {
		others := trials()[name].others
		if others == nil {
			t.Skip("nobody else can change it")
		}
		var theirs string
		bubble(t, "no fault", func(t *testing.T) {
			one := newTrial(t, name, s)
			others(one.cloud, here)
			theirs = one.cloud.Snapshot()
		})
		bubble(t, "a fault", func(t *testing.T) {
			one, settling := newTrial(t, name, s), &revert.Settling{}
			if err := one.inject(t.Context(), settling); err != nil {
				t.Fatalf("inject: %v", err)
			}
			one.verified(mishap.Yes)
			others(one.cloud, here)
			time.Sleep(s.Stale)
			one.revert(t.Context(), settling)
			time.Sleep(s.Endpoint + s.Start) // what is theirs need not have arrived
			one.same(one.cloud.Snapshot(), theirs)
		})
	})
}

func TestWhatIsNoMoreIsGoneAndNothingElseIsLeft(t *testing.T) {
	everyTrial(t, func(t *testing.T, name string, s awsfake.Settings) {
		remove := trials()[name].remove
		if remove == nil {
			t.Skip("it cannot go")
		}
		var without string
		bubble(t, "no fault", func(t *testing.T) {
			one := newTrial(t, name, s)
			remove(one.cloud, here)
			without = one.cloud.Snapshot()
		})
		bubble(t, "a fault", func(t *testing.T) {
			one, settling := newTrial(t, name, s), &revert.Settling{}
			if err := one.inject(t.Context(), settling); err != nil {
				t.Fatalf("inject: %v", err)
			}
			remove(one.cloud, here)
			time.Sleep(s.Stale)
			for id, r := range one.revert(t.Context(), settling) {
				if r.State != mishap.InjectionGone {
					t.Errorf("%s is %q (%s)", id, r.State, r.Detail)
				}
			}
			one.same(one.cloud.Snapshot(), without)
		})
	})
}

func TestInjectingAndRevertingTwiceIsOnce(t *testing.T) {
	everyTrial(t, func(t *testing.T, name string, s awsfake.Settings) {
		bubble(t, "each call twice", func(t *testing.T) {
			one, settling := newTrial(t, name, s), &revert.Settling{}
			for range 2 {
				if err := one.inject(t.Context(), settling); err != nil {
					t.Fatalf("inject: %v", err)
				}
				one.verified(mishap.Yes)
				one.cloud.Forget()
			}
			one.restored(one.revert(t.Context(), settling))
			one.restored(one.revert(t.Context(), settling))
		})
	})
}
