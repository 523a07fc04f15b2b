package proxy_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap/injectors/proxy"
)

func TestEveryProblemOfAFaultIsNamedAtItsPlace(t *testing.T) {
	for _, test := range []struct {
		name, injector, targets, with string
		want                          []string
	}{
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
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := kind(proxy.Deps{}, test.injector).New(fault(test.injector, test.targets, test.with))
			if diff := cmp.Diff(test.want, slices.Compact(paths(err))); diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}
