package fault_test

import (
	"strings"
	"testing"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

func TestWhatIsASuccess(t *testing.T) {
	only2xx := &fault.Success{Status: [][2]int{{200, 299}, {404, 404}}}
	exhausted := &fault.Success{Not: &fault.Failing{GRPCStatus: []int{8}}}
	for _, c := range []struct {
		name     string
		success  *fault.Success
		x        forward.Exchange
		answered bool
		want     bool
	}{
		{"an answer", nil, forward.Exchange{Status: 200, GRPC: -1}, true, true},
		{"the client asked wrongly", nil, forward.Exchange{Status: 404, GRPC: -1}, true, true},
		{"the client asked malformed", nil, forward.Exchange{Status: 400, GRPC: -1, Failure: forward.BadRequest}, false, true},
		{"an error of the server", nil, forward.Exchange{Status: 500, GRPC: -1}, false, false},
		{"no upstream", nil, forward.Exchange{Status: 502, GRPC: -1, Failure: forward.Unreachable}, false, false},
		{"an answer cut short", nil, forward.Exchange{Status: 200, GRPC: -1, Failure: forward.UpstreamGone}, true, false},
		{"a fault's reset", nil, forward.Exchange{GRPC: -1, Failure: forward.Aborted}, false, false},
		{"a client that gave up waiting", nil, forward.Exchange{GRPC: -1, Failure: forward.ClientGone}, false, false},
		{"a client that left while it was answered", nil, forward.Exchange{Status: 200, GRPC: -1, Failure: forward.ClientGone}, true, true},
		{"gRPC ok", nil, forward.Exchange{Status: 200, GRPC: 0}, true, true},
		{"gRPC not found", nil, forward.Exchange{Status: 200, GRPC: 5}, true, true},
		{"gRPC unavailable", nil, forward.Exchange{Status: 200, GRPC: 14}, true, false},
		{"gRPC deadline", nil, forward.Exchange{Status: 200, GRPC: 4}, true, false},

		{"within the status", only2xx, forward.Exchange{Status: 204, GRPC: -1}, true, true},
		{"the other range", only2xx, forward.Exchange{Status: 404, GRPC: -1}, true, true},
		{"too many requests", only2xx, forward.Exchange{Status: 429, GRPC: -1}, true, false},
		{"a change of protocol", only2xx, forward.Exchange{Status: 101, GRPC: -1}, true, true},
		{"malformed, where only 2xx is a success", only2xx, forward.Exchange{Status: 400, GRPC: -1, Failure: forward.BadRequest}, true, false},
		{"gRPC ok within the status", only2xx, forward.Exchange{Status: 200, GRPC: 0}, true, true},
		{"gRPC unavailable within the status", only2xx, forward.Exchange{Status: 200, GRPC: 14}, true, false},
		{"gRPC that is called a failure", exhausted, forward.Exchange{Status: 200, GRPC: 8}, true, false},
		{"another", exhausted, forward.Exchange{Status: 200, GRPC: 5}, true, true},
		{"what is looked for", nil, forward.Exchange{Status: 200, GRPC: -1, Found: true}, true, false},
		{"what is looked for, and the client left", nil, forward.Exchange{Status: 200, GRPC: -1, Found: true, Failure: forward.ClientGone}, true, false},
	} {
		if got := c.success.Succeeded(&c.x, c.answered); got != c.want {
			t.Errorf("%s: success %v", c.name, got)
		}
	}
}

func TestAMemberOfAJSONAnswerTellsAFailure(t *testing.T) {
	for _, c := range []struct {
		body, path, value string
		want              bool
		unknown           bool
	}{
		{`{"status": "error"}`, "status", "error", true, false},
		{`{"status": "ok"}`, "status", "error", false, false},
		{`{"a": {"status": "error"}}`, "status", "error", false, false},
		{`{"a": {"b": [1, {"code": 7}]}}`, "a.b.1.code", "7", true, false},
		{`{"errors": [{"message": "x"}], "data": {}}`, "errors", "*", true, false},
		{`{"errors": null, "data": {}}`, "errors", "*", false, false},
		{`{"errors": null}`, "errors", "null", true, false},
		{`{"ok": false}`, "ok", "false", true, false},
		{`{"n": 1.50}`, "n", "1.50", true, false},
		{`{"n": 1.5}`, "n", "1.50", false, false},
		{`{"a": {"b": "x"}}`, "a", "*", true, false},
		{`{"a": {"b": "x"}}`, "a", "x", false, false},
		{`[{"error": "x"}]`, "0.error", "*", true, false},
		{`{"a": 1, "error": "x", "b": [1, 2`, "error", "*", true, false}, // the answer is cut
		{`{"a": 1, "err`, "error", "*", false, true},
		{`{"a": [1, 2, }, "error": "x"}`, "error", "*", false, true}, // no JSON
		{`<html>error`, "error", "*", false, false},
		{``, "error", "*", false, false},
		{strings.Repeat(`{"a":`, 1000) + "1", "error", "*", false, true},
		{strings.Repeat(`[`, 100_000), "error", "*", false, true},
		{"{\"n\": 1}\n{\"status\": \"error\"}\n", "status", "error", true, false}, // one after the other
		{"{\"n\": 1}\n{\"status\": \"ok\"}\n", "status", "error", false, false},
		{"{\"n\": 1}\n{\"sta", "status", "error", false, true},
		{"\ufeff{\"status\": \"error\"}", "status", "error", true, false}, // a mark before it
		{`{"status": "ok"} and more`, "status", "error", false, true},
	} {
		s := &fault.Success{Not: &fault.Failing{JSON: map[string]string{c.path: c.value}}}
		if got, known := s.Fails([]byte(c.body)); got != c.want || known == c.unknown {
			t.Errorf("%.60s with %s = %s: %v, known %v", c.body, c.path, c.value, got, known)
		}
	}
}

func FuzzAMemberOfAnyBody(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": "x"}], "error": null}`), "error.code")
	f.Add([]byte(`[[[{"a":`), "0.0")
	f.Fuzz(func(_ *testing.T, body []byte, path string) {
		_, _ = (&fault.Success{Not: &fault.Failing{JSON: map[string]string{path: "*"}}}).Fails(body) // and ends
	})
}
