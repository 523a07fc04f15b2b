package config

import (
	"slices"
	"testing"
)

func TestVariablesAreThoseThatSayASetting(t *testing.T) {
	got := Variables([]string{"PATH=/bin", "MISHAP_STATE=/s", "MISHAP_TOKEN=t", "MISHAP_LEDGER=", "MISHAP_STATES=x", ""})
	if want := []string{"MISHAP_STATE=/s", "MISHAP_LEDGER="}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
