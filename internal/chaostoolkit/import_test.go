package chaostoolkit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mishap"
	"mishap/experiments"
	"mishap/injectors"
	"mishap/internal/chaostoolkit"
	"mishap/probes"
	"mishap/safeguards"
)

// loaded is the file as mishap reads it.
func loaded(t *testing.T, text []byte) (mishap.Experiment, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := experiments.Load(context.Background(), []string{path}, experiments.Options{Catalogs: experiments.Catalogs{
		Injectors: injectors.Catalog(injectors.Deps{}), Probes: probes.Catalog(probes.Deps{}), Safeguards: safeguards.Catalog(safeguards.Deps{}),
	}})
	if err != nil || len(all) != 1 {
		return mishap.Experiment{}, err
	}
	return all[0], nil
}

const start = `{"title": "It works", "steady-state-hypothesis": {"title": "It answers", "probes": [
	{"type": "probe", "name": "up", "tolerance": 200, "provider": {"type": "http", "url": "http://127.0.0.1:1/"}}]}, "method": [`

func action(provider string) string {
	return start + `{"type": "action", "name": "f", "pauses": {"after": 90}, "provider": ` + provider + `}]}`
}

func python(module, function, arguments string) string {
	return action(`{"type": "python", "module": "` + module + `", "func": "` + function + `", "arguments": ` + arguments + `}`)
}

func TestActionsThatHaveTheirLikeAreFaultsAndValid(t *testing.T) {
	for text, want := range map[string]string{
		python("chaostoxi.toxic.actions", "create_latency_toxic", `{"for_proxy": "pay", "toxic_name": "x", "latency": 300, "jitter": 50}`): `proxy-latency {"proxy":"pay"} {"delay":"300ms","jitter":"50ms"}`,
		python("chaostoxi.toxic.actions", "create_bandwith_degradation_toxic", `{"for_proxy": "pay", "toxic_name": "x", "rate": 64}`):      `proxy-bandwidth {"proxy":"pay"} {"rate":"64KB"}`, //nolint:misspell // its name
		python("chaostoxi.toxic.actions", "create_slow_connection_close_toxic", `{"for_proxy": "pay", "toxic_name": "x", "delay": 5000}`):  `proxy-slow-close {"proxy":"pay"} {"delay":"5000ms"}`,
		python("chaostoxi.toxic.actions", "create_limiter_toxic", `{"for_proxy": "pay", "toxic_name": "x", "bytes_limit": 1000}`):          `proxy-limit {"proxy":"pay"} {"bytes":"1000B"}`,
		python("chaostoxi.proxy.actions", "disable_proxy", `{"proxy_name": "pay"}`):                                                        `proxy-refuse {"proxy":"pay"} `,
		python("chaosaws.ec2.actions", "stop_instance", `{"instance_id": "i-0123456789abcdef0"}`):                                          `ec2-stop {"ids":["i-0123456789abcdef0"]} `,
		python("chaosaws.ec2.actions", "stop_instances", `{"instance_ids": ["i-0123456789abcdef0", "i-0123456789abcdef1"]}`):               `ec2-stop {"ids":["i-0123456789abcdef0","i-0123456789abcdef1"]} `,
		python("chaosaws.ec2.actions", "restart_instances", `{"instance_ids": ["i-0123456789abcdef0"]}`):                                   `ec2-reboot {"ids":["i-0123456789abcdef0"]} `,
		python("chaosaws.asg.actions", "suspend_processes", `{"asg_names": ["pay"], "process_names": ["Launch"]}`):                         `asg-suspend {"names":["pay"]} {"processes":["Launch"]}`,
		python("chaosaws.awslambda.actions", "put_function_concurrency", `{"function_name": "pay", "concurrent_executions": 0}`):           `lambda-throttle {"names":["pay"]} {"concurrency":0}`,
	} {
		made, err := chaostoolkit.Import("x.json", []byte(text))
		if err != nil || len(made.Left) > 0 {
			t.Errorf("%s: %+v, %v", text, made.Left, err)
			continue
		}
		e, err := loaded(t, made.File)
		if err != nil || len(e.Faults) != 1 {
			t.Errorf("%s: %v\n%s", text, err, made.File)
			continue
		}
		f := e.Faults[0]
		if got := f.Injector + " " + string(f.Targets) + " " + string(f.With); got != want || f.For.String() != "1m30s" || e.Claim != "It answers" {
			t.Errorf("%s\n is %s for %s, claim %q; want %s", text, got, f.For, e.Claim, want)
		}
	}
}

