package main

import (
	"slices"
	"strings"
	"testing"
)

func TestTheDemoHasSettingsAndALedgerOfItsOwn(t *testing.T) {
	t.Setenv("MISHAP_STATE", "/somebody/else")
	t.Setenv("MISHAP_LEDGER", "postgres://somebody/else")
	t.Setenv("KEPT", "yes")
	env := demoVerb(t.Context(), "mishap", "run").Env
	if slices.ContainsFunc(env, func(v string) bool { return strings.Contains(v, "somebody/else") }) || !slices.Contains(env, "KEPT=yes") {
		t.Errorf("its verbs are started with %v", env)
	}
	if got := ownReport(); strings.Count(got, "-u MISHAP_STATE ") != 1 || strings.Count(got, "-u MISHAP_LEDGER ") != 1 || strings.Count(got, "env ") != 1 {
		t.Errorf("where its report is looked for: %s", got)
	}
}
