package safeguards_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/safeguards"
)

func deps() safeguards.Deps {
	return safeguards.Deps{
		Accounts: map[string][]string{"111": {"eu-west-1"}}, Hosts: []string{"db1"}, OptInTag: "mishap=allow", Protected: []string{"process/ssh*", "ec2-instance/i-9"},
		LongestRun:   time.Hour,
		Irreversible: func(name string) bool { return name == "process-kill" },
		Halted:       func(context.Context) (string, bool, error) { return "", false, nil },
		Others:       func(context.Context, mishap.Plan) ([]string, error) { return nil, nil },
		Self: func(context.Context) (safeguards.Self, error) {
			return safeguards.Self{PIDs: []int{4711}, Instance: "i-self", Proxies: []string{"db"}}, nil
		},
	}
}

func make1(t *testing.T, d safeguards.Deps, name, with string) (mishap.Safeguard, error) {
	t.Helper()
	for _, k := range safeguards.Catalog(d) {
		if k.Name == name {
			return k.New(json.RawMessage(with))
		}
	}
	t.Fatalf("no safeguard %s", name)
	return nil, nil
}

// ask makes a safeguard and asks it; "" means yes.
func ask(t *testing.T, d safeguards.Deps, name, with string, s mishap.Situation) string {
	t.Helper()
	g, err := make1(t, d, name, with)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Check(t.Context(), s); err != nil {
		return err.Error()
	}
	return ""
}

