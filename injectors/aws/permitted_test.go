package aws_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
)

// asRole makes a session of a role that may do what the policy says.
func asRole(c *awsfake.Cloud, policy string) func() aws.Deps {
	return func() aws.Deps {
		c.AddRole(here.Account, "chaos", "", map[string]string{"mishap": policy}, nil)
		return as(keyed(c, c.Key(here.Account, "role/chaos")), "arn:aws:sts::111111111111:assumed-role/chaos/session")()
	}
}

func as(place cloud.Place, caller string) func() aws.Deps {
	place.Caller = caller
	return func() aws.Deps { return depsFor(place) }
}

func keyed(c *awsfake.Cloud, key string) cloud.Place {
	return cloud.Place{At: cloud.At{Account: here.Account, Region: here.Region}, Config: cloud.New().Calls(c.Config(key, here.Region), here.Account)}
}

// planned prepares the fault of a row as somebody who comes once all is there.
func planned(t *testing.T, name string, c *awsfake.Cloud, as func() aws.Deps) (notes string, err error) {
	t.Helper()
	targets, with := trials()[name].put(c, c.Enter(here))
	f := fault(name, targets, nil)
	if with != "" {
		f.With = raw(with)
	}
	injector, err := kind(as(), name).New(f)
	if err != nil {
		t.Fatal(err)
	}
	found, err := injector.Prepare(t.Context(), mishap.Request{Run: "plan", Fault: f})
	for _, in := range found {
		notes += strings.Join(in.Notes, "\n")
	}
	return notes, err
}

// needed is what the fault of a row asks for.
func needed(t *testing.T, name string) (all []mishap.Statement, actions []string) {
	t.Helper()
	needs := newTrial(t, name, awsfake.Settings{}).permissions()
	all = slices.Concat(needs.Inject, needs.Revert)
	return all, slices.Compact(slices.Sorted(slices.Values(actionsOf(all))))
}

// without takes one action away.
func without(all []mishap.Statement, action string) (left []mishap.Statement) {
	for _, s := range all {
		s.Actions = slices.DeleteFunc(slices.Clone(s.Actions), func(a string) bool { return a == action })
		if len(s.Actions) > 0 {
			left = append(left, s)
		}
	}
	return left
}

func TestWithoutAnyOneOfAFaultsActionsAPlanSaysSo(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(trials())) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, actions := needed(t, name)
				c := awsfake.New(awsfake.Settings{})
				if notes, err := planned(t, name, c, asRole(c, policyOf(t, all))); err != nil || strings.Contains(notes, "not asked") || strings.Contains(notes, "allowed") {
					t.Errorf("with all of them: %v; %s", err, notes)
				}
				for _, action := range actions {
					if slices.Contains(ofGroups, action) && (name != "asg-unhealthy" || action == ofGroups[1]) {
						continue
					}
					c := awsfake.New(awsfake.Settings{})
					notes, err := planned(t, name, c, asRole(c, policyOf(t, without(all, action))))
					switch {
					case action == "sts:GetCallerIdentity": // needs no permission
						if err != nil {
							t.Errorf("without %s: %v", action, err)
						}
					case err == nil && !strings.Contains(notes, action), err != nil && !strings.Contains(err.Error(), action):
						t.Errorf("without %s: %v; %s", action, err, notes)
					case err == nil && action != "iam:SimulatePrincipalPolicy":
						t.Errorf("without %s there is but a note, and all could be known: %s", action, notes)
					}
				}
			})
		})
	}
}

// ofGroups is what plans alone ask of the groups of instances, and can do without.
var ofGroups = []string{"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks"}

