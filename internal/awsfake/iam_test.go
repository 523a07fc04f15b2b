package awsfake_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mishap/internal/awsfake"
)

const stopsPayments = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
	{"Effect": "Allow", "Action": "ec2:StopInstances", "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": {"StringEquals": {"aws:ResourceTag/Role": "payments"}}}]}`

// assumed are the credentials of a role for the time.
func assumed(t *testing.T, c *awsfake.Cloud, from awsfake.Place, arn, external string) (aws.Config, error) {
	t.Helper()
	input := &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("run")}
	if external != "" {
		input.ExternalId = &external
	}
	out, err := sts.NewFromConfig(admin(c, from)).AssumeRole(t.Context(), input)
	if err != nil {
		return aws.Config{}, err
	}
	wants(t, "role", *out.AssumedRoleUser.Arn, strings.Replace(strings.Replace(arn, ":iam:", ":sts:", 1), ":role/", ":assumed-role/", 1)+"/run")
	wants(t, "expires", out.Credentials.Expiration.Sub(time.Now()).Round(time.Second), time.Hour)
	return once(c.Config(*out.Credentials.AccessKeyId, "eu-west-1")), nil
}

func TestARoleOfAnotherAccountNeedsItsExternalIDAndExpires(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		trust := fmt.Sprintf(`{"Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root"}, "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "ours"}}}}`, one.Account)
		arn := c.AddRole(other.Account, "mishap", trust, map[string]string{"p": stopsPayments}, nil)
		for _, external := range []string{"", "theirs"} {
			_, err := assumed(t, c, one, arn, external)
			refused(t, "AccessDenied", err)
		}
		_, err := assumed(t, c, one, arn+"x", "ours")
		refused(t, "AccessDenied", err)
		config, err := assumed(t, c, one, arn, "ours")
		if err != nil {
			t.Fatal(err)
		}
		who, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
		if err != nil || *who.Account != other.Account {
			t.Fatalf("%+v, %v", who, err)
		}
		time.Sleep(time.Hour)
		_, err = sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
		refused(t, "ExpiredToken", err)
		_, err = ec2.NewFromConfig(config).DescribeInstances(t.Context(), nil)
		refused(t, "RequestExpired", err)
	})
}

func TestARoleMayDoWhatItsPoliciesSayOfTagsAndAServiceControlPolicyDoesNotDeny(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		arn := c.AddRole(one.Account, "mishap", "", map[string]string{"p": stopsPayments}, nil)
		config, err := assumed(t, c, one, arn, "")
		if err != nil {
			t.Fatal(err)
		}
		client := ec2.NewFromConfig(config)
		paid, checkout := c.Launch(one, 1, map[string]string{"Role": "payments"})[0], c.Launch(one, 1, map[string]string{"Role": "checkout"})[0]
		wants(t, "stop", stop(t.Context(), client, paid), nil)
		err = stop(t.Context(), client, checkout)
		refused(t, "UnauthorizedOperation", err)
		why := "User: arn:aws:sts::111111111111:assumed-role/mishap/run is not authorized to perform: ec2:StopInstances on resource: arn:aws:ec2:eu-west-1:111111111111:instance/" + checkout + " because no identity-based policy allows the ec2:StopInstances action"
		if !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %s", err, why)
		}
		_, err = client.StartInstances(t.Context(), &ec2.StartInstancesInput{InstanceIds: []string{paid}, DryRun: aws.Bool(true)})
		refused(t, "UnauthorizedOperation", err)
		if err := c.Guard(one.Account, "p-stop", `{"Statement": {"Effect": "Deny", "Action": "ec2:Stop*", "Resource": "*"}}`); err != nil {
			t.Fatal(err)
		}
		for _, client := range []*ec2.Client{client, ec2.NewFromConfig(admin(c, one))} {
			err = stop(t.Context(), client, paid)
			if refused(t, "UnauthorizedOperation", err); !strings.Contains(err.Error(), "with an explicit deny in a service control policy: arn:aws:organizations::") {
				t.Errorf("%v", err)
			}
		}
	})
}

