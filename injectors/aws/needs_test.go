package aws_test

import (
	"slices"
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