func TestAPlanSaysWhatAGroupKeepsOrThatItWasNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := needed(t, "ec2-stop")
		for _, taken := range append([]string{""}, ofGroups...) {
			c := awsfake.New(awsfake.Settings{})
			c.AddGroup(c.Enter(here), "payments", 2, 3, 5, map[string]string{"mishap": "allow"}, awsfake.Doc{"_hooks": []awsfake.Doc{
				{"LifecycleHookName": "drain", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 300}}})
			d := asRole(c, policyOf(t, without(all, taken)))()
			injector, err := kind(d, "ec2-stop").New(fault("ec2-stop", map[string]any{"group": "payments", "pick": 1}, nil))
			if err != nil {
				t.Fatal(err)
			}
			found, err := injector.Prepare(t.Context(), mishap.Request{Run: "plan", Fault: fault("ec2-stop", nil, nil)})
			if err != nil || len(found) != 1 {
				t.Fatalf("without %q: %d, %v", taken, len(found), err)
			}
			notes := strings.Join(found[0].Notes, "\n")
			for want, is := range map[string]bool{
				"payments keeps 2 of 3 members that are in service and healthy; its least size is 2": taken != ofGroups[0],
				"waits for its lifecycle hook drain, up to 5m":                                       taken == "",
				"not asked what remains of Auto Scaling group payments":                              taken == ofGroups[0],
				"not asked whether Auto Scaling group payments has lifecycle hooks":                  taken == ofGroups[1],
			} {
				if strings.Contains(notes, want) != is {
					t.Errorf("without %q, %t: %q; %s", taken, is, want, notes)
				}
			}
		}
	})
}

func TestAPlanSaysWhatItsVaultMayNotDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := needed(t, "asg-suspend")
		vault := slices.Concat(cloud.VaultNeeds(mishap.Place{Account: here.Account, Region: here.Region}, "/mishap", ""), cloud.VaultNeeds(mishap.Place{Account: here.Account, Region: here.Region}, "/mishap", "alias/chaos")[1:])
		for _, action := range append([]string{""}, actionsOf(vault)...) {
			c := awsfake.New(awsfake.Settings{})
			notes, err := planned(t, "asg-suspend", c, func() aws.Deps {
				d := asRole(c, policyOf(t, slices.Concat(all, without(vault, action))))()
				d.Vault = func(at mishap.Place) []mishap.Statement { return vault }
				return d
			})
			if (err == nil) != (action == "") || err != nil && !strings.Contains(err.Error(), " may not "+action+" on arn:aws:") {
				t.Errorf("without %q: %v; %s", action, err, notes)
			}
		}
	})
}

func actionsOf(all []mishap.Statement) (actions []string) {
	for _, s := range all {
		actions = append(actions, s.Actions...)
	}
	return actions
}

// TestADeniedActionIsSaidInAWSsWordsWithWhatHelps: a grant helps only where nothing
// but a grant is missing.
func TestADeniedActionIsSaidInAWSsWordsWithWhatHelps(t *testing.T) {
	const allowAll, denyResume = `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`, `{"Statement": {"Effect": "Deny", "Action": "autoscaling:Resume*", "Resource": "*"}}`
	nothing := func(*awsfake.Cloud) {}
	group := "arn:aws:autoscaling:eu-west-1:111111111111:autoScalingGroup:"
	for name, test := range map[string]struct {
		policy    string
		spoil     func(c *awsfake.Cloud)
		want, fix string
	}{
		"not granted": {policyOf(t, []mishap.Statement{{Actions: []string{"autoscaling:Describe*", "autoscaling:Suspend*", "iam:*"}, Resources: []string{"*"}}}), nothing,
			" and 1 more: implicitDeny, because no identity-based policy allows it", `add {"Effect":"Allow","Action":["autoscaling:ResumeProcesses"],"Resource":["` + group + "*:autoScalingGroupName/*"},
		"granted on what has another tag": {policyOf(t, []mishap.Statement{{Actions: []string{"autoscaling:Describe*", "autoscaling:Suspend*", "iam:*"}, Resources: []string{"*"}},
			{Actions: []string{"autoscaling:Resume*"}, Resources: []string{"*"}, Conditions: map[string]map[string][]string{"StringEquals": {"aws:ResourceTag/mishap": {"allow"}}}}}), nothing,
			"implicitDeny, because no identity-based policy allows it", "add {"},
		"denied": {`{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "autoscaling:Resume*", "Resource": "*"}]}`, nothing,
			"explicitDeny, with an explicit deny in an identity-based policy", "which no grant changes: take that statement out"},
		"denied by the organisation": {allowAll, func(c *awsfake.Cloud) { _ = c.Guard(here.Account, "p-1", denyResume) },
			"explicitDeny, with an explicit deny in a service control policy", "ask whoever manages the organisation"},
		"beyond the boundary": {allowAll, func(c *awsfake.Cloud) {
			c.Edit(awsfake.Place{Account: here.Account}, awsfake.Role, "chaos", func(d awsfake.Doc) {
				d["_boundary"] = `{"Statement": {"Effect": "Allow", "NotAction": "autoscaling:Resume*", "Resource": "*"}}`
			})
		}, "implicitDeny, because no permissions boundary allows it", "widen the boundary"},
	} {
		t.Run(name, func(t *testing.T) {
			c := awsfake.New(awsfake.Settings{})
			_, err := planned(t, "asg-suspend", c, func() aws.Deps {
				defer test.spoil(c)
				return asRole(c, test.policy)()
			})
			var hinted *mishap.Hinted
			if err == nil || !strings.Contains(err.Error(), "arn:aws:iam::111111111111:role/chaos may not autoscaling:ResumeProcesses on "+group) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v; want %q", err, test.want)
			}
			if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, test.fix) {
				t.Errorf("the hint is %+v, want %q", hinted, test.fix)
			}
		})
	}
}

