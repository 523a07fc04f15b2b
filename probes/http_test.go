package probes_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"mishap/internal/freeport"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mishap"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestHTTPJudgesTheAnswer(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/down":
			w.WriteHeader(503)
		case "/moved":
			http.Redirect(w, r, "/?token=abcdefgh", http.StatusFound)
		default:
			io.WriteString(w, `{"items": [{"name": "tea", "n": 3, "a.b": null}], "ok": true, "ratio": 0.04}`)
		}
	})
	for _, c := range []struct {
		path   string
		expect any
		result mishap.Result
		detail string
	}{
		{"/", nil, mishap.Met, ""},
		{"/", object{"status": 200}, mishap.Met, ""},
		{"/", object{"status": []any{404, "200-204"}}, mishap.Met, ""},
		{"/", object{"status": 204}, mishap.Unmet, "status 200, expected 204"},
		{"/down", nil, mishap.Unmet, "status 503, expected 2xx"},
		{"/down", object{"latency": "<= 1h"}, mishap.Unmet, "status 503, expected 2xx"},
		{"/down", object{"status": "5XX"}, mishap.Met, ""},
		{"/down", object{"status": []any{200, "4xx"}, "body": "x"}, mishap.Unmet, `status 503, expected 200 or 4xx; body does not contain "x", it is empty`},
		{"/moved", nil, mishap.Unmet, "status 302 to http://127.0.0.1:"},
		{"/", object{"body": "tea", "bodyMatches": `"n":\s*\d`}, mishap.Met, ""},
		{"/", object{"body": "coffee"}, mishap.Unmet, `body does not contain "coffee", it begins "{\"items`},
		{"/", object{"bodyMatches": "^x"}, mishap.Unmet, "body does not match ^x"},
		{"/", object{"json": object{"$.items[0].name": "tea", "items.0.n": "< 4", "$.ok": true, "$['items'][0]['a.b']": nil, "ratio": "< 5%"}}, mishap.Met, ""},
		{"/", object{"json": object{"$.items[0].n": 4}}, mishap.Unmet, "$.items[0].n is 3, expected 4"},
		{"/", object{"json": object{"$.items[1].n": 4}}, mishap.Unmet, "$.items[1].n is missing"},
		{"/", object{"json": object{"items.0.name": "> 1"}}, mishap.Unmet, `items.0.name is "tea", expected a number > 1`},
		{"/down", object{"status": 503, "json": object{"a": 1}}, mishap.Unmet, "the body is not JSON"},
		{"/", object{"latency": "< 0s"}, mishap.Unmet, "expected < 0s"},
	} {
		o := observe(t, "http", object{"url": url + c.path}, c.expect)
		t.Log(c.path, c.expect, "->", o.Result, o.Value, o.Detail)
		want(t, o, c.result, c.detail)
		if strings.Contains(o.Detail, "abcdefgh") {
			t.Errorf("the query of a redirect is shown: %s", o.Detail)
		}
		if !strings.Contains(o.Value, " in ") {
			t.Errorf("value %q has no latency", o.Value)
		}
	}
}

func TestHTTPSendsWhatItIsTold(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s %q", r.Method, r.Host, r.Header.Get("A"), r.Header.Get("B"), body)
	})
	with := object{"url": url, "method": "POST", "body": object{"file": "/run/token"}, "headers": object{"Host": "shop.example", "A": "plain", "B": object{"env": "TOKEN"}}}
	o := observe(t, "http", with, object{"body": `POST shop.example plain hunter2-is-long "from-a-file"`})
	want(t, o, mishap.Met, "")
}

