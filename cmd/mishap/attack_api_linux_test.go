package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// roles are those of the API, each may do what those before may. The first two show
// no token, and one that is not known.
var roles = []string{"none", "unknown", "viewer", "operator", "approver", "admin"}

const tokensEach = 8 // of a role: each has a rate of its own

func tokenOf(role string, n int) string { return fmt.Sprintf("attack-%s-%d", role, n) }

// operation is one of the API, by its own document.
type operation struct {
	method, path, needs string
	query               []string
	body                map[string]any // schema
}

// called is an operation with its arguments.
type called struct {
	role    string
	op      operation
	path    string
	headers [][2]string
	body    []byte
	raw     []byte // instead of a request
}

// No call of any role brings the server down, is answered as if the server were at
// fault, or does what the role may not.
func TestNoCallOfTheAPIBringsTheServerDown(t *testing.T) {
	a := newAttack(t)
	s := newStage(t)
	settings := fmt.Sprintf("state: %s\nlisten: 127.0.0.1:0\nallow: {commands: [touch, rm, test, 'true', \"test -e go && rm -f flag\"]}\nsources: [{name: x, folder: %s}]\ntokens:\n", filepath.Join(s.dir, "state"), s.dir)
	for _, role := range roles[2:] {
		for n := range tokensEach {
			settings += fmt.Sprintf("  - {name: %s-%d, role: %s, hash: \"sha256:%x\"}\n", role, n, role, sha256.Sum256([]byte(tokenOf(role, n))))
		}
	}
	s.write("mishap.yaml", settings)
	s.experiment(`"true"`, "300ms")
	b := besiege(s)
	listening := regexp.MustCompile(`listen=([0-9.:]+)`)
	await(t, "the server listens", func() bool { return listening.MatchString(b.err.String()) })
	address := listening.FindStringSubmatch(b.err.String())[1]
	ops := document(t, b)
	client := &http.Client{Timeout: 3 * time.Minute}
	answers := map[int]int{}
	var longest time.Duration
	var what string
	for n := range a.calls {
		c := hostileCall(a.dice(n), ops)
		said := fmt.Sprintf("call %d of seed %d: %.20s %.200q as %s", n, a.seed, c.op.method, c.path, c.role)
		asked := time.Now()
		status, text := c.send(client, address, n)
		if took := time.Since(asked); took > longest && !waits(c) {
			longest, what = took, said
		}
		if n%25 == 0 {
			b.api.call("DELETE", "/v1/halt", "") // or nothing would run any more
		}
		answers[status]++
		if status >= 500 && status != http.StatusHTTPVersionNotSupported || status == 0 && c.raw == nil && !refusable(text) {
			t.Errorf("%s: %d %.500s\n%.300q", said, status, text, c.body)
		}
		if status < 300 && status > 0 && c.raw == nil && c.op.needs != "" && slices.Index(roles, c.role) < slices.Index(roles, c.op.needs) {
			t.Errorf("%s: %d, though it needs %s", said, status, c.op.needs)
		}
		if strings.Contains(text, "connection refused") {
			t.Fatalf("%s: the server is gone\n%.4000s", said, b.err.String())
		}
	}
	held := within256(t, "the server", b.Process.Pid)
	if status, text := b.api.call("DELETE", "/v1/halt", `{"reason": "over"}`); status > 299 && status != http.StatusConflict && status != http.StatusNotFound {
		t.Errorf("resume: %d %s", status, text)
	}
	ending, answer := b.end()
	s.reverted()
	t.Logf("%d calls: answers %v, most memory %s, longest call %s (%s), slowest answer to somebody else %s, SIGTERM obeyed after %s",
		a.calls, answers, mib(held), longest.Round(time.Millisecond), what, answer.Round(time.Millisecond), ending.Round(time.Millisecond))
	if a.full && longest > time.Second { // see docs/measured.md
		t.Error("that hangs")
	}
	if answers[http.StatusOK]+answers[http.StatusAccepted] < a.calls/20 || answers[http.StatusForbidden] == 0 || answers[http.StatusUnauthorized] == 0 {
		t.Error("most calls did not come far: they try nothing")
	}
}

