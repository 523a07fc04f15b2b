package aws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
)

// shortIDs are the ids behind the ARNs of the targets, in their order.
func shortIDs(all []mishap.Injection) (ids []string) {
	for _, in := range all {
		ids = append(ids, in.Target.ID[strings.LastIndexByte(in.Target.ID, '/')+1:])
	}
	return ids
}

func TestTargetsAreToldByWhatTheyAreAndWhereTheyAre(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	pay := map[string]string{"Role": "payments", "Name": "pay"}
	two := c.Launch(here, 2, pay, awsfake.Doc{"placement": awsfake.Doc{"availabilityZone": "eu-west-1a"}})
	big := c.Launch(here, 2, pay, awsfake.Doc{"instanceType": "m5.large", "vpcId": "vpc-big", "placement": awsfake.Doc{"availabilityZone": "eu-west-1b"}})
	grouped := c.Launch(here, 1, map[string]string{"Role": "batch", "Name": "work", "aws:autoscaling:groupName": "workers", "aws:cloudformation:stack-name": "shop"},
		awsfake.Doc{"placement": awsfake.Doc{"availabilityZone": "eu-west-1c"}})
	arn := func(id string) string { return awsfake.Instance.ARN(here, id) }
	c.AddResourceGroup(here, "payments", arn(two[0]), arn(big[1]), "arn:aws:s3:::bucket")
	four := slices.Concat(two, big)
	for targets, want := range map[string][]string{
		`{"names": ["pay"]}`: four,
		`{"names": ["pay"], "zones": ["eu-west-1a", "eu-west-1c"]}`: two,
		`{"vpc": "vpc-big"}`:   big,
		`{"group": "workers"}`: grouped,
		`{"stack": "shop"}`:    grouped,
		`{"tags": {"Role": "payments"}, "filters": {"instance-type": ["m5.large"]}}`: big,
		`{"tags": {"Role": "payments"}, "pick": 1, "perZone": true, "seed": 7}`:      nil, // one of each zone, see below
		`{"arns": ["` + arn(two[1]) + `", "` + arn(grouped[0]) + `"]}`:               {two[1], grouped[0]},
		`{"resourceGroup": "payments"}`:                                              {two[0], big[1]},
		`{"resourceGroup": "payments", "ids": ["` + two[0] + `"]}`:                   two[:1],
	} {
		_, found, err := prepared(t, fakeDeps(c), fault("ec2-stop", targets, nil))
		if err != nil {
			t.Errorf("%s: %v", targets, err)
			continue
		}
		got := shortIDs(found)
		if want == nil {
			if len(got) != 2 || !slices.Contains(two, got[0]) && !slices.Contains(two, got[1]) || !slices.Contains(big, got[0]) && !slices.Contains(big, got[1]) {
				t.Errorf("%s: %v is not one of each zone", targets, got)
			}
			continue
		}
		slices.Sort(got)
		want = slices.Sorted(slices.Values(want))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", targets, diff)
		}
	}
	for targets, want := range map[string]string{
		`{"tags": {"Role": "payments"}, "filters": {"colour": ["red"]}}`: "cannot be told by colour",
		`{"resourceGroup": "payments", "ids": ["` + grouped[0] + `"]}`:   "no instance that is meant",
		`{"vpc": "vpc-other"}`: "no running instance in 111111111111 eu-west-1 fits",
	} {
		if _, found, err := prepared(t, fakeDeps(c), fault("ec2-stop", targets, nil)); !errors.Is(err, mishap.ErrNoTarget) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", targets, shortIDs(found), err, want)
		}
	}
}

// twoPlaces are two accounts of the fake, the second through a role.
func twoPlaces(c *awsfake.Cloud, layer *cloud.Cloud) (aws.Deps, [2]awsfake.Place) {
	places := [2]awsfake.Place{here, {Account: "222222222222", Region: "us-east-1"}}
	at := func(account, region string) (cloud.Place, error) {
		for n, p := range places {
			if p.Account == account && p.Region == region {
				to := cloud.At{Account: account, Region: region}
				if n == 1 {
					to.Role, to.ExternalID = "arn:aws:iam::222222222222:role/mishap", "chaos"
				}
				return cloud.Place{At: to, Config: layer.Calls(c.Config(account, region), account)}, nil
			}
		}
		return cloud.Place{}, fmt.Errorf("%w: %s %s", mishap.ErrPlace, account, region)
	}
	return aws.Deps{
		Place: func(_ context.Context, account, region string) (cloud.Place, error) { return at(account, region) },
		Recorded: func(_ context.Context, to cloud.At) (cloud.Place, error) {
			place, err := at(to.Account, to.Region)
			if err == nil && place.At != to {
				err = fmt.Errorf("%+v is recorded, not %+v", to, place.At)
			}
			return place, err
		},
	}, places
}

