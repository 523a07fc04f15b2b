package toxiproxy_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"mishap/internal/freeport"
	"mishap/internal/nettest"
)

// step is one request of the script. UP is an upstream, A and B are ports that are free before the script.
type step struct{ method, path, body string }

// script goes through every call, with what is right and what is wrong.
func script() []step {
	steps := []step{
		{"GET", "/version", ""}, {"GET", "/proxies", ""}, {"POST", "/reset", ""}, {"GET", "/nothing", ""}, {"GET", "/", ""},
		{"POST", "/version", ""}, {"GET", "/reset", ""}, {"PUT", "/proxies", "{}"}, {"HEAD", "/proxies", ""}, {"DELETE", "/proxies", ""}, {"GET", "/proxies/", ""}, {"GET", "/populate", ""},
		// proxies
		{"POST", "/proxies", ``}, {"POST", "/proxies", `{`}, {"POST", "/proxies", `{"name": "a"}`}, {"POST", "/proxies", `{"upstream": "UP"}`},
		{"POST", "/proxies", `{"name": "a", "listen": "nonsense", "upstream": "UP"}`},
		{"POST", "/proxies", `{"name": "a", "listen": "127.0.0.1:999999", "upstream": "UP"}`},
		{"POST", "/proxies", `{"name": "a", "listen": "192.0.2.1:A", "upstream": "UP"}`},
		{"POST", "/proxies", `{"name": "a", "listen": "localhost:A", "upstream": "UP"}`},
		{"POST", "/proxies", `{"name": "a", "listen": "localhost:B", "upstream": "UP"}`},
		{"POST", "/proxies", `{"name": "b", "listen": "127.0.0.1:A", "upstream": "UP"}`},
		{"POST", "/proxies", `{"name": "b", "listen": "localhost:B", "upstream": "UP", "enabled": false} and more`},
		{"POST", "/proxies", `{"NAME": "c", "upstream": "nonsense", "listen": "nonsense", "enabled": false, "unknown": 1}`},
		{"GET", "/proxies", ""}, {"GET", "/proxies/a", ""}, {"GET", "/proxies/none", ""},
		{"POST", "/proxies/none", `{`}, {"POST", "/proxies/a", `{`}, {"PATCH", "/proxies/a", `{}`}, {"POST", "/proxies/c", `{}`},
		{"POST", "/proxies/c", `{"listen": "127.0.0.1:A", "enabled": true}`}, {"GET", "/proxies/c", ""},
		{"POST", "/proxies/a", `{"enabled": false}`}, {"POST", "/proxies/a", `{"enabled": false}`}, {"GET", "/proxies/a", ""},
		{"PATCH", "/proxies/a", `{"enabled": true, "name": "z"}`}, {"PATCH", "/proxies/a", `{"upstream": "127.0.0.1:1"}`},
		{"PATCH", "/proxies/a", `{"listen": "localhost:B"}`}, {"PATCH", "/proxies/a", `{"listen": "127.0.0.1:A", "upstream": null}`},
		{"PUT", "/proxies/a", `{}`},
		// toxics
		{"GET", "/proxies/a/toxics", ""}, {"GET", "/proxies/none/toxics", ""}, {"POST", "/proxies/none/toxics", `{}`}, {"POST", "/proxies/a/toxics", `{`},
		{"POST", "/proxies/a/toxics", ``}, {"POST", "/proxies/a/toxics", `{}`}, {"POST", "/proxies/a/toxics", `{"type": "nonsense"}`}, {"POST", "/proxies/a/toxics", `{"type": "debug"}`},
		{"POST", "/proxies/a/toxics", `{"type": "latency", "stream": "sideways"}`}, {"POST", "/proxies/a/toxics", `{"type": "latency", "stream": ""}`},
		{"POST", "/proxies/a/toxics", `{"type": "latency", "stream": "UpStream"}`}, {"POST", "/proxies/a/toxics", `{"type": "latency", "attributes": {"latency": 100, "unknown": 1}}`},
		{"POST", "/proxies/a/toxics", `{"type": "latency", "stream": "downstream", "attributes": {"latency": "x"}}`},
		{"POST", "/proxies/a/toxics", `{"name": "x", "type": "latency", "attributes": {"latency": "x"}}`}, {"POST", "/proxies/a/toxics", `{"name": "x", "type": "latency", "attributes": "x"}`},
		{"POST", "/proxies/a/toxics", `{"name": "n", "type": "latency", "attributes": null, "toxicity": null}`}, {"POST", "/proxies/a/toxics", `{"name": "o", "type": "latency", "toxicity": 5, "attributes": {"latency": -1, "jitter": -1}}`},
		{"POST", "/proxies/a/toxics", `{"name": "p", "type": "latency", "toxicity": -0.1}`}, {"POST", "/proxies/a/toxics", `{"name": "q", "type": "latency", "toxicity": 0.1, "attributes": {"LATENCY": 7, "jitter": 9}}`},
		{"POST", "/proxies/a/toxics", `{"name": "s p/ä", "type": "noop"}`}, {"POST", "/proxies/a/toxics", `{"name": "t", "type": "noop", "toxicity": "x"}`},
	}
	for _, kind := range []string{"bandwidth", "slow_close", "timeout", "reset_peer", "limit_data", "noop"} {
		for _, stream := range []string{"upstream", "downstream"} {
			steps = append(steps, step{"POST", "/proxies/a/toxics", `{"type": "` + kind + `", "stream": "` + stream + `"}`})
		}
		steps = append(steps, step{"GET", "/proxies/a/toxics/" + kind + "_upstream", ""}, step{"POST", "/proxies/a/toxics", `{"type": "` + kind + `"}`})
	}
	return append(steps, []step{
		{"POST", "/proxies/a/toxics", `{"type": "slicer", "attributes": {"average_size": 10, "size_variation": 20, "delay": 7}}`},
		{"GET", "/proxies/a/toxics/none", ""}, {"DELETE", "/proxies/a/toxics/none", ""}, {"PATCH", "/proxies/a/toxics/none", `{`}, {"PATCH", "/proxies/none/toxics/none", `{`}, {"DELETE", "/proxies/none/toxics/x", ""},
		{"PATCH", "/proxies/a/toxics/latency_downstream", `{`}, {"PATCH", "/proxies/a/toxics/latency_downstream", `{}`}, {"PATCH", "/proxies/a/toxics/latency_downstream", `{"attributes": {"jitter": 10}, "name": "z", "stream": "upstream", "type": "noop"}`},
		{"POST", "/proxies/a/toxics/latency_downstream", `{"toxicity": 0.5}`}, {"POST", "/proxies/a/toxics/limit_data_upstream", `{"attributes": {"bytes": 12345678901}}`},
		{"PATCH", "/proxies/a/toxics/slicer_downstream", `{"attributes": {"average_size": 100000}}`}, {"PATCH", "/proxies/a/toxics/bandwidth_upstream", `{"attributes": {"rate": 1000000}}`},
		{"PATCH", "/proxies/a/toxics/bandwidth_upstream", `{"attributes": null, "toxicity": null}`}, {"PUT", "/proxies/a/toxics/latency_downstream", `{}`},
		{"GET", "/proxies/a/toxics", ""}, {"GET", "/proxies", ""},
		{"DELETE", "/proxies/a/toxics/latency_downstream", ""}, {"DELETE", "/proxies/a/toxics/latency_downstream", ""}, {"GET", "/proxies/a", ""},
		{"POST", "/proxies/a", `{"enabled": false}`}, {"POST", "/proxies/a/toxics", `{"name": "off", "type": "noop"}`},
		// c cannot listen on a's port, which is free for the moment
		{"DELETE", "/proxies/c", ""}, {"POST", "/reset", ""}, {"GET", "/proxies", ""},
		// populate
		{"POST", "/populate", ``}, {"POST", "/populate", `{}`}, {"POST", "/populate", `[]`}, {"POST", "/populate", `[{"name": "a"}]`}, {"POST", "/populate", `[{"name": "n", "upstream": "x"}, {"upstream": "x"}]`},
		{"POST", "/proxies/a/toxics", `{"type": "noop"}`},
		{"POST", "/populate", `[{"name": "a", "listen": "127.0.0.1:A", "upstream": "127.0.0.1:1", "enabled": false}, {"name": "d", "listen": "nonsense", "upstream": "x:1", "enabled": false, "toxics": [1]}]`},
		{"POST", "/populate", `[{"name": "a", "listen": "127.0.0.1:A", "upstream": "127.0.0.1:2"}, {"name": "e", "listen": "127.0.0.1:A", "upstream": "x:1"}]`},
		{"POST", "/populate", `[{"name": "a", "listen": "nonsense", "upstream": "127.0.0.1:2"}]`},
		{"POST", "/populate", `[{"name": "a", "listen": "127.0.0.1:B", "upstream": "127.0.0.1:2"}]`}, {"GET", "/proxies", ""},
		{"POST", "/populate", `[{"name": "a", "listen": "127.0.0.1:A", "upstream": "127.0.0.1:2", "enabled": false}]`}, {"GET", "/proxies", ""},
		{"DELETE", "/proxies/a", ""}, {"DELETE", "/proxies/a", ""}, {"GET", "/proxies", ""},
	}...)
}