// waits reports a call that waits, up to 10 s, until what it stops has reverted.
func waits(c called) bool { return c.op.path == "/v1/halt" || strings.HasSuffix(c.op.path, "/abort") }

// refusable reports an error of a request that no client sends, or that the server
// cut off without an answer, as it may.
func refusable(text string) bool {
	return regexp.MustCompile(`invalid (header|URL|character|method|control)|malformed|net/http: |connection reset|broken pipe|EOF|first path segment`).MatchString(text)
}

// send makes the call; the status is 0 where there was no answer.
func (c called) send(client *http.Client, address string, n int) (int, string) {
	if c.raw != nil {
		return rawly(address, c.raw)
	}
	req, err := http.NewRequest(c.op.method, "http://"+address+c.path, bytes.NewReader(c.body))
	if err != nil {
		return 0, "malformed: " + err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	switch c.role {
	case "none":
	case "unknown":
		req.Header.Set("Authorization", "Bearer nobody")
	default:
		req.Header.Set("Authorization", "Bearer "+tokenOf(c.role, n%tokensEach))
	}
	for _, h := range c.headers {
		req.Header.Set(h[0], h[1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(text)
}

// rawly sends bytes that may be no request.
func rawly(address string, text []byte) (int, string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(3 * time.Minute))
	_, _ = conn.Write(text)
	_ = conn.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	return resp.StatusCode, ""
}

// document is what the server says its API is.
func document(t *testing.T, b *besieged) (all []operation) {
	t.Helper()
	_, text := b.api.call("GET", "/openapi.json", "")
	var doc struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method, raw := range methods {
			var op struct {
				Description string
				Parameters  []struct{ Name, In string }
				RequestBody struct {
					Content map[string]struct{ Schema map[string]any }
				}
			}
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			one := operation{method: strings.ToUpper(method), path: path}
			if _, err := fmt.Sscanf(op.Description, "Needs role %s", &one.needs); err == nil {
				one.needs = strings.TrimSuffix(one.needs, ".")
			}
			for _, p := range op.Parameters {
				if p.In == "query" {
					one.query = append(one.query, p.Name)
				}
			}
			if schema := op.RequestBody.Content["application/json"].Schema; schema != nil {
				if ref, ok := schema["$ref"].(string); ok {
					schema, _ = doc.Components.Schemas[ref[strings.LastIndex(ref, "/")+1:]].(map[string]any)
				}
				one.body = schema
			}
			if path != "/v1/events" { // it never ends, and has tests of its own
				all = append(all, one)
			}
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	if len(all) < 15 {
		t.Fatalf("the API has %d operations", len(all))
	}
	return all
}

// hostileCall calls an operation with arguments that may be right, odd or none.
func hostileCall(r *rand.Rand, ops []operation) called {
	c := called{role: pick(r, roles), op: pick(r, ops)}
	c.path = regexp.MustCompile(`\{\w+\}`).ReplaceAllStringFunc(c.op.path, func(string) string { return pick(r, oddParts) })
	var query []string
	for _, name := range c.op.query {
		if r.IntN(2) == 0 {
			query = append(query, name+"="+pick(r, oddQuery))
		}
	}
	if r.IntN(12) == 0 {
		query = append(query, pick(r, []string{"x=1", "limit=1&limit=2", "%zz", ";", "a[]=1", strings.Repeat("q", 9000), "count=1001", "after=-1", "limit=9223372036854775808"}))
	}
	if query != nil {
		c.path += "?" + strings.Join(query, "&")
	}
	if c.op.body != nil {
		c.body = hostileBody(r, c.op.body)
	}
	if r.IntN(6) == 0 {
		c.headers = append(c.headers, pick(r, oddHeaders))
	}
	if r.IntN(15) == 0 {
		c.op.method, c.op.needs = pick(r, []string{"PATCH", "TRACE", "CONNECT", "OPTIONS", "HEAD", "DELETE", "PUT", "POST", "GET", "X", strings.Repeat("M", 70000)}), ""
	}
	if r.IntN(20) == 0 {
		c.raw = []byte(pick(r, oddRequests))
	}
	return c
}

var (
	oddParts   = []string{"flag-file", "flag-file", "flag-file", "x", "last", "nothing", "..", "%2e%2e", "%00", "%ff", "%1b[2J", "a%2fb", "%", "'", "1%20or%201=1", "*", strings.Repeat("x", 201), strings.Repeat("y", 40000), "%E2%80%AE", "0", "-1", "$(id)", "%0d%0aX:y"}
	oddQuery   = []string{"1", "5", "1000", "0", "-1", "1001", "999999999999999999999", "x", "", "text", "html", "junit", "1e3", "%00", "1%2C2", "0x10", "true", "NaN", strings.Repeat("9", 5000)}
	oddHeaders = [][2]string{
		{"Content-Type", ""}, {"Content-Type", "text/plain"}, {"Content-Type", "application/json; charset=utf-16"}, {"Content-Type", "application/cbor"}, {"Content-Type", strings.Repeat("a", 5000)}, {"Content-Encoding", "gzip"},
		{"Accept", "application/cbor"}, {"Accept", "*/*;q=0"}, {"Accept", "text/html"}, {"Idempotency-Key", "one"}, {"Idempotency-Key", strings.Repeat("k", 201)}, {"Idempotency-Key", "\xff"}, {"Last-Event-ID", "-1"}, {"Range", "bytes=0-"}, {"If-Match", "*"},
		{"Authorization", "Basic eDp5"}, {"Authorization", "Bearer"}, {"Authorization", "Bearer a.b.c"}, {"Authorization", "Bearer " + strings.Repeat("x", 60000)}, {"Host", "evil"}, {"Origin", "https://evil.example"}, {"X-Forwarded-For", "127.0.0.1"}, {"Mishap-User", "root"}, {"Expect", "100-continue"}, {"X", strings.Repeat("x", 100_000)},
	}
	oddRequests = []string{
		"", "\x00", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET http://x/ HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "POST /v1/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "POST /v1/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"GET /v1/halt HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 20_000) + "\r\n", "GET /" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\n\r\n", "GET /metrics HTTP/1.0\r\n\r\n", "GET //v1/halt HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/halt HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/halt HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
	}
	oddBodies = []string{"", "null", "[]", "{", "0", "\"\"", "{}", "{}{}", "\xff", "\x00", strings.Repeat("[", 100_000), strings.Repeat("{\"a\":", 100_000), "{\"experiment\":\"flag-file\",\"experiment\":\"x\"}", strings.Repeat(" ", 1<<20) + "{}", "{\"reason\":\"" + strings.Repeat("x", 1<<20) + "\"}", "{\"REASON\": \"x\"}", "{\"reason\": \"\\ud800\\u0000\"}", "{\"reason\": 1e999}"}
)

// hostileBody is what an operation takes, or nearly that, or nothing like it.
func hostileBody(r *rand.Rand, schema map[string]any) []byte {
	if r.IntN(5) == 0 {
		return []byte(pick(r, oddBodies))
	}
	body := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if of, _ := properties[name].(map[string]any); r.IntN(8) > 0 {
			body[name] = argument(r, fmt.Sprint(of["type"]))
		}
	}
	if r.IntN(10) == 0 {
		body[pick(r, []string{"x", "", "__proto__", "experiment ", "\u202e"})] = 1
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil
	}
	if r.IntN(8) == 0 {
		return changeBytes(r, text)
	}
	return text
}

// argument is a value of a type, or of another.
func argument(r *rand.Rand, kind string) any {
	if r.IntN(10) == 0 {
		return pick(r, []any{nil, 1, -1.5, "", []any{}, map[string]any{}, true, "2026-01-01T00:00:00Z", strings.Repeat("z", 1001)})
	}
	switch kind {
	case "boolean":
		return r.IntN(2) == 0
	case "integer", "number":
		return pick(r, []any{0, 1, -1, 1 << 40, 1.5})
	}
	return pick(r, []any{"flag-file", "flag-file", "flag-file", "x", "why", "because", "\u001b[2J", "\u202e", "a\nb", "1h", "-1h", "9999999h", "2999-01-01T00:00:00Z", strings.Repeat("x", 200), strings.Repeat("w", 1000), "../..", "sha256:" + strings.Repeat("0", 64)})
}
