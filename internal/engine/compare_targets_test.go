package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/member"
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

// Without a fault the same targets are compared as with it, and none is injected.
func TestWithoutAFaultTargetsAreSampledAsWithIt(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are stopped on Linux")
	}
	length := fmt.Sprintf("1000.%d", os.Getpid())
	for range 2 {
		c := exec.CommandContext(t.Context(), "sleep", length)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Wait() })
	}
	e := mishap.Experiment{
		Name: "stop", Compare: &mishap.Compare{Arms: mishap.Arms{From: mishap.ArmsFromTargets}},
		Faults: []mishap.Fault{{
			Name: "one stops", Injector: "process-stop", For: mishap.Duration(time.Second),
			Targets: json.RawMessage(fmt.Sprintf(`{"command": "^sleep %s$", "pick": 1}`, length)),
		}},
		BlastRadius: mishap.BlastRadius{Targets: 1},
	}
	w := newWorld(config.Settings{State: t.TempDir()}, member.Options{Book: ledger.NewMemory()})
	plan, err := w.PlanRun(t.Context(), e, true)
	if err != nil {
		t.Fatal(err)
	}
	if arms := plan.Arms(); len(plan.Injections) != 0 || len(arms) != 1 || arms[0].Control == nil || arms[0].Control.ID == arms[0].Target.ID {
		t.Errorf("injects %+v, arms are %+v", plan.Injections, arms)
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
