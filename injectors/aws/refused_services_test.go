package aws_test

import (
	"maps"
	"strings"
	"testing"

	"mishap/internal/awsfake"
)

func asTried(*awsfake.Cloud) {}

// TestWhatAServiceWouldNotTakeIsSaidBeforehand: a sentence each, with what to do.
func TestWhatAServiceWouldNotTakeIsSaidBeforehand(t *testing.T) {
	for name, test := range map[string]struct {
		fault     string
		spoil     func(c *awsfake.Cloud)
		with      string // other than that of the trial
		want, fix string
	}{
		"all is reserved":              {"lambda-throttle", asTried, `{"concurrency": 500}`, "leaves 0 concurrent calls", "lower `concurrency`"},
		"a policy that is nearly full": {"sqs-deny", spoilEach(awsfake.Queue, policyIs(policyOfSize(8000))), "", "bytes, and with one statement more", "shorten the policy"},
		"a bucket's policy that is nearly full": {"s3-deny", spoilEach(awsfake.Bucket, policyIs(policyOfSize(20300))), "",
			"bytes, and with one statement more", "shorten the policy"},
		"statements that are too many": {"sqs-deny", spoilEach(awsfake.Queue, policyIs(`{"Statement": [`+strings.Repeat(`{"Effect": "Deny", "Action": "sqs:*"},`, 19)+`{}]}`)), "",
			"has 20 statements already", "join some of its statements"},
		"a group that replaces nobody": {"asg-unhealthy", spoilEach(awsfake.Group, func(d awsfake.Doc) { maps.Copy(d, suspended("Terminate")) }), "",
			"has Terminate suspended", "resume it"},
		"a group in one zone": {"asg-zone-loss", func(c *awsfake.Cloud) {
			third := groupSubnets(c, here, 2)
			c.Edit(here, awsfake.Group, "pay", func(d awsfake.Doc) { maps.Copy(d, third) })
		}, "", "group pay is in no other zone than eu-west-1c", "choose a group that is in several"},
		"a group without subnets": {"asg-zone-loss", spoilEach(awsfake.Group, func(d awsfake.Doc) { d["VPCZoneIdentifier"] = "" }), "",
			"names zones, and no subnets of them", "give it the subnets that it uses"},
		"a group at its least size": {"asg-standby", func(c *awsfake.Cloud) {
			c.Edit(here, awsfake.Group, "pay", func(d awsfake.Doc) { d["MinSize"] = 1 })
		}, "", "wants 2 members and at least 1, so that 2 of them cannot be on standby", "choose fewer"},
		"a role without room": {"iam-deny", spoilEach(awsfake.Role, func(d awsfake.Doc) { d["_policies"] = map[string]string{"own": policyOfSize(10200)} }), "",
			"the inline policies of role", "make managed policies of some"},
		"a role of AWS's":               {"iam-deny", spoilEach(awsfake.Role, func(d awsfake.Doc) { d["Path"] = "/aws-service-role/x/" }), "", "AWS's own", "choose a role of yours"},
		"a policy that nobody can read": {"sqs-deny", spoilEach(awsfake.Queue, policyIs(`{"Statement": 1}`)), "", "read statements of policy", "correct its policy"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, test.fault, test.spoil, "", test.with, test.want, test.fix) })
	}
}

func spoilEach(k awsfake.Kind, change func(awsfake.Doc)) func(*awsfake.Cloud) {
	return func(c *awsfake.Cloud) { eachTarget(k, change)(c, here) }
}

func policyOfSize(n int) string {
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"x:y","Resource":"*","Sid":""}]}`
	return strings.Replace(text, `"Sid":""`, `"Sid":"`+strings.Repeat("a", n-len(text))+`"`, 1)
}