func TestARNsLeadIntoAccountsAndRegionsAndTheRecordSaysAsWhom(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	d, places := twoPlaces(c, cloud.New())
	var arns []string
	for _, p := range places {
		for _, id := range c.Launch(p, 2, nil) {
			arns = append(arns, awsfake.Instance.ARN(p, id))
		}
	}
	injector, found, err := prepared(t, d, fault("ec2-stop", map[string]any{"arns": arns}, nil))
	if err != nil || len(found) != 4 {
		t.Fatalf("%d found, %v", len(found), err)
	}
	for _, in := range kind(d, "ec2-stop").Complete(found) {
		var undo struct{ Account, Region, Role, ExternalID string }
		if err := json.Unmarshal(in.Undo, &undo); err != nil {
			t.Fatal(err)
		}
		want := struct{ Account, Region, Role, ExternalID string }{Account: here.Account, Region: here.Region}
		if in.Target.Where.Account != here.Account {
			want = struct{ Account, Region, Role, ExternalID string }{places[1].Account, places[1].Region, "arn:aws:iam::222222222222:role/mishap", "chaos"}
		}
		if undo != want || !slices.Contains(arns, in.Target.ID) {
			t.Errorf("%s: undo %+v, want %+v", in.Target.ID, undo, want)
		}
	}
	for _, call := range mishap.Calls(found) {
		if err := errors.Join(mishap.InjectAll(t.Context(), injector, call)...); err != nil || len(call) != 2 {
			t.Errorf("a call of %d: %v", len(call), err)
		}
	}
	if n := len(c.Calls("ec2:StopInstances")); n != 4 { // one of each place, and a dry run
		t.Errorf("%d calls to stop", n)
	}
	if err := injector.Inject(t.Context(), found[0]); err != nil {
		t.Error(err)
	}
	if errs := mishap.InjectAll(t.Context(), injector, found); errs[0] != nil || errs[3] == nil || !strings.Contains(errs[3].Error(), "called together") {
		t.Errorf("two places in one call: %v", errs)
	}
}

func TestOneThatCannotBeDoneKeepsNoneOfTheOthersFromIt(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	ids := c.Launch(here, 8, nil)
	injector, found, err := prepared(t, fakeDeps(c), fault("ec2-stop", map[string]any{"ids": ids}, nil))
	if err != nil {
		t.Fatal(err)
	}
	c.Edit(here, awsfake.Instance, ids[5], func(d awsfake.Doc) { d["_attributes"] = awsfake.Doc{"disableApiStop": true} })
	c.Forget()
	for n, err := range mishap.InjectAll(t.Context(), injector, found) {
		id := shortIDs(found[n : n+1])[0]
		if state := c.Get(here, awsfake.Instance, id).Str("instanceState.name"); (err != nil) != (id == ids[5]) || (state == "running") != (id == ids[5]) {
			t.Errorf("%s is %s: %v", id, state, err)
		}
	}
	if n := len(c.Calls("ec2:StopInstances")); n != 7 { // 8, then 4 and 4, 2 and 2, 1 and 1
		t.Errorf("%d calls", n)
	}
}

func TestPermissionsAreStatementsAboutTheTargets(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	ids := c.Launch(here, 2, nil)
	_, found, err := prepared(t, fakeDeps(c), fault("ec2-stop", map[string]any{"ids": ids}, nil))
	if err != nil {
		t.Fatal(err)
	}
	arns := []string{awsfake.Instance.ARN(here, ids[0]), awsfake.Instance.ARN(here, ids[1])}
	identity := mishap.Statement{Actions: []string{"sts:GetCallerIdentity"}, Resources: []string{"*"}}
	want := mishap.Permissions{
		Inject: []mishap.Statement{{Actions: []string{"ec2:DescribeInstances", "ec2:DescribeInstanceAttribute"}, Resources: []string{"*"}},
			{Actions: []string{"ec2:StopInstances"}, Resources: arns}, identity,
			{Actions: []string{"iam:SimulatePrincipalPolicy"}, Resources: []string{"arn:aws:iam::111111111111:*"}}, {Actions: ofGroups, Resources: []string{"*"}}},
		Revert: []mishap.Statement{{Actions: []string{"ec2:DescribeInstances"}, Resources: []string{"*"}}, {Actions: []string{"ec2:StartInstances"}, Resources: arns}, identity},
	}
	if diff := cmp.Diff(want, kind(fakeDeps(c), "ec2-stop").Permits(found)); diff != "" {
		t.Error(diff)
	}
}

// TestNoFaultTakesAllWhereNoneAreAskedFor: 0 is not the same as nothing said.
func TestNoFaultTakesAllWhereNoneAreAskedFor(t *testing.T) {
	for _, kind := range aws.Catalog(aws.Deps{}) {
		for targets, want := range map[string]string{`{"tags": {"Role": "shop"}, "pick": 0}`: "targets.pick", `{"tags": {"Role": "shop"}, "share": "0%"}`: "targets.share"} {
			if _, err := kind.New(fault(kind.Name, targets, nil)); !slices.Contains(paths(err), want) {
				t.Errorf("%s with %s: %v", kind.Name, targets, err)
			}
		}
	}
}
