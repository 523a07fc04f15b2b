package app

import (
	"regexp"
	"strings"
	"testing"

	"mishap"
)

func TestSourcesAreToldTheTargetsOfBothArms(t *testing.T) {
	injections := []mishap.Injection{
		{Target: mishap.Target{ID: "i.1", Name: "pay"}, Control: &mishap.Target{ID: "i-3"}},
		{Target: mishap.Target{ID: "i-2"}, Control: &mishap.Target{ID: `a"b\c`, Name: "pay"}},
	}
	got, err := withTargets([]byte(`{"control": {"requests": "r{id=~\"$control\"}"}, "argv": ["x", "$experiment"], "n": 1}`), injections)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"argv":["x","i[.]1|i-2"],"control":{"requests":"r{id=~\"i-3|a.b.c\"}"},"n":1}`
	if string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzLiteral(f *testing.F) {
	f.Add("i-0abc")
	f.Add(`a.b+c*d?(e)|[f]{g}$h^i\j"k`)
	f.Fuzz(func(t *testing.T, text string) {
		re, err := regexp.Compile("^(" + literal(text) + ")$")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.ContainsAny(text, "\n\ufffd") && !re.MatchString(text) {
			t.Errorf("%q does not match %q", re, text)
		}
	})
}
