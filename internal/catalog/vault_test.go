package catalog

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/config"
)

func TestPoliciesAllowWhatTheVaultNeeds(t *testing.T) {
	stop := []mishap.Experiment{{Name: "x", Faults: []mishap.Fault{{Name: "stop", Injector: "ec2-stop", Targets: json.RawMessage(`{"tags": {"Role": "pay"}}`)}}}}
	for name, tt := range map[string]struct {
		vault, key string
		wants      []string
	}{
		"off":   {"none", "", nil},
		"plain": {"/mishap", "", []string{`arn:aws:ssm:eu-west-1:111111111111:parameter/mishap/*`}},
		"alias": {"/mishap", "alias/m", []string{`"kms:ResourceAliases":["alias/m"]`, `arn:aws:kms:eu-west-1:111111111111:key/*`}},
		"key":   {"/teams/a", "1234abcd", []string{`parameter/teams/a/*`, `arn:aws:kms:eu-west-1:111111111111:key/1234abcd`}},
	} {
		s := &config.Settings{OptInTag: "mishap=allow", Vault: tt.vault, VaultKey: tt.key, Accounts: []config.Account{{ID: "111111111111", Regions: []string{"eu-west-1"}}}}
		c := New(Options{Settings: s})
		needs, err := c.Permissions(stop)
		if err != nil {
			t.Fatal(err)
		}
		for which, all := range map[string][]mishap.Statement{"inject": needs.Inject, "revert": needs.Revert} {
			text, err := json.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.wants {
				if !strings.Contains(string(text), want) {
					t.Errorf("%s, %s lacks %s: %s", name, which, want, text)
				}
			}
			if off := !strings.Contains(string(text), "ssm:"); off != (tt.wants == nil) {
				t.Errorf("%s, %s: %s", name, which, text)
			}
		}
		if keys := c.vaultKeys(); (len(keys) == 1) != (name == "key") {
			t.Errorf("%s: the keys are %s", name, keys)
		}
	}
}

// TestOnlyTheVaultsBesideTheTargetsAreAllowed: where no fault may be, nothing is kept.
func TestOnlyTheVaultsBesideTheTargetsAreAllowed(t *testing.T) {
	c := New(Options{Settings: &config.Settings{OptInTag: "mishap=allow", Vault: "/mishap", Accounts: []config.Account{
		{ID: "111111111111", Regions: []string{"eu-west-1", "us-east-1"}}, {ID: "222222222222", Regions: []string{"eu-west-1"}},
	}}})
	all := []string{"eu-west-1:111111111111", "us-east-1:111111111111", "eu-west-1:222222222222"}
	for targets, want := range map[string][]string{
		`{"tags": {"Role": "pay"}}`:                                                     all,
		`{"tags": {"Role": "pay"}, "account": "111111111111"}`:                          all[:2],
		`{"tags": {"Role": "pay"}, "account": "111111111111", "region": "us-east-1"}`:   all[1:2],
		`{"arns": ["arn:aws:ec2:eu-west-1:222222222222:instance/i-0123456789abcdef0"]}`: all[2:],
	} {
		needs, err := c.Permissions([]mishap.Experiment{{Name: "x", Faults: []mishap.Fault{{Name: "stop", Injector: "ec2-stop", Targets: json.RawMessage(targets)}}}})
		if err != nil {
			t.Fatal(err)
		}
		for which, statements := range map[string][]mishap.Statement{"inject": needs.Inject, "revert": needs.Revert} {
			text, err := json.Marshal(statements)
			if err != nil {
				t.Fatal(err)
			}
			for _, place := range all {
				if allowed := strings.Contains(string(text), "arn:aws:ssm:"+place+":parameter/mishap/*"); allowed != slices.Contains(want, place) {
					t.Errorf("%s: %s of the vault in %s is allowed: %v", targets, which, place, allowed)
				}
			}
		}
	}
}