func TestSecretsNeverAppear(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header, r.URL)
	})
	withUser := strings.Replace(url, "http://", "http://user:pass-in-url@", 1) + "/?key=key-in-query"
	secrets := []string{"hunter2-is-long", "pass-in-url", "key-in-query", "dXNlcjpwYXNzLWluLXVybA"}
	check := func(o mishap.Observation) {
		t.Helper()
		for _, s := range secrets {
			if strings.Contains(o.Value+o.Detail, s) {
				t.Errorf("%q appears in %q, %q", s, o.Value, o.Detail)
			}
		}
	}
	headers := object{"A": object{"env": "TOKEN"}}
	o := observe(t, "http", object{"url": withUser, "headers": headers}, object{"body": "nothing like it"})
	want(t, o, mishap.Unmet, "[secret]")
	check(o)
	refused := "http://user:pass-in-url@" + freeport.Address() + "/?key=key-in-query"
	o = observe(t, "http", object{"url": refused}, nil)
	want(t, o, mishap.Unmet, "refused")
	check(o)
	o = observe(t, "prometheus", object{"url": "http://user:pass-in-url@" + freeport.Address(), "query": "up"}, object{"value": "> 0"})
	want(t, o, mishap.Unmeasured, "refused")
	check(o)
	o = observe(t, "exec", object{"argv": []string{"sh", "-c", `printf %.9s "$A"; echo "$A" >&2; exit 1`}, "env": headers}, object{"stdout": "x"})
	want(t, o, mishap.Unmet, "[secret]")
	check(o)
	if strings.Contains(o.Detail, "hunter2-i") {
		t.Errorf("the beginning of a secret appears in %q", o.Detail)
	}
}

func TestMissingSecretsAreUnknown(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	want(t, observe(t, "http", object{"url": object{"env": "NOWHERE"}}, nil), mishap.Unmeasured, "NOWHERE is not set")
	want(t, observe(t, "http", object{"url": url, "body": object{"env": "EMPTY"}}, nil), mishap.Unmeasured, "EMPTY is not set")
	want(t, observe(t, "http", object{"url": url, "headers": object{"A": object{"file": "/no/such"}}}, nil), mishap.Unmeasured, "with.headers.A: read secret")
	want(t, observe(t, "http", object{"url": object{"env": "TOKEN"}}, nil), mishap.Unmeasured, "with.url: it is not a URL")
	want(t, observe(t, "http", object{"url": url, "caFile": "/no/such"}, nil), mishap.Unmeasured, "with.caFile")
	want(t, observe(t, "tcp", object{"address": "127.0.0.1:1", "send": object{"env": "NOWHERE"}}, object{"answer": "x"}), mishap.Unmeasured, "NOWHERE")
	want(t, observe(t, "exec", object{"argv": []string{"true"}, "env": object{"A": object{"env": "NOWHERE"}}}, nil), mishap.Unmeasured, "NOWHERE")
}

func TestHTTPTellsTheSystemsFaultsFromItsOwn(t *testing.T) {
	want(t, observe(t, "http", object{"url": "http://" + freeport.Address()}, nil), mishap.Unmet, "connection refused")
	want(t, observe(t, "http", object{"url": serveTCP(t, func(c net.Conn) { reset(c) })}, nil), mishap.Unmet, "")
	want(t, observe(t, "http", object{"url": serveTCP(t, func(c net.Conn) { c.Read(make([]byte, 4096)); io.WriteString(c, "SSH-2.0\r\n") })}, nil), mishap.Unmet, "malformed")
	half := func(c net.Conn) {
		c.Read(make([]byte, 4096))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal")
	}
	want(t, observe(t, "http", object{"url": serveTCP(t, half)}, nil), mishap.Unmet, "read answer with status 200")
	plain := strings.Replace(serve(t, func(http.ResponseWriter, *http.Request) {}), "http:", "https:", 1)
	want(t, observe(t, "http", object{"url": plain}, nil), mishap.Unmet, "HTTP response to HTTPS")
}

func TestHTTPTrustsTheFileOfAuthorities(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{}
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, observe(t, "http", object{"url": server.URL, "caFile": ca}, nil), mishap.Met, "")
	want(t, observe(t, "http", object{"url": server.URL}, nil), mishap.Unmet, "certificate")
}

func TestHTTPOpensAConnectionEachTimeAndUsesNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://"+freeport.Address())
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	p, err := build("http", object{"url": server.URL}, nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		want(t, p.Observe(t.Context()), mishap.Met, "")
	}
	if n := connections.Load(); n != 3 {
		t.Errorf("3 observations used %d connections", n)
	}
}

