package aws_test

import (
	"fmt"
	"maps"
	"strings"

	"mishap/internal/awsfake"
)

// serviceTrials are the rows of faults in what is not EC2's.
func serviceTrials() map[string]tried {
	return map[string]tried{
		"asg-suspend": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				c.AddGroup(at, "pay", 1, 1, 2, map[string]string{"Role": "payments"})
				c.AddGroup(at, "shop", 1, 1, 2, map[string]string{"Role": "payments"}, suspended("Launch"))
				c.AddGroup(at, "checkout", 1, 1, 2, map[string]string{"Role": "checkout"})
				return `{"tags": {"Role": "payments"}}`, `{"processes": ["Launch", "ReplaceUnhealthy"]}`
			},
			others: eachTarget(awsfake.Group, func(d awsfake.Doc) { maps.Copy(d, suspended("ScheduledActions")) }),
			remove: removeEach(awsfake.Group),
		},
		"sqs-deny": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				c.AddQueue(at, "pay", "", map[string]string{"Role": "payments"})
				c.AddQueue(at, "refund.fifo", theirPolicy, map[string]string{"Role": "payments"})
				c.AddQueue(at, "checkout", "", map[string]string{"Role": "checkout"})
				return `{"tags": {"Role": "payments"}}`, `{"principals": ["arn:aws:iam::*:role/payments"]}`
			},
			others: eachTarget(awsfake.Queue, policyIs(othersPolicy)),
			remove: removeEach(awsfake.Queue),
		},
		"s3-deny": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				elsewhere := "" // names of buckets are nobody else's
				if at.Region != here.Region {
					elsewhere = "." + at.Region
				}
				c.AddBucket(at, "pay"+elsewhere, "", map[string]string{"Role": "payments"})
				c.AddBucket(at, "refund.eu"+elsewhere, theirPolicy, map[string]string{"Role": "payments"})
				c.AddBucket(at, "checkout"+elsewhere, "", map[string]string{"Role": "checkout"})
				return `{"tags": {"Role": "payments"}}`, ""
			},
			others: eachTarget(awsfake.Bucket, policyIs(othersPolicy)),
			remove: removeEach(awsfake.Bucket),
		},
		"dynamodb-deny": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				c.AddTable(at, "pay", "", map[string]string{"Role": "payments"})
				c.AddTable(at, "refund", theirPolicy, map[string]string{"Role": "payments"})
				c.AddTable(at, "checkout", "", map[string]string{"Role": "checkout"})
				return `{"tags": {"Role": "payments"}}`, ""
			},
			others: eachTarget(awsfake.Table, policyIs(othersPolicy)),
			remove: removeEach(awsfake.Table),
		},
		"kinesis-deny": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				c.AddStream(at, "pay", "", map[string]string{"Role": "payments"})
				c.AddStream(at, "refund", theirPolicy, map[string]string{"Role": "payments"})
				c.AddStream(at, "checkout", "", map[string]string{"Role": "checkout"})
				return `{"tags": {"Role": "payments"}}`, ""
			},
			others: eachTarget(awsfake.Stream, policyIs(othersPolicy)),
			remove: removeEach(awsfake.Stream),
		},
		"iam-deny": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				c.AddRole(at.Account, "pay", "", map[string]string{"own": theirPolicy}, map[string]string{"Role": "payments"})
				c.AddRole(at.Account, "refund", "", nil, map[string]string{"Role": "payments"})
				c.AddRole(at.Account, "checkout", "", nil, map[string]string{"Role": "checkout"})
				return `{"tags": {"Role": "payments"}}`, `{"actions": ["s3:GetObject"]}`
			},
			others: eachTarget(awsfake.Role, func(d awsfake.Doc) { d["_policies"] = map[string]string{"theirs": othersPolicy} }),
			remove: removeEach(awsfake.Role),
		},
		"event-source-pause": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				for n, role := range []string{"payments", "payments", "checkout"} {
					c.AddFunction(at, fmt.Sprint("f", n), nil)
					c.AddMapping(at, fmt.Sprint("f", n), awsfake.Queue.ARN(at, fmt.Sprint("q", n)), map[string]string{"Role": role})
				}
				return `{"tags": {"Role": "payments"}}`, ""
			},
			others: eachTarget(awsfake.SourceMapping, func(d awsfake.Doc) { d["State"], d["BatchSize"] = "Enabled", 5 }),
			remove: removeEach(awsfake.SourceMapping),
		},
		"asg-unhealthy": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				c.AddGroup(at, "pay", 2, 2, 4, map[string]string{"Role": "payments"})
				c.AddGroup(at, "checkout", 1, 1, 2, map[string]string{"Role": "checkout"})
				return `{"group": "pay"}`, ""
			},
		},
		"asg-zone-loss": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				other := c.All(at, awsfake.Subnet)[0]
				other["subnetId"], other["_id"] = "subnet-0000000f", "subnet-0000000f"
				c.Put(at, awsfake.Subnet, "subnet-0000000f", other)
				c.AddGroup(at, "pay", 1, 3, 4, map[string]string{"Role": "payments"}, groupSubnets(c, at, 0, 1, 2), suspended("AZRebalance"))
				c.AddGroup(at, "shop", 0, 2, 4, map[string]string{"Role": "payments"}, groupSubnets(c, at, 0, 1, 2))
				c.AddGroup(at, "refund", 1, 1, 2, map[string]string{"Role": "payments"}, groupSubnets(c, at, 0, 1)) // is not in that zone
				c.AddGroup(at, "checkout", 1, 1, 2, map[string]string{"Role": "checkout"})
				return `{"tags": {"Role": "payments"}}`, fmt.Sprintf(`{"zone": %q}`, at.Region+"c")
			},
			others: func(c *awsfake.Cloud, at awsfake.Place) { // add one
				for _, group := range []string{"pay", "shop"} {
					c.Edit(at, awsfake.Group, group, func(d awsfake.Doc) { d["VPCZoneIdentifier"] = d.Str("VPCZoneIdentifier") + ",subnet-0000000f" })
				}
			},
			remove: removeEach(awsfake.Group),
		},
		"asg-standby": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				c.AddGroup(at, "pay", 0, 3, 3, nil)
				c.AddGroup(at, "checkout", 1, 1, 2, nil)
				c.Edit(at, awsfake.Group, "pay", func(d awsfake.Doc) { // one is on standby already
					d.Docs("Instances")[2]["LifecycleState"], d["DesiredCapacity"] = "Standby", 2
				})
				return `{"group": "pay"}`, ""
			},
			others: func(c *awsfake.Cloud, at awsfake.Place) { // put all back
				c.Edit(at, awsfake.Group, "pay", func(d awsfake.Doc) {
					for _, m := range d.Docs("Instances") {
						m["LifecycleState"] = "InService"
					}
					d["DesiredCapacity"] = 3
				})
			},
			remove: func(c *awsfake.Cloud, at awsfake.Place) {
				members := c.Get(at, awsfake.Group, "pay").Docs("Instances")
				c.Drop(at, awsfake.Group, "pay")
				for _, m := range members {
					id := m.Str("InstanceId")
					c.Drop(at, awsfake.NetworkInterface, c.Get(at, awsfake.Instance, id).Str("_nic"))
					c.Drop(at, awsfake.Instance, id)
				}
			},
		},
		"lambda-throttle": {
			put: func(c *awsfake.Cloud, at awsfake.Place) (targets, with string) {
				c.AddFunction(at, "pay", map[string]string{"Role": "payments"})
				c.AddFunction(at, "refund", map[string]string{"Role": "payments"})
				c.AddFunction(at, "checkout", map[string]string{"Role": "checkout"})
				c.Edit(at, awsfake.Function, "refund", reserved(5))
				return `{"tags": {"Role": "payments"}}`, `{"concurrency": 1}`
			},
			others: eachTarget(awsfake.Function, reserved(7)),
			remove: removeEach(awsfake.Function),
		},
	}
}

