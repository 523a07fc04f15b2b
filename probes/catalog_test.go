package probes_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"mishap"
	"mishap/probes"
)

func TestEveryKindIsDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range probes.Catalog(probes.Deps{}) {
		if seen[k.Name] || k.Summary == "" || k.Doc == "" || k.Params == nil || k.Expect == nil || k.New == nil {
			t.Errorf("%q is there twice, or not described", k.Name)
		}
		seen[k.Name] = true
		if !strings.Contains(k.Example, "probe: "+k.Name+"\n") {
			t.Errorf("the example of %s is of another kind:\n%s", k.Name, k.Example)
		}
		for _, params := range []any{k.Params, k.Expect} {
			for i := range reflect.TypeOf(params).NumField() {
				f := reflect.TypeOf(params).Field(i)
				if f.Tag.Get("json") == "" || f.Tag.Get("jsonschema") == "" {
					t.Errorf("%s: field %s has no json or jsonschema tag", k.Name, f.Name)
				}
			}
		}
	}
}

// The examples as JSON, which is what an experiment's YAML becomes.
func TestExamplesAreAccepted(t *testing.T) {
	for kind, spec := range map[string][2]object{
		"http": {
			{"method": "POST", "url": "http://127.0.0.1:8080/checkout", "headers": object{"Content-Type": "application/json", "Authorization": object{"env": "CHECKOUT_AUTHORIZATION"}}, "body": `{"basket": "test"}`},
			{"status": 200, "json": object{"$.paid": true, "$.attempts": "<= 3"}, "latency": "<= 2s"},
		},
		"tcp":        {{"address": "127.0.0.1:6379", "send": "PING\r\n"}, {"answer": "+PONG", "latency": "<= 50ms"}},
		"exec":       {{"argv": []string{"redis-cli", "llen", "jobs"}, "env": object{"REDISCLI_AUTH": object{"env": "REDIS_PASSWORD"}}}, {"exit": 0, "value": "< 1000", "latency": "<= 1s"}},
		"callers":    {{"proxy": "payments", "window": "60s"}, {"attempts": "<= 3", "amplification": "<= 2", "backoff": "exponential", "jitter": "present", "timeout": "<= 2s"}},
		"prometheus": {{"url": "http://127.0.0.1:9090", "query": "sum(rate(a[1m]))"}, {"value": "< 5%"}},
	} {
		if _, err := build(kind, spec[0], spec[1], patience); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestObserveNeverPanics(t *testing.T) {
	deps := probes.Deps{LookupEnv: func(string) (string, bool) { panic("no environment") }}
	spec := mishap.ProbeSpec{With: []byte(`{"url": {"env": "A"}}`)}
	for _, k := range probes.Catalog(deps) {
		if k.Name != "http" {
			continue
		}
		p, err := k.New(spec)
		if err != nil {
			t.Fatal(err)
		}
		want(t, p.Observe(t.Context()), mishap.Unmeasured, "no environment")
	}
}

func TestAContextThatIsOverAsksNothing(t *testing.T) {
	p, err := build("exec", object{"argv": []string{"true"}}, nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, p.Observe(ctx), mishap.Unmeasured, "interrupted")
}

func TestProblemsCarryHints(t *testing.T) {
	_, err := build("http", object{"url": "http://h"}, object{"latency": "2s"}, patience)
	var field *mishap.FieldError
	if !errors.As(err, &field) || !strings.Contains(field.Hint, "<= 2s") {
		t.Errorf("error %v has no hint", err)
	}
}

func FuzzJSONPath(f *testing.F) {
	for _, s := range []string{"$.items[0].name", "items.0.name", "$['a.b']", "$", "a[", "a..b", "[0]x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if steps, err := probes.ParsePath(s); err == nil && len(steps) == 0 && s != "$" {
			t.Fatalf("%q selects everything", s)
		}
	})
}
