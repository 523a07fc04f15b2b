package aws_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/injectors/aws"
)

func targetIDs(all []mishap.Injection) []string {
	var ids []string
	for _, in := range all {
		ids = append(ids, in.Target.ID)
	}
	return ids
}

func instanceARN(id string) string {
	return "arn:aws:ec2:" + motoRegion + ":" + motoAccount + ":instance/" + id
}

func TestEC2StopOnARealServer(t *testing.T) {
	m := needMoto(t)
	for _, test := range []struct {
		name  string
		check func(*testing.T, *moto)
	}{
		{"the pick is the seed's", pickIsTheSeeds},
		{"tags match exactly", tagsMatchExactly},
		{"a named instance that does not run is noted", stoppedIsNoted},
		{"an unknown instance is no target", unknownIsNoTarget},
		{"an instance terminated after the plan is no target and gone", terminatedAfterPlan},
		{"stop protection is refused", protectionIsRefused},
		{"membership of an Auto Scaling group is noted", groupIsNoted},
	} {
		t.Run(test.name, func(t *testing.T) {
			m.post(t, "/moto-api/reset")
			test.check(t, m)
		})
	}
}

func pickIsTheSeeds(t *testing.T, m *moto) {
	m.launch(t, 5, map[string]string{"Role": "payments", "Name": "pay"})
	f := fault("ec2-stop", `{"tags": {"Role": "payments"}, "pick": 2, "seed": 42}`, nil)
	_, first, err := prepared(t, m.deps(), f)
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := prepared(t, m.deps(), f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(targetIDs(first), targetIDs(second)); diff != "" || len(first) != 2 {
		t.Errorf("%d picked; the same seed picked others: %s", len(first), diff)
	}
	in := first[0]
	if want := (mishap.Place{Account: motoAccount, Region: motoRegion}); in.Target.Where != want || in.Target.Name != "pay" || in.Matched != 5 {
		t.Errorf("target %+v, %d matched", in.Target, in.Matched)
	}
	if !slices.Contains(in.Notes, "picked 2 of 5 with seed 42") {
		t.Errorf("the pick is not noted: %q", in.Notes)
	}
	key := "aws/" + motoAccount + "/" + motoRegion + "/instance/" + strings.TrimPrefix(in.Target.ID, instanceARN(""))
	if diff := cmp.Diff([]mishap.Key{{Thing: key, Attribute: "state"}}, in.Keys); diff != "" {
		t.Error(diff)
	}
}

func tagsMatchExactly(t *testing.T, m *moto) {
	m.launch(t, 1, map[string]string{"Role": "payments-old"})
	for _, targets := range []string{`{"tags": {"Role": "payments*"}}`, `{"tags": {"Role": "payments-ol?"}}`, `{"tags": {"role": "payments-old"}}`} {
		if _, found, err := prepared(t, m.deps(), fault("ec2-stop", targets, nil)); !errors.Is(err, mishap.ErrNoTarget) {
			t.Errorf("%s found %q, error %v", targets, targetIDs(found), err)
		}
	}
}

func stoppedIsNoted(t *testing.T, m *moto) {
	ids := m.launch(t, 2, nil)
	if _, err := m.ec2.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: ids[:1]}); err != nil {
		t.Fatal(err)
	}
	_, found, err := prepared(t, m.deps(), fault("ec2-stop", map[string][]string{"ids": ids}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{instanceARN(ids[1])}, targetIDs(found)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(strings.Join(found[0].Notes, "\n"), ids[0]+" is not taken") {
		t.Errorf("nobody says that %s is left out: %q", ids[0], found[0].Notes)
	}
}

func unknownIsNoTarget(t *testing.T, m *moto) {
	if _, _, err := prepared(t, m.deps(), fault("ec2-stop", `{"ids": ["i-0123456789abcdef0"]}`, nil)); !errors.Is(err, mishap.ErrNoTarget) {
		t.Errorf("prepare: %v", err)
	}
}

func terminatedAfterPlan(t *testing.T, m *moto) {
	ids := m.launch(t, 1, nil)
	injector, found, err := prepared(t, m.deps(), fault("ec2-stop", map[string][]string{"ids": ids}, nil))
	if err != nil {
		t.Fatal(err)
	}
	m.terminate(t, ids...)
	if err := injector.Inject(t.Context(), found[0]); !errors.Is(err, mishap.ErrNoTarget) {
		t.Errorf("inject: %v", err)
	}
	if r, err := injector.Revert(t.Context(), found[0]); err != nil || r.State != mishap.InjectionGone {
		t.Errorf("revert: %+v, %v", r, err)
	}
	if now := m.states(t); !strings.Contains(now, "terminated") {
		t.Errorf("a terminated instance was touched: it is %s", now)
	}
}

func protectionIsRefused(t *testing.T, m *moto) {
	ids := m.launch(t, 1, nil)
	_, err := m.ec2.ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{
		InstanceId: sdk.String(ids[0]), DisableApiStop: &types.AttributeBooleanValue{Value: sdk.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var hinted *mishap.Hinted
	_, _, err = prepared(t, m.deps(), fault("ec2-stop", map[string][]string{"ids": ids}, nil))
	if !errors.As(err, &hinted) || !strings.Contains(err.Error(), "protected against stopping") {
		t.Errorf("prepare: %v", err)
	}
}

func groupIsNoted(t *testing.T, m *moto) {
	m.groups(t, url.Values{"Action": {"CreateLaunchConfiguration"}, "LaunchConfigurationName": {"lc"}, "ImageId": {"ami-12345678"}, "InstanceType": {"t3.micro"}})
	m.groups(t, url.Values{"Action": {"CreateAutoScalingGroup"}, "AutoScalingGroupName": {"payments"}, "LaunchConfigurationName": {"lc"},
		"MinSize": {"1"}, "MaxSize": {"1"}, "AvailabilityZones.member.1": {motoRegion + "a"},
		"Tags.member.1.Key": {"Role"}, "Tags.member.1.Value": {"payments"}, "Tags.member.1.PropagateAtLaunch": {"true"}})
	_, found, err := prepared(t, m.deps(), fault("ec2-stop", `{"tags": {"Role": "payments"}}`, nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || !strings.Contains(strings.Join(found[0].Notes, "\n"), "Auto Scaling group payments") {
		t.Errorf("the group is not noted: %+v", found)
	}
}

func TestEC2StopNamesEveryProblemOfItsTargets(t *testing.T) {
	for targets, want := range map[string][]string{
		``:                                    {"targets"},
		`{"tags": {}}`:                        {"targets"},
		`{"ids": ["i-1", "web"]}`:             {"targets.ids[0]", "targets.ids[1]"},
		`{"tags": {"a": "b"}, "pick": -1}`:    {"targets.pick"},
		`{"tags": {"a": "b"}, "zone": ["a"]}`: {"targets.zone"},
	} {
		_, err := kind(aws.Deps{}, "ec2-stop").New(fault("ec2-stop", targets, nil))
		if diff := cmp.Diff(want, paths(err)); diff != "" {
			t.Errorf("%s: %v\n%s", targets, err, diff)
		}
	}
}