func TestProbesBecomeTheSteadyStateWithTheirTolerancesOrNotAtAll(t *testing.T) {
	const url = `"provider": {"type": "http", "url": "http://127.0.0.1:1/"}`
	for text, want := range map[string]string{ // the expectation; "-": it is named
		`"tolerance": 200, ` + url:        `{"status":200}`,
		`"tolerance": [200, 201], ` + url: `{"status":[200,201]}`,
		`"tolerance": {"type": "range", "target": "status", "range": [200, 299]}, ` + url:                    `{"status":"200-299"}`,
		`"tolerance": {"type": "regex", "target": "body", "pattern": "^ok$"}, ` + url:                        `{"bodyMatches":"^ok$"}`,
		`"tolerance": {"type": "regex", "target": "body", "pattern": "(?<=a)b"}, ` + url:                     "-", // no RE2
		`"tolerance": {"type": "jsonpath", "target": "body", "path": "$.paid", "expect": [true]}, ` + url:    `{"json":{"$.paid":true}}`,
		`"tolerance": {"type": "jsonpath", "target": "body", "path": "$.a", "expect": "<= 1"}, ` + url:       "-", // a comparison here
		`"tolerance": {"type": "jsonpath", "target": "body", "path": "$..a", "expect": 1}, ` + url:           "-",
		`"tolerance": {"type": "jsonpath", "target": "body", "path": "$.a", "count": 1}, ` + url:             "-",
		`"tolerance": {"type": "probe", "provider": {"type": "python", "module": "a", "func": "b"}}, ` + url: "-",
		`"tolerance": true, ` + url: "-",
		url:                         "-",
		`"tolerance": 0, "provider": {"type": "process", "path": "test", "arguments": {"-d": "/tmp"}}`:                                                                     `{"exit":0}`,
		`"tolerance": [0, 1], "provider": {"type": "process", "path": "test", "arguments": "-d /tmp"}`:                                                                     `{"exit":[0,1]}`,
		`"tolerance": {"type": "regex", "target": "stdout", "pattern": "a"}, "provider": {"type": "process", "path": "date"}`:                                              "-",
		`"tolerance": 200, "provider": {"type": "http", "url": "http://127.0.0.1:1/", "arguments": {"q": 1}}`:                                                              "-",
		`"tolerance": 200, "provider": {"type": "http", "url": "https://127.0.0.1:1/", "verify_tls": false}`:                                                               "-",
		`"tolerance": 200, "provider": {"type": "http", "method": "post", "url": "http://127.0.0.1:1/", "headers": {"Content-Type": "application/json"}, "arguments": {}}`: `{"status":200}`,
		`"tolerance": true, "provider": {"type": "python", "module": "chaosk8s.pod.probes", "func": "pods"}`:                                                               "-",
		`"tolerance": 1, "provider": {"type": "smoke"}`:                                                                                                                    "-",
	} {
		made, err := chaostoolkit.Import("x.json", []byte(`{"steady-state-hypothesis": {"title": "c", "probes": [{"type": "probe", "name": "p", `+text+`}]}, "method": [
			{"type": "action", "name": "f", "pauses": {"after": 1}, "provider": {"type": "python", "module": "chaostoxi.proxy.actions", "func": "disable_proxy", "arguments": {"proxy_name": "a"}}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if want == "-" {
			if len(made.Left) != 1 || !strings.Contains(string(made.File), made.Left[0].What) || made.Left[0].Why == "" || !strings.Contains(string(made.File), "steadyState: []") {
				t.Errorf("%s: %+v\n%s", text, made.Left, made.File)
			}
			continue
		}
		e, err := loaded(t, made.File)
		if err != nil || len(made.Left) > 0 || len(e.SteadyState) != 1 || string(e.SteadyState[0].Expect) != want {
			t.Errorf("%s: %v, %+v; want %s\n%s", text, err, made.Left, want, made.File)
		}
	}
}

func TestACommandIsRevertedByTheRollbackOfItsKindAndTheRestIsAskedFor(t *testing.T) {
	made, err := chaostoolkit.Import("x.json", []byte(start+`
		{"type": "action", "name": "touch", "provider": {"type": "process", "path": "touch", "arguments": ["/tmp/x"], "timeout": 5}},
		{"type": "action", "name": "call", "provider": {"type": "http", "method": "PUT", "url": "http://127.0.0.1:1/f", "headers": {"A": "b"}, "arguments": "on"}}],
		"rollbacks": [{"type": "action", "name": "off", "provider": {"type": "http", "method": "DELETE", "url": "http://127.0.0.1:1/f"}}]}`))
	if err != nil || len(made.Left) > 0 {
		t.Fatal(made.Left, err)
	}
	for _, want := range []string{
		`fault "touch" needs ` + "`revert`, since no rollback undoes it", `fault "call" needs ` + "`verify`", `fault "call" lasts 1m: the experiment does not say`,
	} {
		if !strings.Contains(strings.Join(made.Open, "\n"), want) {
			t.Errorf("%q is not in %q", want, made.Open)
		}
	}
	var problems experiments.Problems
	if _, err := loaded(t, made.File); !errors.As(err, &problems) || !slices.ContainsFunc(problems, func(p experiments.Problem) bool { return strings.Contains(p.Msg, "with.verify") }) {
		t.Errorf("what is to be completed is no problem: %v", err)
	}
	// As somebody completes it.
	text := strings.NewReplacer("      inject: [timeout", "      verify: [test, -e, /tmp/x]\n      diesWith: boot\n      revert: [rm, -f, /tmp/x]\n      inject: [timeout",
		"      inject: [curl", "      verify: [\"false\"]\n      diesWith: boot\n      inject: [curl").Replace(string(made.File))
	e, err := loaded(t, []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for n, want := range []string{`["timeout","5","touch","/tmp/x"]`, `["curl","--silent","--show-error","--fail","--request","PUT","--url","http://127.0.0.1:1/f","--header","A: b","--data-binary","on"]`} {
		if !strings.Contains(string(e.Faults[n].With), want) {
			t.Errorf("%s is not in %s", want, e.Faults[n].With)
		}
	}
}

// everywhere has a key that nobody knows in each object, and all that has no like.
const everywhere = `{"title": "t", "version": "v-1", "description": "d-1", "odd": "m-01", "controls": [{"m-02": 1}], "runtime": {"m-03": 1}, "extensions": [{"m-04": 1}],
	"contributions": {"m-05": "high"}, "tags": ["m-06", "a:m-07"], "secrets": {"m-08": {"type": "vault", "path": "m-09"}},
	"configuration": {"used": "m-10", "unused": "m-11", "far": {"type": "vault", "path": "m-12"}},
	"steady-state-hypothesis": {"title": "m-13 ${used}", "odd": "m-14", "probes": ["m-15",
		{"type": "probe", "name": "m-16", "odd": "m-17", "tolerance": 200, "provider": {"type": "http", "odd": "m-18", "url": "http://m-19/", "headers": {"m-20": "m-21"}}},
		{"type": "probe", "name": "m-22", "tolerance": "m-23", "provider": {"type": "http", "url": "http://m-24/"}}]},
	"method": [{"type": "probe", "name": "m-25", "provider": {"type": "process", "path": "m-26"}},
		{"type": "action", "name": "m-27", "controls": ["m-28"], "background": "m-29", "pauses": {"before": "m-30", "after": 2}, "provider": {"type": "process", "path": "m-31", "odd": "m-32", "arguments": {"m-33": "m-34"}}},
		{"type": "action", "name": "m-35", "provider": {"type": "python", "module": "m-36", "func": "m-37", "arguments": {"m-38": ["m-39"]}}},
		{"type": "action", "name": "m-40", "provider": {"type": "python", "module": "chaosaws.ec2.actions", "func": "stop_instance", "arguments": {"az": "m-41"}}}],
	"rollbacks": [{"type": "action", "name": "m-42", "controls": "m-43", "provider": {"type": "process", "path": "m-44"}}, {"type": "action", "name": "m-45", "provider": {"type": "http", "url": "m-46"}},
		{"type": "action", "name": "m-47", "provider": {"type": "python", "module": "chaosaws.ec2.actions", "func": "start_instances", "arguments": {"az": "m-48"}}}]}`

func TestNothingIsDropped(t *testing.T) {
	made, err := chaostoolkit.Import("x.json", []byte(everywhere))
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 48; n++ {
		mark := "m-" + string(rune('0'+n/10)) + string(rune('0'+n%10))
		if mark != "m-42" && !strings.Contains(string(made.File), mark) { // the name of a rollback that is a revert now
			t.Errorf("%s is lost", mark)
		}
	}
	for _, n := range append(made.Left, made.Does...) {
		if n.Path == "" || n.What == "" || n.Why == "" {
			t.Errorf("a note without a place, a text or a reason: %+v", n)
		}
	}
}

func TestWhatIsNoExperimentIsRefusedWithWhatToDo(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "method",
		"{}":                         "method",
		"[1, 2]":                     "line 1, column 1: ",
		"{\"method\": [":             "read experiment",
		"title: x\nmethod: [a\nc: d": "line 3, column 1: ",
		"a: \xff\xfe":                "it is not text",
		"a: \x00\x01":                "it is not text",
		"a: \x1b[31m":                "it is not text",
		"a: &x 1\nmethod: *x":        "1:4: anchors and aliases",
		strings.Repeat("[", 100):     "nested more than 64 deep",
		strings.Repeat("- ", 100):    "nested more than 64 deep",
		strings.Repeat(" ", chaostoolkit.MostBytes+1): "more than 1048576 bytes",
		"method: []\n---\nmethod: []\n":               "2 documents",
	} {
		if _, err := chaostoolkit.Import("x", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v; want %q", text, err, want)
		}
	}
	const long = "it stands in a file of one line"
	if _, err := chaostoolkit.Import("x", []byte(`["`+long+`"]`)); err == nil || strings.Contains(err.Error(), long) {
		t.Errorf("an error repeats the file: %v", err)
	}
}

func TestWhatEveryExperimentNeedsIsAskedForWhereNothingBecameIt(t *testing.T) {
	for text, want := range map[string][]string{
		`{"title": "x", "method": []}`: {"a probe is missing", "a fault is missing"},
		start + `]}`:                   {"a fault is missing"},
		action(`{"type": "smoke"}`):    {"a fault is missing"},
		python("chaostoxi.proxy.actions", "disable_proxy", `{"proxy_name": "pay"}`): {},
	} {
		made, err := chaostoolkit.Import("x.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range []string{"a probe is missing", "a fault is missing"} {
			asked := slices.ContainsFunc(made.Open, func(open string) bool { return strings.HasPrefix(open, one) })
			if asked != slices.Contains(want, one) || asked != strings.Contains(string(made.File), "# - "+one) {
				t.Errorf("%s: %q asked for: %t\n%s", text, one, asked, made.File)
			}
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add(everywhere)
	f.Add(action(`{"type": "process", "path": "a", "arguments": [null, 1, true]}`))
	f.Add("title: 1\nmethod: {a: 1}\nrollbacks: [[]]\ntags: 1\nconfiguration: [1]\n")
	f.Fuzz(func(t *testing.T, text string) {
		made, err := chaostoolkit.Import("x.json", []byte(text))
		if err != nil {
			return
		}
		if strings.ContainsAny(string(made.File), "\x1b\x07") {
			t.Error("what acts on a terminal is in the file")
		}
		_, _ = loaded(t, made.File) // may be invalid, and must be read
	})
}
