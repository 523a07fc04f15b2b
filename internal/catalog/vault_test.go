package catalog

import (
	"encoding/json"
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