func TestAnInlinePolicyOfARoleDeniesUntilItsDate(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		arn := c.AddRole(one.Account, "app", "", map[string]string{"all": `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`}, map[string]string{"Role": "app"})
		before := c.Snapshot()
		config, err := assumed(t, c, one, arn, "")
		if err != nil {
			t.Fatal(err)
		}
		client, role, name := iam.NewFromConfig(admin(c, one)), aws.String("app"), aws.String("mishap-1")
		text := fmt.Sprintf(`{"Statement": {"Effect": "Deny", "Action": "ec2:DescribeInstances", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": %q}}}}`, time.Now().Add(time.Minute).UTC().Format(time.RFC3339))
		if _, err := client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: name, PolicyDocument: &text}); err != nil {
			t.Fatal(err)
		}
		probe := func() error {
			_, err := ec2.NewFromConfig(config).DescribeInstances(t.Context(), nil)
			return err
		}
		refused(t, "UnauthorizedOperation", probe())
		time.Sleep(time.Minute)
		wants(t, "after its date", probe(), nil)
		got, err := client.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: role, PolicyName: name})
		if err != nil {
			t.Fatal(err)
		}
		if plain, _ := url.QueryUnescape(*got.PolicyDocument); plain != text {
			t.Errorf("%s, want %s", plain, text)
		}
		list, err := client.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: role})
		if err != nil || fmt.Sprint(list.PolicyNames) != "[all mishap-1]" {
			t.Errorf("%+v, %v", list, err)
		}
		long := `{"Statement": {"Effect": "Deny", "Action": "x:y", "Resource": "` + strings.Repeat("x", 10240) + `"}}`
		_, err = client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("long"), PolicyDocument: &long})
		refused(t, "LimitExceeded", err)
		_, err = client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("bad"), PolicyDocument: aws.String(`{"Statement": {}}`)})
		refused(t, "MalformedPolicyDocument", err)
		if _, err := client.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: name}); err != nil {
			t.Fatal(err)
		}
		_, err = client.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: role, PolicyName: name})
		refused(t, "NoSuchEntity", err)
		unchanged(t, c, before)
		roles, err := client.ListRoles(t.Context(), nil)
		if err != nil || len(roles.Roles) != 1 || *roles.Roles[0].Arn != arn {
			t.Errorf("%+v, %v", roles, err)
		}
		one, err := client.GetRole(t.Context(), &iam.GetRoleInput{RoleName: role})
		if err != nil || *one.Role.Tags[0].Value != "app" {
			t.Errorf("%+v, %v", one, err)
		}
	})
}

func TestSimulationSaysWhatARoleMayAndWhichPolicyDenies(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		arn := c.AddRole(one.Account, "mishap", "", map[string]string{"p": stopsPayments}, nil)
		if err := c.Guard(one.Account, "p-x", `{"Statement": {"Effect": "Deny", "Action": "ec2:DescribeVpcs", "Resource": "*"}}`); err != nil {
			t.Fatal(err)
		}
		out, err := iam.NewFromConfig(admin(c, one)).SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &arn,
			ActionNames:    []string{"ec2:StopInstances", "ec2:StartInstances", "ec2:DescribeVpcs"},
			ResourceArns:   []string{"arn:aws:ec2:eu-west-1:111111111111:instance/i-1"},
			ContextEntries: []types.ContextEntry{{ContextKeyName: aws.String("aws:ResourceTag/Role"), ContextKeyType: "string", ContextKeyValues: []string{"payments"}}}})
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, r := range out.EvaluationResults {
			said += fmt.Sprintf("%s %s %v\n", *r.EvalActionName, r.EvalDecision, r.OrganizationsDecisionDetail.AllowedByOrganizations)
		}
		each := out.EvaluationResults[0].ResourceSpecificResults[0]
		wants(t, "of the resource", fmt.Sprint(*each.EvalResourceName, each.EvalResourceDecision, each.MissingContextValues), "arn:aws:ec2:eu-west-1:111111111111:instance/i-1allowed[]")
		wants(t, "decisions", said, "ec2:StopInstances allowed true\nec2:StartInstances implicitDeny true\nec2:DescribeVpcs explicitDeny false\n")
	})
}

