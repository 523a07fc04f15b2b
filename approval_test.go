package mishap

import (
	"strings"
	"testing"
	"time"
)

func TestAnApprovalHoldsForOnePlanAndNotForEver(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	rule := Limits{Approval: ApprovalRule{Targets: 1, Share: .1, For: Duration(time.Hour)}}
	big := planOn("g", on("eu", "f", 90, 0), on("eu", "f", 90, 0))
	digest, err := big.ApprovalDigest()
	if err != nil {
		t.Fatal(err)
	}
	yes := Approval{Experiment: big.Experiment.Name, Digest: digest, By: "ann", At: now.Add(-time.Minute), Until: now.Add(time.Minute)}
	other, late, old := yes, yes, yes
	other.Digest, late.Until = "sha256:other", now
	old.At = now.Add(-2 * time.Hour) // given for longer than the rule now says
	for _, c := range []struct {
		name string
		plan Plan
		has  []Approval
		want string // empty: admitted
	}{
		{"small", planOn("g", on("eu", "f", 90, 0)), nil, ""},
		{"none", big, nil, "touches 2 targets in 1/eu, and more than 1 need an approval"},
		{"a large share", planOn("g", on("eu", "f", 4, 0)), nil, "hits 25% in 1/eu"},
		{"approved", big, []Approval{yes}, ""},
		{"drift", big, []Approval{other}, "another plan"},
		{"too late", big, []Approval{late}, "ended at 2026-11-23 12:00:00 UTC"},
		{"given under a laxer rule", big, []Approval{old}, "ended at 2026-11-23 11:00:00 UTC"},
	} {
		err := rule.Admit(c.plan, Facts{Approvals: c.has, Now: now})
		denial, ok := err.(*Denial)
		if c.want == "" && err != nil || c.want != "" && (!ok || denial.Cause != CauseApproval || !strings.Contains(denial.Reason, c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestAnApprovalIsAboutExperimentAndTargetsAlone(t *testing.T) {
	digest := func(change func(*Plan)) string {
		p := planOn("g", on("eu", "f", 9, 0))
		p.Experiment.Source = Source{File: "a.yaml", Commit: "1", Author: "Ann <ann@example.com>", Digest: "sha256:a"}
		change(&p)
		d, err := p.ApprovalDigest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	same := digest(func(*Plan) {})
	for name, change := range map[string]func(*Plan){
		"time": func(p *Plan) { p.Created = time.Now() }, "commit": func(p *Plan) { p.Experiment.Source.Commit = "2" },
		"notes": func(p *Plan) { p.Notes = []string{"x"} }, "undo": func(p *Plan) { p.Injections[0].Undo = []byte(`"x"`) },
	} {
		if digest(change) != same {
			t.Errorf("another %s needs another approval", name)
		}
	}
	for name, change := range map[string]func(*Plan){
		"target": func(p *Plan) { p.Injections[0].Target.ID = "another" }, "file": func(p *Plan) { p.Experiment.Source.Digest = "sha256:b" },
		"claim": func(p *Plan) { p.Experiment.Claim = "another" },
	} {
		if digest(change) == same {
			t.Errorf("another %s needs no other approval", name)
		}
	}
}

func TestOnePersonIsKnownByNameOrMail(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"ann", "Ann <ann@example.com>", true}, {"Ann B <ANN@example.com>", "ci-token <ann@example.com>", true}, {"ann@example.com", "A <ann@example.com>", true},
		{"ann", "bob", false}, {"", "", false}, {"ann", "", false}, {" <>", "x <>", false},
		{"ann (sub 17)", "bob <bob@example.com> (sub 17)", true}, {"ann (sub 17)", "ann (sub 18)", false}, {"ann <a@x> (sub 17)", "ann <a@x> (sub 18)", false},
		{"ann (sub a)", "ann (sub A)", false}, {"ann (sub 18) (sub 17)", "ann (sub 18)", false}, {"ann (sub 17)", "Ann <ann@example.com>", true}, {"(sub 17)", "(sub 17)", true},
		{"ann <a@x> (sub 17)", "Ann (sub 18) <a@x>", true},
	} {
		if SamePerson(c.a, c.b) != c.same || SamePerson(c.b, c.a) != c.same {
			t.Errorf("%q and %q: want %v", c.a, c.b, c.same)
		}
	}
}
