package aws_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/injectors/aws"
)

func TestAPolicyOfAFileNamesWhatItsTargetsSayAndAsksForTheirTagsOnlyToInject(t *testing.T) {
	identity := mishap.Statement{Actions: []string{"sts:GetCallerIdentity"}, Resources: []string{"*"}}
	asks := func(on ...string) mishap.Statement {
		return mishap.Statement{Actions: []string{"iam:SimulatePrincipalPolicy"}, Resources: on}
	}
	reads := mishap.Statement{Actions: []string{"ec2:DescribeInstances", "ec2:DescribeInstanceAttribute"}, Resources: []string{"*"}}
	remains := mishap.Statement{Actions: []string{"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks"}, Resources: []string{"*"}}
	looks := mishap.Statement{Actions: []string{"ec2:DescribeInstances"}, Resources: []string{"*"}}
	places := []mishap.Place{{Account: "111122223333", Region: "eu-west-1"}, {Account: "444455556666", Region: "cn-north-1"}}
	tags := func(all map[string][]string) map[string]map[string][]string {
		return map[string]map[string][]string{"StringEquals": all}
	}
	for name, c := range map[string]struct {
		targets map[string]any
		on      []string
		asks    mishap.Statement
		when    map[string]map[string][]string
	}{
		"tags": {map[string]any{"tags": map[string]string{"Role": "shop"}},
			[]string{"arn:aws:ec2:eu-west-1:111122223333:instance/*", "arn:aws-cn:ec2:cn-north-1:444455556666:instance/*"},
			asks("arn:aws:iam::111122223333:*", "arn:aws-cn:iam::444455556666:*"),
			tags(map[string][]string{"aws:ResourceTag/Role": {"shop"}, "aws:ResourceTag/mishap": {"allow"}})},
		"ids in one account": {map[string]any{"ids": []string{"i-0123456789abcdef0"}, "account": "444455556666"},
			[]string{"arn:aws-cn:ec2:cn-north-1:444455556666:instance/i-0123456789abcdef0"}, asks("arn:aws-cn:iam::444455556666:*"), tags(map[string][]string{"aws:ResourceTag/mishap": {"allow"}})},
		"ARNs": {map[string]any{"arns": []string{"arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0"}},
			[]string{"arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0"}, asks("arn:aws:iam::111122223333:*"), tags(map[string][]string{"aws:ResourceTag/mishap": {"allow"}})},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := kind(aws.Deps{}, "ec2-stop").Needs(fault("ec2-stop", c.targets, nil), places, map[string]string{"mishap": "allow"})
			if err != nil {
				t.Fatal(err)
			}
			want := mishap.Permissions{
				Inject: []mishap.Statement{reads, {Actions: []string{"ec2:StopInstances"}, Resources: c.on, Conditions: c.when}, identity, c.asks, remains},
				Revert: []mishap.Statement{looks, {Actions: []string{"ec2:StartInstances"}, Resources: c.on}, identity},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPolicyOfAFileWithAResourceGroupCoversLookingItUp(t *testing.T) {
	group := map[string]any{"resourceGroup": "payments"}
	got, err := kind(aws.Deps{}, "ec2-stop").Needs(fault("ec2-stop", group, nil), []mishap.Place{{Account: here.Account, Region: here.Region}}, nil)
	if actions := actionsOf(got.Inject); err != nil || !slices.Contains(actions, "resource-groups:ListGroupResources") || !slices.Contains(actions, "tag:GetResources") {
		t.Errorf("%v: %v", actions, err)
	}
	if actions := actionsOf(got.Revert); slices.Contains(actions, "resource-groups:ListGroupResources") {
		t.Errorf("what reverts looks up no group: %v", actions)
	}
}

// TestThePolicyOfAnARNThatSaysNoPlaceIsOfThoseThatAreListed is about buckets, whose
// ARNs have neither account nor region.
func TestThePolicyOfAnARNThatSaysNoPlaceIsOfThoseThatAreListed(t *testing.T) {
	places := []mishap.Place{{Account: "111122223333", Region: "eu-west-1"}, {Account: "444455556666", Region: "eu-west-1"}}
	f := fault("s3-deny", map[string]any{"arns": []string{"arn:aws:s3:::photos"}, "account": "444455556666"}, nil)
	got, err := kind(aws.Deps{}, "s3-deny").Needs(f, places, map[string]string{"mishap": "allow"})
	if err != nil {
		t.Fatal(err)
	}
	var on []string
	for _, s := range got.Inject {
		on = append(on, s.Resources...)
	}
	want := []string{"*", "arn:aws:s3:::photos", "*", "arn:aws:iam::444455556666:*"}
	if diff := cmp.Diff(want, on); diff != "" {
		t.Error(diff)
	}
}

// TestAPolicyOfAFileNamesWhatNamesAreTheIdsOf: of EC2's things a name is a tag, which
// no ARN has.
func TestAPolicyOfAFileNamesWhatNamesAreTheIdsOf(t *testing.T) {
	places := []mishap.Place{{Account: "111122223333", Region: "eu-west-1"}}
	names, role := `{"names": ["orders", "mail"]}`, "arn:aws:iam::111122223333:role/"
	both := func(prefix string) []string { return []string{prefix + "orders", prefix + "mail"} }
	groups := "arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:*:autoScalingGroupName/"
	for _, test := range []struct {
		injector, targets, action string
		want                      []string
	}{
		{"sqs-deny", names, "sqs:SetQueueAttributes", both("arn:aws:sqs:eu-west-1:111122223333:")},
		{"s3-deny", names, "s3:PutBucketPolicy", both("arn:aws:s3:::")},
		{"dynamodb-deny", names, "dynamodb:PutResourcePolicy", both("arn:aws:dynamodb:eu-west-1:111122223333:table/")},
		{"kinesis-deny", names, "kinesis:PutResourcePolicy", both("arn:aws:kinesis:eu-west-1:111122223333:stream/")},
		{"lambda-throttle", names, "lambda:PutFunctionConcurrency", both("arn:aws:lambda:eu-west-1:111122223333:function:")},
		{"iam-deny", names, "iam:PutRolePolicy", []string{role + "orders", role + "*/orders", role + "mail", role + "*/mail"}},
		{"asg-suspend", names, "autoscaling:SuspendProcesses", both(groups)},
		{"asg-zone-loss", names, "autoscaling:UpdateAutoScalingGroup", both(groups)},
		{"asg-zone-loss", `{"group": "orders"}`, "autoscaling:UpdateAutoScalingGroup", []string{groups + "orders"}},
		{"sqs-deny", `{"ids": ["orders"], "names": ["orders", "mail"]}`, "sqs:SetQueueAttributes", []string{"arn:aws:sqs:eu-west-1:111122223333:orders"}},
		{"sqs-deny", `{"tags": {"Role": "shop"}}`, "sqs:SetQueueAttributes", []string{"arn:aws:sqs:eu-west-1:111122223333:*"}},
		{"ec2-stop", names, "ec2:StopInstances", []string{"arn:aws:ec2:eu-west-1:111122223333:instance/*"}},
		{"ec2-stop", `{"group": "orders"}`, "ec2:StopInstances", []string{"arn:aws:ec2:eu-west-1:111122223333:instance/*"}},
	} {
		got, err := kind(aws.Deps{}, test.injector).Needs(fault(test.injector, test.targets, nil), places, map[string]string{"mishap": "allow"})
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(got.Inject, func(s mishap.Statement) bool { return slices.Contains(s.Actions, test.action) })
		if at < 0 {
			t.Fatalf("%s: nothing allows %s", test.injector, test.action)
		}
		if diff := cmp.Diff(test.want, got.Inject[at].Resources); diff != "" {
			t.Errorf("%s of %s: %s", test.injector, test.targets, diff)
		}
	}
}

// TestANameThatIsAnIdIsWrittenAsOne: no other could be found, and a policy would be of
// more than it says.
func TestANameThatIsAnIdIsWrittenAsOne(t *testing.T) {
	for name, want := range map[string]bool{"lambda-throttle": true, "sqs-deny": true, "s3-deny": true, "iam-deny": true, "ec2-stop": false} {
		_, err := kind(aws.Deps{}, name).New(fault(name, `{"names": ["fine-name", "a*:b"]}`, nil))
		if got := slices.Contains(paths(err), "targets.names[1]"); got != want || slices.Contains(paths(err), "targets.names[0]") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheFaultsWhosePoliciesCannotAskForTagsAreThoseOfTheHelp: docs/aws.md and the help
// of `mishap iam` name them.
func TestTheFaultsWhosePoliciesCannotAskForTagsAreThoseOfTheHelp(t *testing.T) {
	told := []string{"s3-deny", "asg-standby", "asg-unhealthy", "ec2-isolate"}
	page, err := os.ReadFile("../../docs/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range aws.Catalog(aws.Deps{}) {
		got, _ := k.Needs(fault(k.Name, `{"tags": {"Role": "shop"}}`, nil), []mishap.Place{{Account: "111122223333", Region: "eu-west-1"}}, map[string]string{"mishap": "allow"})
		asks := slices.ContainsFunc(got.Inject, func(s mishap.Statement) bool {
			return slices.Equal(s.Conditions["StringEquals"]["aws:ResourceTag/mishap"], []string{"allow"})
		})
		if asks == slices.Contains(told, k.Name) {
			t.Errorf("policies of %s ask for the opt-in tag: %v", k.Name, asks)
		}
	}
	for _, name := range told {
		if !strings.Contains(string(page), name) {
			t.Errorf("docs/aws.md does not name %s", name)
		}
	}
}
