package engine

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

func TestPlanSaysWhatDecidesNothingAndWhatToWrite(t *testing.T) {
	metric := func(source, unit string) mishap.CompareMetric {
		return mishap.CompareMetric{Name: "orders", Metric: mishap.SuccessRate, Source: source, Unit: unit}
	}
	for _, c := range []struct {
		from mishap.ArmsFrom
		m    mishap.CompareMetric
		want string
	}{
		{mishap.ArmsFromRequests, metric("proxy", ""), ""},
		{mishap.ArmsFromRequests, metric("otlp", "mishap.slot"), ""},
		{mishap.ArmsFromRequests, metric("prometheus", ""), "orders is shown and decides nothing: its numbers are totals of the arms, and say nothing of users; label them with mishap.slot of the baggage, and write unit: slot"},
		{mishap.ArmsFromRequests, metric("command", ""), "print units, by mishap.slot of the baggage, and write unit: slot"},
		{mishap.ArmsFromRequests, metric("otlp", ""), "write unit: mishap.slot"},
		{mishap.ArmsFromTargets, metric("otlp", ""), "write unit: service.instance.id"},
		{mishap.ArmsFromTargets, metric("prometheus", ""), "say nothing of their targets; write unit: instance"},
		{mishap.ArmsFromTargets, metric("prometheus", "pod"), ""},
	} {
		lines := undecided(mishap.Experiment{Compare: &mishap.Compare{Arms: mishap.Arms{From: c.from}, Metrics: []mishap.CompareMetric{c.m}}})
		if says := strings.Join(lines[:len(lines)-1], ""); (says == "") != (c.want == "") || !strings.Contains(says, c.want) {
			t.Errorf("%s, %s: %q", c.from, c.m.Source, says)
		}
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