// different are the steps whose answers differ on purpose, with what this server says.
func different() map[step]string {
	return map[step]string{
		// Theirs accepts it, and crashes with the first bytes.
		{"POST", "/proxies/a/toxics", `{"name": "d1", "type": "slicer"}`}:                                `400 {"error":"bad request body: average_size 0 must be above 0: it is in bytes","status":400}`,
		{"POST", "/proxies/a/toxics", `{"name": "d2", "type": "bandwidth", "attributes": {"rate": -1}}`}: `400 {"error":"bad request body: rate -1 must not be negative: it is in KB/s","status":400}`,
		// Theirs wants whole numbers.
		{"POST", "/proxies/a/toxics", `{"name": "d3", "type": "latency", "attributes": {"latency": 0.5}}`}: `200 {"attributes":{"jitter":0,"latency":0.5},"name":"d3","stream":"downstream","toxicity":1,"type":"latency"}`,
		// Theirs takes any length; here ten minutes is the longest of a fault.
		{"POST", "/proxies/a/toxics", `{"name": "d4", "type": "latency", "attributes": {"latency": 600001}}`}: `400 {"error":"bad request body: latency and jitter must be at most 10m0s","status":400}`,
		// Theirs does not know it.
		{"POST", "/proxies/a/toxics", `{"name": "d5", "type": "noop", "expires": "1m"}`}: `200 {"attributes":{},"expires":"1m0s","name":"d5","stream":"downstream","toxicity":1,"type":"noop"}`,
		// Theirs has metrics only when it is started for them.
		{"POST", "/metrics", ""}: `200 metrics`,
	}
}