func TestWhatCouldNotBeAskedIsNoted(t *testing.T) {
	all := `{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}%s]}`
	const unasked = "of 3 of 3 resources in 111111111111 eu-west-1 it was not asked whether autoscaling:DescribeAutoScalingGroups, autoscaling:ResumeProcesses, autoscaling:SuspendProcesses are allowed: "
	for name, test := range map[string]struct {
		more, caller, want string
	}{
		"whoever may not ask": {`, {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}`, "", unasked + "ask IAM: iam:SimulatePrincipalPolicy in 111111111111 eu-west-1: AccessDenied: "},
		"the root user":       {"", "arn:aws:iam::111111111111:root", unasked + "IAM knows no policies of the credentials (arn:aws:iam::111111111111:root)"},
		"a condition on the caller's network": {`, {"Effect": "Deny", "Action": "autoscaling:Resume*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}}`, "",
			"whether autoscaling:ResumeProcesses is allowed depends on aws:SourceVpc, which IAM could not be told"},
	} {
		t.Run(name, func(t *testing.T) {
			c := awsfake.New(awsfake.Settings{})
			d := asRole(c, fmt.Sprintf(all, test.more))
			if test.caller != "" {
				d = as(keyed(c, here.Account), test.caller)
			}
			notes, err := planned(t, "asg-suspend", c, d)
			if err != nil || !strings.Contains(notes, test.want) {
				t.Errorf("%v; %q, want %q", err, notes, test.want)
			}
		})
	}
}

// TestAPlanAsksIAMAFewTimesHoweverManyItIsAbout: and says of how many it did not.
func TestAPlanAsksIAMAFewTimesHoweverManyItIsAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := awsfake.New(awsfake.Slow())
		d := asRole(c, `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`)
		for n := range 1000 {
			c.AddGroup(c.Enter(here), fmt.Sprint("more-", n), 0, 0, 1, map[string]string{"Role": "payments", "n": fmt.Sprint(n)})
		}
		time.Sleep(time.Minute)
		notes, err := planned(t, "asg-suspend", c, d)
		want := "of 102 of 1003 resources in 111111111111 eu-west-1 it was not asked whether autoscaling:ResumeProcesses, autoscaling:SuspendProcesses are allowed: a plan asks IAM no more often"
		if n := len(c.Calls("iam:*")); err != nil || n != 10 || len(c.Calls()) > 40 || !strings.Contains(notes, want) {
			t.Errorf("%d calls of IAM, %v; %q, want %q", n, err, notes, want)
		}
	})
}

func TestCredentialsThatEndBeforeTheLastRevertMayBeOverAreRefusedBeforehand(t *testing.T) {
	for ends, fine := range map[time.Duration]bool{time.Hour: true, time.Minute: false} {
		c := awsfake.New(awsfake.Settings{})
		place := keyed(c, here.Account)
		keys := place.Config.Credentials
		place.Config.Credentials = awssdk.CredentialsProviderFunc(func(ctx context.Context) (awssdk.Credentials, error) {
			k, err := keys.Retrieve(ctx)
			k.CanExpire, k.Expires = true, time.Now().Add(ends)
			return k, err
		})
		_, err := planned(t, "ec2-stop", c, as(place, ""))
		if (err == nil) != fine || err != nil && !strings.Contains(err.Error(), "before the last revert may be over") {
			t.Errorf("credentials for another %s: %v", ends, err)
		}
	}
}
