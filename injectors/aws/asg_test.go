package aws_test

import (
	"errors"
	"strings"
	"testing"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/awsfake"
)

func TestAGroupThatDoesNoneOfItBeforeIsNotTaken(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	at := c.Enter(here)
	c.AddGroup(at, "pay", 1, 1, 2, map[string]string{"Role": "payments"}, suspended("Launch", "Terminate"))
	c.AddGroup(at, "shop", 1, 1, 2, map[string]string{"Role": "payments"})
	f := fault("asg-suspend", `{"tags": {"Role": "payments"}}`, nil)
	f.With = raw(`{"processes": ["Launch"]}`)
	_, found, err := prepared(t, fakeDeps(c), f)
	if err != nil || len(found) != 1 || found[0].Target.Name != "shop" {
		t.Errorf("%v; %v, want shop alone", err, targetIDs(found))
	}
}

// TestWrongParametersAreNamed: where they are, and what to write.
func TestWrongParametersAreNamed(t *testing.T) {
	for _, test := range []struct{ fault, targets, with, path, want string }{
		{"asg-suspend", `{"ids": ["pay"]}`, `{"processes": ["Lunch"]}`, "with.processes[0]", `did you mean "Launch"?`},
		{"asg-suspend", `{"ids": ["pay"]}`, `{"processes": []}`, "with.processes", "give some of Launch, Terminate"},
		{"asg-zone-loss", `{"ids": ["pay"]}`, `{"zone": "A"}`, "with.zone", "euw1-az1"},
		{"sqs-deny", `{"ids": ["pay"]}`, `{"actions": ["sqs:SetQueueAttributes"]}`, "with.actions[0]", "write some of sqs:SendMessage"},
		{"iam-deny", `{"ids": ["pay"]}`, `{"actions": ["iam:PutRolePolicy"]}`, "with.actions[0]", "write some of sqs:SendMessage"},
		{"iam-deny", `{"ids": ["pay"]}`, `{"actions": []}`, "with.actions", "such as s3:GetObject"},
		{"lambda-throttle", `{"ids": ["pay"]}`, `{"concurrency": -1}`, "with.concurrency", "must not be negative"},
	} {
		f := fault(test.fault, test.targets, nil)
		f.With = raw(test.with)
		_, err := kind(aws.Deps{}, test.fault).New(f)
		var at *mishap.FieldError
		if !errors.As(err, &at) || at.Path != test.path || !strings.Contains(at.Msg+at.Hint, test.want) {
			t.Errorf("%s with %s: %+v; want %s, %s", test.fault, test.with, at, test.path, test.want)
		}
	}
}

// TestAPlanSaysThatAGroupMayMoveOthersWhileSomeAreOnStandby: to even out its zones.
func TestAPlanSaysThatAGroupMayMoveOthersWhileSomeAreOnStandby(t *testing.T) {
	for name, test := range map[string]struct {
		zone string
		with []awsfake.Doc
		want bool
	}{
		"from a zone that has fewest": {"eu-west-1c", nil, true},
		"from one that has most":      {"eu-west-1a", nil, false},
		"a group that does not":       {"eu-west-1c", []awsfake.Doc{suspended("AZRebalance")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := awsfake.New(awsfake.Settings{})
			c.AddGroup(c.Enter(here), "pay", 1, 5, 6, nil, test.with...) // 2, 2, 1
			_, found, err := prepared(t, fakeDeps(c), fault("asg-standby", map[string]any{"group": "pay", "zones": []string{test.zone}, "pick": 1, "seed": 1}, nil))
			if err != nil || len(found) != 1 || strings.Contains(strings.Join(found[0].Notes, " "), "zones uneven") != test.want {
				t.Errorf("%v; %+v; want that to be said: %t", err, found, test.want)
			}
		})
	}
}
