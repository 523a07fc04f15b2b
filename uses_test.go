package mishap_test

import (
	"reflect"
	"regexp"
	"slices"
	"testing"

	"mishap"
)

func TestSecretsAreFoundWhereverTheyAre(t *testing.T) {
	type inner struct {
		hidden mishap.Secret
		List   []*mishap.Secret
	}
	type itself struct {
		Next *itself
		Text string
	}
	value := struct {
		Plain   mishap.Secret
		Map     map[string]mishap.Secret
		Any     any
		Inner   inner
		Pattern *regexp.Regexp
		Self    itself
	}{
		Plain: mishap.Secret{Value: "public"}, Map: map[string]mishap.Secret{"a": {Env: "IN_MAP"}},
		Any:     map[string]any{"x": []any{mishap.Secret{File: "/in/any"}}},
		Inner:   inner{hidden: mishap.Secret{Env: "HIDDEN"}, List: []*mishap.Secret{nil, {File: "/in/list"}}},
		Pattern: regexp.MustCompile("a+b"),
	}
	value.Self.Next = &value.Self
	got := mishap.UsesOf(value, nil, &value)
	slices.Sort(got.Env)
	slices.Sort(got.Files)
	want := mishap.Uses{Env: []string{"HIDDEN", "HIDDEN", "IN_MAP", "IN_MAP"}, Files: []string{"/in/any", "/in/any", "/in/list", "/in/list"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