func TestAnswersAreThoseOfToxiproxy(t *testing.T) {
	theirs := realToxiproxy(t)
	ours := start(t).url
	up := nettest.Serve(t, nettest.Echo)
	answers := func(url string, steps []step) (list []string) {
		a, b := strconv.Itoa(freeport.Port()), strconv.Itoa(freeport.Port())
		replace := strings.NewReplacer("UP", up, ":A", ":"+a, ":B", ":"+b)
		for _, s := range steps {
			status, header, body := askHeader(t, url, s.method, s.path, replace.Replace(s.body))
			body = strings.NewReplacer(":"+a, ":A", ":"+b, ":B", up, "UP").Replace(body)
			list = append(list, fmt.Sprintf("%d %s id %v: %s", status, header.Get("Content-Type"), header.Get("X-Toxiproxy-Request-Id") != "", normal(body)))
		}
		return list
	}
	steps := script()
	ourAnswers, theirAnswers := answers(ours, steps), answers(theirs, steps)
	for i, s := range steps {
		if ourAnswers[i] != theirAnswers[i] {
			t.Errorf("%s %s %s\nours:   %s\ntheirs: %s", s.method, s.path, s.body, ourAnswers[i], theirAnswers[i])
		}
	}
	t.Logf("compared the answers to %d requests", len(steps))
	for _, url := range []string{ours, theirs} {
		ask(t, url, "POST", "/proxies", `{"name": "a", "listen": "127.0.0.1:0", "upstream": "x:1"}`)
	}
	for s, want := range different() {
		_, their := ask(t, theirs, s.method, s.path, s.body)
		status, our := ask(t, ours, s.method, s.path, s.body)
		if strings.HasPrefix(our, "# HELP") {
			our = "metrics"
		}
		if got := fmt.Sprint(status, " ", normal(our)); got != want || normal(our) == normal(their) {
			t.Errorf("%v\nours:   %s\nwant:   %s\ntheirs: %s", s, got, want, their)
		}
	}
}

// normal is a body without what is not compared: the order of fields, the field Logger that slips out of theirs, and how Go
// words what is wrong with a JSON value, which names types of the program.
func normal(body string) string {
	var value any
	if json.Unmarshal([]byte(body), &value) != nil {
		return body
	}
	forget(value)
	data, _ := json.Marshal(value)
	return string(data)
}

func forget(value any) {
	switch v := value.(type) {
	case map[string]any:
		delete(v, "Logger")
		if text, ok := v["error"].(string); ok {
			v["error"], _, _ = strings.Cut(text, "json: cannot unmarshal")
		}
		for _, inner := range v {
			forget(inner)
		}
	case []any:
		for _, inner := range v {
			forget(inner)
		}
	}
}

// realToxiproxy runs Toxiproxy 2.12.0 until the end of the test.
func realToxiproxy(t *testing.T) (url string) {
	t.Helper()
	path, err := exec.LookPath("toxiproxy-server")
	if err != nil {
		t.Skip("SKIPPED: no toxiproxy-server to compare with; .ci/testbed builds one")
	}
	port := strconv.Itoa(freeport.Port())
	server := exec.Command(path, "-host", "127.0.0.1", "-port", port)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	eventually(t, "toxiproxy-server listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return "http://127.0.0.1:" + port
}
