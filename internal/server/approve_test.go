package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/httpapi/apitest"
)

// Roles are taken away because somebody left, or should not decide any more; what
// they said yes to before and has not begun is theirs as well.
func TestAnApprovalCountsOnlyWhileItsGiverMayApprove(t *testing.T) {
	now := time.Now()
	plan := mishap.Plan{Experiment: minutely("a"), Injections: []mishap.Injection{{Fault: "f", Matched: 2}, {Fault: "f", Matched: 2}}}
	digest, err := plan.ApprovalDigest()
	if err != nil {
		t.Fatal(err)
	}
	token := func(role string, expires time.Time) config.Live {
		return config.Live{Tokens: []config.Token{{Name: "other", Role: "admin"}, {Name: "ann", Role: role, Expires: expires}}}
	}
	oidc := func(issuer, value, role string) config.Live {
		return config.Live{OIDC: config.OIDC{Issuer: issuer, Claim: "groups", Roles: map[string][]string{role: {value}, "viewer": {"team leads"}}}}
	}
	const given = "oidc https://login.example team leads"
	for _, c := range []struct {
		name, through string
		server        config.Live
		want          string // empty: it counts
	}{
		{"a token that still approves", "token ann", token("approver", time.Time{}), ""},
		{"a token that may do more", "token ann", token("admin", now.Add(time.Hour)), ""},
		{"a token that may do less", "token ann", token("operator", time.Time{}), "token ann has role operator"},
		{"a token that has expired", "token ann", token("approver", now.Add(-time.Hour)), "token ann expired at"},
		{"a token that was removed", "token bob", token("approver", time.Time{}), "token bob is no longer in the settings"},
		{"all tokens were removed", "token ann", config.Live{}, "token ann is no longer in the settings"},
		{"a group that still approves", given, oidc("https://login.example", "team leads", "approver"), ""},
		{"a group that may do less", given, oidc("https://login.example", "others", "approver"), "team leads of https://login.example gives no role that approves"},
		{"another provider", given, oidc("https://other.example", "team leads", "approver"), "https://login.example lets nobody in"},
		{"no provider", given, config.Live{}, "https://login.example lets nobody in"},
		{"the server's own user", "socket", config.Live{}, ""},
		{"of an older mishap", "", token("approver", time.Time{}), "does not say what let them approve"},
	} {
		b := newBench(t, minutely("a"))
		b.settings.Put(&c.server)
		b.rules().Limits = mishap.Limits{Approval: mishap.ApprovalRule{Targets: 1, For: mishap.Duration(time.Hour)}}
		h, _ := b.experiment("a")
		yes := mishap.Approval{Experiment: "a", Digest: digest, By: "ann", Through: c.through, At: now, Until: now.Add(time.Hour)}
		err := b.launcher.admit(h, plan, mishap.Facts{Now: now, Approvals: []mishap.Approval{yes}})
		var no *mishap.Denial
		if errors.As(err, &no); c.want == "" && err != nil || c.want != "" && (no == nil || no.Cause != mishap.CauseApproval || !strings.Contains(no.Reason, c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// What gives a role is recorded by whoever let somebody in, and shown with why it
// does so no more.
func TestAnApprovalSaysWhatLetItsGiverApprove(t *testing.T) {
	b := newBench(t, minutely("a"))
	b.settings.Live().Tokens = []config.Token{{Name: "ann", Role: "approver", Hash: apitest.HashOf("x")}}
	b.rules().Limits = mishap.Limits{Approval: mishap.ApprovalRule{Targets: 1, For: mishap.Duration(time.Hour)}}
	now, err := b.approvable(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	h := b.api().Handler()
	if status, text := apitest.Call(h, "POST", "/v1/approvals", `{"experiment": "a", "digest": "`+now.Digest+`", "reason": "seen"}`, apitest.Bearer("x")); status != 200 || !strings.Contains(text, `"through":"token ann"`) {
		t.Errorf("%d: %s", status, text)
	}
	b.settings.Live().Tokens = nil
	if _, text := apitest.Call(b.api().OwnHandler(), "GET", "/v1/approvals", ""); !strings.Contains(text, `"withdrawn":"token ann is no longer in the settings"`) {
		t.Errorf("it does not say that it counts no more: %s", text)
	}
}