const (
	theirPolicy  = `{"Id":"theirs","Statement":[{"Action":"sqs:SendMessage","Condition":{"StringLike":{"aws:PrincipalArn":"*<&>"}},"Effect":"Allow","Principal":"*","Resource":"*","Sid":"Own"}],"Version":"2012-10-17"}`
	othersPolicy = `{"Statement":[{"Action":"sqs:*","Effect":"Allow","Principal":"*","Resource":"*"}],"Version":"2008-10-17"}`
)

// policyIs gives what it is put on a policy.
func policyIs(text string) func(awsfake.Doc) { return func(d awsfake.Doc) { d["_policy"] = text } }

// groupSubnets are those of a group, of the default network by number.
func groupSubnets(c *awsfake.Cloud, at awsfake.Place, numbers ...int) awsfake.Doc {
	var ids []string
	for _, n := range numbers {
		ids = append(ids, c.All(at, awsfake.Subnet)[n].Str("subnetId"))
	}
	return awsfake.Doc{"VPCZoneIdentifier": strings.Join(ids, ",")}
}

// suspended is a group's processes.
func suspended(processes ...string) awsfake.Doc {
	all := []awsfake.Doc{}
	for _, p := range processes {
		all = append(all, awsfake.Doc{"ProcessName": p, "SuspensionReason": "User suspended"})
	}
	return awsfake.Doc{"SuspendedProcesses": all}
}

// reserved is a function's concurrency.
func reserved(n int) func(awsfake.Doc) { return func(d awsfake.Doc) { d["_concurrency"] = n } }

// where a kind's things are: not all are of a region.
func where(k awsfake.Kind, at awsfake.Place) awsfake.Place {
	if k == awsfake.Role || k == awsfake.Bucket {
		at.Region = ""
	}
	return at
}

// meant reports whether something is a target, of that region if it has one.
func meant(d awsfake.Doc, at awsfake.Place) bool {
	region := d.Str("BucketRegion")
	return d.Map("_tags")["Role"] == "payments" && (region == "" || region == at.Region)
}

// eachTarget changes what is meant.
func eachTarget(k awsfake.Kind, change func(awsfake.Doc)) func(*awsfake.Cloud, awsfake.Place) {
	return func(c *awsfake.Cloud, at awsfake.Place) {
		for _, d := range c.All(where(k, at), k) {
			if meant(d, at) {
				c.Edit(where(k, at), k, d.Str("_id"), change)
			}
		}
	}
}

// removeEach takes away what is meant.
func removeEach(k awsfake.Kind) func(*awsfake.Cloud, awsfake.Place) {
	return func(c *awsfake.Cloud, at awsfake.Place) {
		for _, d := range c.All(where(k, at), k) {
			if meant(d, at) {
				c.Drop(where(k, at), k, d.Str("_id"))
			}
		}
	}
}
