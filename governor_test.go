package mishap

import (
	"strings"
	"testing"
)

func planOn(group string, in ...Injection) Plan {
	return Plan{Experiment: Experiment{Name: "e", Group: group}, Injections: in}
}

func on(region, fault string, matched int, share Share) Injection {
	return Injection{Fault: fault, Target: Target{Where: Place{Account: "1", Region: region}}, Matched: matched, Share: share}
}

func TestTheGovernorAdmitsOnlyWhatFitsBesideWhatGoesOn(t *testing.T) {
	eu := func(targets int, share Share) Ongoing {
		return Ongoing{ID: "r", Experiment: "other", Group: "other", State: Holding, Footprints: []Footprint{{"1/eu", targets, share}}}
	}
	for _, c := range []struct {
		name    string
		limits  Limits
		plan    Plan
		facts   Facts
		want    string // empty: admitted
		passing bool
	}{
		{"no limits", Limits{}, planOn("g", on("eu", "f", 1, 0)), Facts{Runs: []Ongoing{eu(100, 1), eu(100, 1)}}, "", false},
		{"runs at once", Limits{Runs: 1}, planOn("g"), Facts{Runs: []Ongoing{eu(1, 0)}}, "allows 1 at once", true},
		{"one below", Limits{Runs: 2}, planOn("g"), Facts{Runs: []Ongoing{eu(1, 0)}}, "", false},
		{"targets add up", Limits{Targets: 4}, planOn("g", on("eu", "f", 9, 0), on("eu", "f", 9, 0)), Facts{Runs: []Ongoing{eu(3, 0)}}, "5 targets would be touched at once in 1/eu", true},
		{"elsewhere does not count", Limits{Targets: 4}, planOn("g", on("us", "f", 9, 0), on("us", "f", 9, 0)), Facts{Runs: []Ongoing{eu(3, 0)}}, "", false},
		{"never fits", Limits{Targets: 1}, planOn("g", on("eu", "f", 9, 0), on("eu", "f", 9, 0)), Facts{}, "allows 1", false},
		{"shares add up", Limits{Share: .05}, planOn("g", on("eu", "f", 1, .03)), Facts{Runs: []Ongoing{eu(1, .03)}}, "6% would be hit at once in 1/eu; the governor allows 5%", true},
		{"exactly the share", Limits{Share: .05}, planOn("g", on("eu", "f", 1, .02)), Facts{Runs: []Ongoing{eu(1, .03)}}, "", false},
		{"two of forty are a share", Limits{Share: .05}, planOn("g", on("eu", "f", 40, 0), on("eu", "f", 40, 0)), Facts{}, "", false},
		{"three of forty are too much", Limits{Share: .05}, planOn("g", on("eu", "f", 40, 0), on("eu", "f", 40, 0), on("eu", "f", 40, 0)), Facts{}, "7.5% would be hit", false},
		{"locked", Limits{}, planOn("g"), Facts{Lock: &Lock{Experiment: "e", Run: "r9"}}, "deviated in run r9", false},
		{"stranded in the group", Limits{}, planOn("other"), Facts{Runs: []Ongoing{{ID: "r8", Experiment: "x", Group: "other", State: Stranded}}}, "r8 of x is stranded", false},
	} {
		err := c.limits.Admit(c.plan, c.facts)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		denial, ok := err.(*Denial)
		if !ok || !strings.Contains(denial.Reason, c.want) || denial.Passing != c.passing || denial.Cause == "" {
			t.Errorf("%s: got %#v, want %q passing %v", c.name, err, c.want, c.passing)
		}
	}
}
