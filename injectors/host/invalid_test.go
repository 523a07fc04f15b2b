package host_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap/injectors/host"
)

func TestEveryProblemOfAFaultIsNamedAtItsPlace(t *testing.T) {
	const whole = `"inject": ["a"], "revert": ["b"], "verify": ["c"], "diesWith": "boot"`
	for _, test := range []struct {
		name, injector, targets, with string
		want                          []string
	}{
		{"no selector", "process-stop", `{"user": "root"}`, ``, []string{"targets"}},
		{"nothing at all", "process-stop", ``, ``, []string{"targets"}},
		{"negative pid and pick", "process-stop", `{"pid": -1, "pick": -1}`, ``, []string{"targets.pick", "targets.pid"}},
		{"none", "process-stop", `{"name": "a", "pick": 0}`, ``, []string{"targets.pick"}},
		{"a share of nothing", "process-stop", `{"name": "a", "share": "0%"}`, ``, []string{"targets.share"}},
		{"none to kill", "process-kill", `{"name": "a", "pick": 0}`, ``, []string{"targets.pick"}},
		{"pick and share", "process-stop", `{"name": "a", "pick": 1, "share": "5%"}`, ``, []string{"targets.pick"}},
		{"unknown keys", "process-stop", `{"name": "a", "nme": "b"}`, `{"x": 1}`, []string{"targets.nme", "with.x"}},
		{"not a pattern", "process-stop", `{"name": "a", "command": "("}`, ``, []string{"targets.command"}},
		{"unknown signal", "process-kill", `{"name": "a"}`, `{"signal": "HUP"}`, []string{"with.signal"}},
		{"unknown signal and no selector", "process-kill", `{}`, `{"signal": "HUP"}`, []string{"targets", "with.signal"}},
		{"no commands", "exec", ``, `{}`, []string{"with.diesWith", "with.inject", "with.revert", "with.verify"}},
		{"targets", "exec", `{"name": "a"}`, `{` + whole + `}`, []string{"targets"}},
		{"dies with nothing", "exec", ``, `{` + whole + `, "diesWith": "nothing"}`, []string{"with.diesWith"}},
		{"dies with the unknown", "exec", ``, `{` + whole + `, "diesWith": "bot"}`, []string{"with.diesWith"}},
		{"a text is no command", "exec", ``, `{` + whole + `, "inject": "rm -rf x"}`, []string{"with.inject"}},
		{"an empty command", "exec", ``, `{` + whole + `, "prepare": []}`, []string{"with.prepare"}},
		{"shell and argv", "exec", ``, `{` + whole + `, "prepare": {"shell": "a", "argv": ["b"]}}`, []string{"with.prepare"}},
		{"a long timeout", "exec", ``, `{` + whole + `, "timeout": "26s"}`, []string{"with.timeout"}},
		{"no timeout", "exec", ``, `{` + whole + `, "timeout": "0s"}`, []string{"with.timeout"}},
		{"a name of our own", "exec", ``, `{` + whole + `, "env": {"MISHAP_RUN": "x"}}`, []string{"with.env"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := kind(host.Deps{}, test.injector).New(fault(test.injector, test.targets, test.with))
			if diff := cmp.Diff(test.want, slices.Compact(paths(err))); diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}