func TestSimulationListsTheConditionKeysThatItWasNotTold(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		arn := c.AddRole(one.Account, "mishap", "", map[string]string{"p": stopsPayments}, nil)
		out, err := iam.NewFromConfig(admin(c, one)).SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &arn,
			ActionNames: []string{"ec2:StopInstances"}, ResourceArns: []string{"arn:aws:ec2:eu-west-1:111111111111:instance/i-1", "arn:aws:ec2:eu-west-1:111111111111:vpc/vpc-1"}})
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, r := range out.EvaluationResults[0].ResourceSpecificResults {
			said += fmt.Sprint(*r.EvalResourceName, " ", r.EvalResourceDecision, " ", r.MissingContextValues, "\n")
		}
		wants(t, "of each", said, "arn:aws:ec2:eu-west-1:111111111111:instance/i-1 implicitDeny [aws:ResourceTag/Role]\narn:aws:ec2:eu-west-1:111111111111:vpc/vpc-1 implicitDeny []\n")
	})
}

func TestUnknownKeysAndRegionsThatAreOffAreRefusedInTheWordsOfEachProtocol(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		c.TurnOff(awsfake.Place{Account: one.Account, Region: "ap-east-1"})
		for _, config := range []aws.Config{c.Config("AKIANOBODY", "eu-west-1"), c.Config(one.Account, "ap-east-1")} {
			_, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
			refused(t, "InvalidClientTokenId", err)
			_, err = ec2.NewFromConfig(config).DescribeInstances(t.Context(), nil)
			refused(t, "AuthFailure", err)
		}
	})
}

func TestTheJournalSaysWhoCalledWhatAndWhatItHadToBeAllowed(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client, id := ec2.NewFromConfig(admin(c, one)), c.Launch(one, 1, map[string]string{"Role": "payments"})[0]
		wants(t, "stop", stop(t.Context(), client, id), nil)
		state(t, client, id)
		vpc := c.All(one, awsfake.VPC)[0].Str("vpcId")
		if _, err := client.CreateNetworkAcl(t.Context(), &ec2.CreateNetworkAclInput{VpcId: &vpc, DryRun: aws.Bool(true)}); err == nil {
			t.Error("a dry run was answered")
		}
		calls := c.Calls()
		wants(t, "calls", len(calls), 3)
		wants(t, "call", fmt.Sprint(calls[0].Account, calls[0].Region, calls[0].Principal, calls[0].Action, calls[0].Error), "111111111111eu-west-1arn:aws:iam::111111111111:user/adminec2:StopInstances")
		wants(t, "resource", calls[0].Needs[0].Resource, "arn:aws:ec2:eu-west-1:111111111111:instance/"+id)
		wants(t, "tag", calls[0].Needs[0].Context["aws:ResourceTag/Role"][0], "payments")
		wants(t, "describe", calls[1].Needs[0].Resource, "*")
		wants(t, "dry run", calls[2].DryRun, true)
		wants(t, "needs", fmt.Sprint(calls[2].Needs[0].Resource, calls[2].Needs[1].Resource), "arn:aws:ec2:eu-west-1:111111111111:network-acl/*"+"arn:aws:ec2:eu-west-1:111111111111:vpc/"+vpc)
		wants(t, "describes", len(c.Calls("ec2:Describe*")), 1)
		c.Forget()
		wants(t, "calls", len(c.Calls()), 0)
	})
}

func TestWhatCallsNeededIsComparedWithPolicies(t *testing.T) {
	in(t, awsfake.Settings{}, func(t *testing.T, c *awsfake.Cloud) {
		client := ec2.NewFromConfig(admin(c, one))
		paid, other := c.Launch(one, 1, map[string]string{"Role": "payments"})[0], c.Launch(one, 1, nil)[0]
		if _, err := sts.NewFromConfig(admin(c, one)).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		wants(t, "stop", stop(t.Context(), client, paid), nil)
		state(t, client, paid)
		wants(t, "beyond", len(awsfake.Beyond(c.Calls(), stopsPayments)), 0)
		wants(t, "stop", stop(t.Context(), client, paid, other), nil)
		wants(t, "stop", stop(t.Context(), client, other), nil)
		wants(t, "beyond", fmt.Sprint(awsfake.Beyond(c.Calls(), stopsPayments)), "[ec2:StopInstances on "+awsfake.Instance.ARN(one, other)+"]")
		wants(t, "beyond nothing", len(awsfake.Beyond(c.Calls())), 3)
	})
}
