package injectors_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/injectors"
)

// paths lists the places that joined field errors name.
func paths(err error) []string {
	var field *mishap.FieldError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, paths(e)...)
		}
		slices.Sort(all)
		return all
	}
	if errors.As(err, &field) {
		return []string{field.Path}
	}
	return nil
}

func TestEveryProblemOfAFaultIsNamedAtItsPlace(t *testing.T) {
	const whole = `"inject": ["a"], "revert": ["b"], "verify": ["c"], "diesWith": "boot"`
	for _, test := range []struct {
		name, injector, targets, with string
		want                          []string
	}{
		{"no selector", "process-stop", `{"user": "root"}`, ``, []string{"targets"}},
		{"nothing at all", "process-stop", ``, ``, []string{"targets"}},
		{"negative pid and pick", "process-stop", `{"pid": -1, "pick": -1}`, ``, []string{"targets.pick", "targets.pid"}},
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
		{"requests that can never match", "proxy-http-abort", `{"proxy": "p"}`, `{"method": "get", "path": "pay", "host": "A.b", "from": "here", "key": "user"}`, []string{"with.from", "with.host", "with.key", "with.method", "with.path"}},
		{"patterns that are none", "proxy-http-abort", `{"proxy": "p"}`, `{"path": "~(", "headers": {"X": "~["}, "maxActive": -1}`, []string{"with.headers.X", "with.maxActive", "with.path"}},
		{"an answer without status", "proxy-http-error", `{"proxy": "p"}`, `{"share": "0%"}`, []string{"with.share", "with.status"}},
		{"no gRPC code", "proxy-grpc-error", `{"proxy": "p"}`, `{"code": "BROKEN"}`, []string{"with.code"}},
		{"a body as it was", "proxy-http-body", `{"proxy": "p"}`, `{}`, []string{"with"}},
		{"a header as it was", "proxy-http-header", `{"proxy": "p"}`, `{}`, []string{"with"}},
		{"requests that wait for nothing", "proxy-http-latency", `{"proxy": "p"}`, `{"point": "middle"}`, []string{"with.delay", "with.point"}},
		{"no rate", "proxy-bandwidth", `{"proxy": "p"}`, ``, []string{"with.rate"}},
		{"not a size", "proxy-bandwidth", `{"proxy": "p"}`, `{"rate": "fast"}`, []string{"with.rate"}},
		{"a negative size", "proxy-limit", `{"proxy": "p"}`, `{"bytes": "-1KB"}`, []string{"with.bytes"}},
		{"how it does not end", "proxy-limit", `{"proxy": "p"}`, `{"bytes": "1KB", "how": "softly"}`, []string{"with.how"}},
		{"no such data", "proxy-timeout", `{"proxy": "p"}`, `{"after": "1h", "data": "keep"}`, []string{"with.after", "with.data"}},
		{"a reset has no direction", "proxy-reset", `{"proxy": "p"}`, `{"direction": "both", "after": "1h"}`, []string{"with.after", "with.direction"}},
		{"slices", "proxy-slicer", `{"proxy": "p"}`, `{"size": "1MB", "vary": "2MB", "delay": "1h"}`, []string{"with.delay", "with.size", "with.vary"}},
		{"no delay of an end", "proxy-slow-close", `{"proxy": "p"}`, ``, []string{"with.delay"}},
		{"no delay of connections", "proxy-connect-delay", `{}`, `{"share": "0%"}`, []string{"targets.proxy", "with.delay", "with.share"}},
		{"how to refuse", "proxy-refuse", `{"proxy": "p"}`, `{"how": "politely"}`, []string{"with.how"}},
		{"no loss", "proxy-loss", `{"proxy": "p"}`, `{"direction": "up"}`, []string{"with.direction", "with.rate"}},
		{"a name of our own", "exec", ``, `{` + whole + `, "env": {"MISHAP_RUN": "x"}}`, []string{"with.env"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := kind(injectors.Deps{}, test.injector).New(fault(test.injector, test.targets, test.with))
			if diff := cmp.Diff(test.want, slices.Compact(paths(err))); diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}