func TestARedirectToAnotherHostOrPortIsAnAnswer(t *testing.T) {
	other := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") })
	first := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, other, http.StatusTemporaryRedirect)
		case "/":
			http.Redirect(w, r, "/here", http.StatusTemporaryRedirect)
		}
	})
	want(t, observe(t, "http", object{"url": first, "followRedirects": true}, nil), mishap.Met, "")
	with := object{"url": first + "/elsewhere", "followRedirects": true}
	want(t, observe(t, "http", with, nil), mishap.Unmet, "status 307 to "+other)
	with["method"], with["body"] = "POST", "private"
	want(t, observe(t, "http", with, nil), mishap.Unmet, "status 307 to "+other)
}

func TestTooLongABodyIsNotJudged(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 2<<20))
		io.WriteString(w, "the end")
	})
	want(t, observe(t, "http", object{"url": url}, nil), mishap.Met, "")
	want(t, observe(t, "http", object{"url": url}, object{"body": "the end"}), mishap.Unmeasured, "only its beginning")
	want(t, observe(t, "http", object{"url": url}, object{"json": object{"a": 1}}), mishap.Unmeasured, "too long")
	want(t, observe(t, "http", object{"url": url}, object{"status": 404, "body": "the end"}), mishap.Unmet, "status 200")
}

func TestLateIsUnmetAndInterruptedIsUnknown(t *testing.T) {
	arrived := make(chan struct{}, 100)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	wantWithin(t, "http", object{"url": url}, nil, mishap.Unmet, func(limit time.Duration) string {
		return fmt.Sprintf("no answer within %s, while waiting for the answer", limit)
	})
	for <-arrived; len(arrived) > 0; <-arrived { // those of all tries
	}

	p, err := build("http", object{"url": url}, nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	want(t, p.Observe(ctx), mishap.Unmeasured, "interrupted")
	want(t, p.Observe(ctx), mishap.Unmeasured, "interrupted")
}

func TestHTTPRefusesWhatCannotBe(t *testing.T) {
	ok := object{"url": "http://127.0.0.1"}
	wantProblems(t, "http", object{}, nil, "with.url")
	wantProblems(t, "http", object{"url": "ftp://h"}, nil, "with.url")
	wantProblems(t, "http", object{"url": "http://"}, nil, "with.url")
	wantProblems(t, "http", object{"url": "localhost:80"}, object{"latency": "2s", "status": "2x", "bodyMatches": "("},
		"with.url", "expect.latency", "expect.status", "expect.bodyMatches")
	wantProblems(t, "http", object{"url": "http://h", "method": "get", "headers": object{"a b": "x", "C": "1\n2", "c": "3"}}, nil,
		"with.method", "with.headers.a b", "with.headers.C", "with.headers.c")
	wantProblems(t, "http", object{"url": "http://h", "method": "HEAD", "body": "x"}, object{"body": "x", "json": object{"a": 1}},
		"with.body", "expect.body", "expect.json")
	wantProblems(t, "http", object{"url": "http://h", "insecureSkipVerify": true}, object{"code": 200}, "with.insecureSkipVerify", "expect.code")
	wantProblems(t, "http", ok, object{"status": []any{}}, "expect.status")
	wantProblems(t, "http", ok, object{"status": []any{200, 99, "300-200", true}}, "expect.status[1]", "expect.status[2]", "expect.status[3]")
	wantProblems(t, "http", ok, object{"json": object{"a..b": 1, "$.x": "< y", "a[-1]": 2, "items[*]": 3, "a.*": 4}},
		"expect.json.a..b", "expect.json.$.x", "expect.json.a[-1]", "expect.json.items[*]", "expect.json.a.*")
	for _, latency := range []string{"< 5", "< 5%", "<= -1s", ""} {
		wantProblems(t, "http", ok, object{"latency": latency}, "expect.latency")
	}
}