func plan(injections ...mishap.Injection) mishap.Situation {
	for i := range injections {
		if injections[i].Fault == "" {
			injections[i].Fault = "f"
		}
		if injections[i].Matched == 0 {
			injections[i].Matched = 1
		}
	}
	return mishap.Situation{Plan: mishap.Plan{Injections: injections}, Now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
}

func on(kind, id string) mishap.Injection {
	return mishap.Injection{Target: mishap.Target{Kind: kind, ID: id}}
}

func in(t mishap.Target) mishap.Injection { return mishap.Injection{Target: t} }

func TestEverySafeguardThatIsAlwaysAskedCanBeMadeWithoutParameters(t *testing.T) {
	for _, k := range safeguards.Catalog(deps()) {
		if k.Summary == "" || k.Doc == "" || k.Example == "" {
			t.Errorf("%s is not described", k.Name)
		}
		if !k.Always {
			continue
		}
		if _, err := k.New(nil); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
		if _, err := k.New(json.RawMessage(`{"nonsense": 1}`)); err == nil {
			t.Errorf("%s takes any parameter", k.Name)
		}
	}
}

func TestASafeguardThatNobodyGaveWhatItNeedsSaysNo(t *testing.T) {
	for _, name := range []string{"halt", "exclusive", "self", "irreversible"} {
		if got := ask(t, safeguards.Deps{}, name, "", plan()); got == "" {
			t.Errorf("%s says yes", name)
		}
	}
}

func TestPlaceIsDeniedByDefault(t *testing.T) {
	tagged := map[string]string{"mishap": "allow"}
	for name, c := range map[string]struct {
		target mishap.Target
		want   string
	}{
		"this machine":         {mishap.Target{Kind: "process", ID: "a:1:1"}, ""},
		"listed and tagged":    {mishap.Target{Kind: "ec2-instance", ID: "i-1", Where: mishap.Place{Account: "111", Region: "eu-west-1"}, Tags: tagged}, ""},
		"another account":      {mishap.Target{Kind: "ec2-instance", ID: "i-1", Where: mishap.Place{Account: "222", Region: "eu-west-1"}, Tags: tagged}, "in account 222"},
		"another region":       {mishap.Target{Kind: "ec2-instance", ID: "i-1", Where: mishap.Place{Account: "111", Region: "us-east-1"}, Tags: tagged}, "in region us-east-1"},
		"another host":         {mishap.Target{Kind: "process", ID: "a:1:1", Where: mishap.Place{Host: "db2"}, Tags: tagged}, "on host db2"},
		"not opted in":         {mishap.Target{Kind: "ec2-instance", ID: "i-1", Where: mishap.Place{Account: "111", Region: "eu-west-1"}}, "does not carry the tag"},
		"tag in another case":  {mishap.Target{Kind: "ec2-instance", ID: "i-1", Where: mishap.Place{Account: "111", Region: "eu-west-1"}, Tags: map[string]string{"Mishap": "allow"}}, "does not carry the tag"},
		"tag of another value": {mishap.Target{Kind: "ec2-instance", ID: "i-1", Where: mishap.Place{Account: "111", Region: "eu-west-1"}, Tags: map[string]string{"mishap": "no"}}, "does not carry the tag"},
	} {
		got := ask(t, deps(), "place", "", plan(in(c.target)))
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := ask(t, safeguards.Deps{}, "place", "", plan(in(mishap.Target{Where: mishap.Place{Account: "111"}, Tags: tagged}))); got == "" {
		t.Error("without settings an account is allowed")
	}
}

func TestBlastRadiusCountsTargetsAndShares(t *testing.T) {
	with := func(limit mishap.BlastRadius, injections ...mishap.Injection) mishap.Situation {
		s := plan(injections...)
		s.Plan.Experiment.BlastRadius = limit
		return s
	}
	one, two := on("p", "1"), on("p", "2")
	one.Matched, two.Matched = 10, 10
	again := one
	again.Fault = "g"
	slow := on("proxy", "x")
	slow.Share = 0.05
	for name, c := range map[string]struct {
		s    mishap.Situation
		want string
	}{
		"within":                {with(mishap.BlastRadius{Targets: 2, Share: 0.2}, one, two), ""},
		"too many":              {with(mishap.BlastRadius{Targets: 1}, one, two), "touch 2 targets, the blast radius allows 1"},
		"too large a share":     {with(mishap.BlastRadius{Targets: 2, Share: 0.1}, one, two), "2 of 10 targets is 20%, the blast radius allows 10%"},
		"one target, two fault": {with(mishap.BlastRadius{Targets: 1}, one, again), ""},
		"share of traffic":      {with(mishap.BlastRadius{Targets: 1, Share: 0.05}, slow), ""},
		"share of traffic, big": {with(mishap.BlastRadius{Targets: 1, Share: 0.04}, slow), "is 5%, the blast radius allows 4%"},
	} {
		if got := ask(t, deps(), "blast-radius", "", c.s); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestMishapDoesNotCutItselfOff(t *testing.T) {
	for id, target := range map[string]mishap.Target{
		"itself": {Kind: "process", ID: "boot:4711:9"}, "init": {Kind: "process", ID: "boot:1:9"}, "garbage": {Kind: "process", ID: "x"},
		"instance": {Kind: "ec2-instance", ID: "i-self"}, "proxy": {Kind: "proxy", ID: "db"},
	} {
		if ask(t, deps(), "self", "", plan(in(target))) == "" {
			t.Errorf("%s may be touched", id)
		}
	}
	if got := ask(t, deps(), "self", "", plan(on("process", "boot:4712:9"), on("proxy", "payments"))); got != "" {
		t.Errorf("others: %s", got)
	}
}

func TestARegionIsAllowedOfItsAccountAlone(t *testing.T) {
	d := deps()
	d.Accounts = map[string][]string{"111": {"eu-west-1"}, "222": {"us-east-1"}}
	at := func(account, region string) mishap.Situation {
		return plan(in(mishap.Target{Kind: "ec2-instance", ID: "i-1", Where: mishap.Place{Account: account, Region: region}, Tags: map[string]string{"mishap": "allow"}}))
	}
	if got := ask(t, d, "place", "", at("222", "us-east-1")); got != "" {
		t.Error(got)
	}
	if got := ask(t, d, "place", "", at("222", "eu-west-1")); !strings.Contains(got, "region eu-west-1") {
		t.Errorf("a region of another account: %q", got)
	}
}

func TestAnARNIsKnownByWhatStandsAtItsEnd(t *testing.T) {
	const arn = "arn:aws:ec2:eu-west-1:111122223333:instance/"
	if got := ask(t, deps(), "protected", "", plan(on("ec2-instance", arn+"i-9"))); !strings.Contains(got, `protected by "ec2-instance/i-9"`) {
		t.Errorf("protected: %q", got)
	}
	if got := ask(t, deps(), "self", "", plan(in(mishap.Target{Kind: "ec2-instance", ID: arn + "i-self", Where: mishap.Place{Region: "eu-west-1"}}))); !strings.Contains(got, "the machine that mishap runs on") {
		t.Errorf("self: %q", got)
	}
}

func TestMishapDoesNotCutOffTheMachineThatItRunsOn(t *testing.T) {
	const here = "arn:aws:ec2:eu-west-1:111122223333:"
	d, asked, failure := deps(), 0, error(nil)
	d.Self = func(context.Context) (safeguards.Self, error) {
		return safeguards.Self{Instance: "i-self", Roles: []string{"arn:aws:iam::111122223333:role/ops/mishap"}, Keys: []string{"11-22"}, StandsOn: func(context.Context) (map[string]string, error) {
			asked++
			return map[string]string{
				here + "subnet/subnet-1": "the subnet that mishap runs in",
				"arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup::autoScalingGroupName/ops": "the group that mishap runs in",
			}, failure
		}}, nil
	}
	at := func(kind, arn string) mishap.Situation {
		return plan(in(mishap.Target{Kind: kind, ID: arn, Where: mishap.Place{Account: "111122223333", Region: "eu-west-1"}}))
	}
	for arn, want := range map[string]string{
		here + "subnet/subnet-1": "the subnet that mishap runs in", here + "subnet/subnet-2": "",
		"arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:0f7c:autoScalingGroupName/ops": "the group that mishap runs in",
		"arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:0f7c:autoScalingGroupName/ops": "",
		"arn:aws:iam::111122223333:role/mishap":                                                     "a role that mishap calls AWS as", "arn:aws:iam::444455556666:role/mishap": "",
	} {
		if got := ask(t, d, "self", "", at("thing", arn)); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
	}
	asked, failure = 0, errors.New("denied")
	if got := ask(t, d, "self", "", at("lambda-function", "arn:aws:lambda:eu-west-1:111122223333:function:pay")); got != "" || asked > 0 {
		t.Errorf("a function: %q, asked %d times", got, asked)
	}
	if got := ask(t, d, "self", "", at("subnet", here+"subnet/subnet-2")); !strings.Contains(got, "find out what mishap stands on: denied") {
		t.Errorf("what it stands on cannot be told: %q", got)
	}
}

func TestProtectedIsNeverTouched(t *testing.T) {
	if got := ask(t, deps(), "protected", "", plan(in(mishap.Target{Kind: "process", ID: "b:2:3", Name: "sshd"}))); !strings.Contains(got, `protected by "process/ssh*"`) {
		t.Errorf("%q", got)
	}
	if got := ask(t, deps(), "protected", "", plan(in(mishap.Target{Kind: "process", ID: "b:2:3", Name: "nginx"}), on("ec2-instance", "i-91"))); got != "" {
		t.Errorf("%q", got)
	}
}

func TestWhatCannotBeUndoneNeedsAYes(t *testing.T) {
	s := plan()
	s.Plan.Experiment.Faults = []mishap.Fault{{Injector: "process-kill"}}
	if got := ask(t, deps(), "irreversible", "", s); !strings.Contains(got, "process-kill cannot be undone") {
		t.Errorf("%q", got)
	}
	if got := ask(t, deps(), "irreversible", `{"allow": true}`, s); got != "" {
		t.Errorf("%q", got)
	}
}

func TestHaltExclusiveAndDurationSayNo(t *testing.T) {
	d := deps()
	d.Halted = func(context.Context) (string, bool, error) { return "by ann at 12:00: incident", true, nil }
	d.Others = func(context.Context, mishap.Plan) ([]string, error) { return []string{"run x is holding"}, nil }
	s := plan()
	s.Plan.Experiment.Faults = []mishap.Fault{{For: mishap.Duration(2 * time.Hour)}}
	for name, want := range map[string]string{"halt": "everything is halted by ann at 12:00: incident", "exclusive": "run x is holding", "duration": "2h"} {
		if got := ask(t, d, name, "", s); !strings.Contains(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	d.Halted = func(context.Context) (string, bool, error) { return "", false, errors.New("ledger is away") }
	if got := ask(t, d, "halt", "", plan()); !strings.Contains(got, "ledger is away") {
		t.Errorf("halt that cannot tell: %q", got)
	}
}

func TestWindowFollowsTheClockOfItsZone(t *testing.T) {
	const office = `{"days": "Mon-Fri", "hours": "09:00-17:00", "timezone": "Europe/London"}`
	const night = `{"days": "Fri", "hours": "22:00-06:00", "timezone": "Europe/London"}`
	for name, c := range map[string]struct {
		with, now string
		open      bool
	}{
		"monday, summer, 09:00 there":      {office, "2026-06-01T08:00:00Z", true},
		"monday, summer, before":           {office, "2026-06-01T07:59:59Z", false},
		"monday, winter, 09:00 there":      {office, "2026-01-05T09:00:00Z", true},
		"monday, winter, 08:30 there":      {office, "2026-01-05T08:30:00Z", false},
		"friday, too late to end inside":   {office, "2026-06-05T15:58:00Z", false},
		"saturday":                         {office, "2026-06-06T10:00:00Z", false},
		"friday night":                     {night, "2026-06-05T22:00:00Z", true},
		"early saturday belongs to friday": {night, "2026-06-06T03:00:00Z", true},
		"early friday belongs to thursday": {night, "2026-06-05T03:00:00Z", false},
		"the hour that comes twice":        {`{"hours": "01:00-02:00", "timezone": "Europe/London"}`, "2026-10-25T00:30:00Z", true},
		"the hour that is skipped":         {`{"hours": "01:00-02:00", "timezone": "Europe/London"}`, "2026-03-29T01:30:00Z", false},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		s := plan()
		s.Now = now
		s.Plan.Experiment.Faults = []mishap.Fault{{For: mishap.Duration(time.Minute)}}
		s.Plan.Experiment.Recovery = mishap.Recovery{Within: mishap.Duration(2 * time.Minute)}
		if got := ask(t, deps(), "window", c.with, s); (got == "") != c.open {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestWindowStopsARunWhenItCloses(t *testing.T) {
	s := plan()
	s.Started = time.Date(2026, 6, 1, 15, 59, 0, 0, time.UTC)
	const office = `{"hours": "09:00-17:00", "timezone": "Europe/London"}`
	s.Now = s.Started.Add(30 * time.Second)
	if got := ask(t, deps(), "window", office, s); got != "" {
		t.Errorf("still open: %q", got)
	}
	s.Now = s.Started.Add(time.Minute)
	if got := ask(t, deps(), "window", office, s); got == "" {
		t.Error("closed, and the run goes on")
	}
}

func TestBadWindowsAreRefused(t *testing.T) {
	for with, want := range map[string]string{
		`{"hours": "9-5", "timezone": "UTC"}`:                           "with.hours",
		`{"hours": "09:00-09:00", "timezone": "UTC"}`:                   "with.hours",
		`{"timezone": "UTC"}`:                                           "with.hours",
		`{"hours": "09:00-17:00", "timezone": "Europe/Lndon"}`:          "with.timezone",
		`{"hours": "09:00-17:00"}`:                                      "with.timezone",
		`{"hours": "09:00-17:00", "timezone": "UTC", "days": "Funday"}`: "with.days",
		`{"hours": "09:00-17:00", "timezone": "UTC", "days": []}`:       "with.days",
	} {
		if _, err := make1(t, deps(), "window", with); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", with, err)
		}
	}
}

type fixed mishap.Observation

func (f fixed) Observe(context.Context) mishap.Observation { return mishap.Observation(f) }

func TestAProbeThatIsUnmetOrUnknownSaysNo(t *testing.T) {
	for result, want := range map[mishap.Result]string{mishap.Met: "", mishap.Unmet: "is not met", mishap.Unmeasured: "could not measure"} {
		d := deps()
		d.Probe = func(mishap.ProbeSpec) (mishap.Probe, error) { return fixed{Result: result}, nil }
		if got := ask(t, d, "probe", `{"probe": "http"}`, plan()); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", result, got)
		}
	}
	d := deps()
	d.Probe = func(mishap.ProbeSpec) (mishap.Probe, error) {
		return nil, &mishap.FieldError{Path: "with.url", Msg: "is missing"}
	}
	if _, err := make1(t, d, "probe", `{"probe": "http"}`); err == nil || !strings.Contains(err.Error(), "with.with.url") {
		t.Errorf("a probe's problem: %v", err)
	}
}
