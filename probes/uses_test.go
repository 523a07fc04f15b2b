package probes_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"mishap"
	"mishap/internal/usestest"
	"mishap/probes"
)

// The policy of a server asks what a probe declares, and nothing else.
func TestEveryProbeUsesWhatItDeclares(t *testing.T) {
	var kinds []mishap.Kind
	for _, k := range probes.Catalog(probes.Deps{}) {
		kinds = append(kinds, k.Kind)
	}
	usestest.Every(t, kinds, map[string]usestest.Cases{"callers": callersUses, "exec": execUses, "http": httpUses, "prometheus": prometheusUses, "tcp": tcpUses})
}

// observed is the case of one observation, which must come out like that.
func observed(t *testing.T, kind string, with, expect any, result mishap.Result) usestest.Case {
	t.Helper()
	spec := mishap.ProbeSpec{Name: "p", Probe: kind, Timeout: mishap.Duration(patience)}
	spec.With, _ = json.Marshal(with)
	spec.Expect, _ = json.Marshal(expect)
	seen := func(context.Context, probes.CallersQuery) (probes.CallersSeen, error) {
		return probes.CallersSeen{All: polite()}, nil
	}
	for _, k := range probes.Catalog(probes.Deps{Callers: seen}) {
		if k.Name != kind {
			continue
		}
		declared, err := k.Uses(spec)
		if err != nil {
			t.Fatal(err)
		}
		return usestest.Case{Kind: "probe " + kind, With: spec.With, Declared: declared, Work: func() {
			p, err := k.New(spec)
			if err != nil {
				t.Fatal(err)
			}
			want(t, p.Observe(t.Context()), result, "")
		}}
	}
	t.Fatalf("no probe %s", kind)
	return usestest.Case{}
}

// secretFile is a file that holds a text.
func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// web is a server on loopback that answers with a text, once without TLS and once
// with it, and the certificate of that one.
func web(t *testing.T, answer string) (plain, secure *httptest.Server, ca string) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, answer)
	})
	plain, secure = httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	return plain, secure, secretFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
}

func httpUses(t *testing.T) map[string]usestest.Case {
	plain, secure, ca := web(t, "fine")
	_, port, _ := net.SplitHostPort(plain.Listener.Addr().String())
	t.Setenv("PROBE_URL", plain.URL)
	hidden := observed(t, "http", object{"url": object{"env": "PROBE_URL"}}, nil, mishap.Met)
	hidden.Granted.Hosts = []string{plain.Listener.Addr().String()} // it is known only when it is dialled, and checked then
	return map[string]usestest.Case{
		"plain": observed(t, "http", object{"url": plain.URL + "/moved", "method": "POST", "followRedirects": true,
			"headers": object{"A": object{"file": secretFile(t, "a")}, "B": object{"env": "PROBE_URL"}}, "body": object{"file": secretFile(t, "body")}}, nil, mishap.Met),
		"a name":            observed(t, "http", object{"url": "http://localhost:" + port}, nil, mishap.Met),
		"a secret address":  hidden,
		"own authorities":   observed(t, "http", object{"url": secure.URL, "caFile": ca}, nil, mishap.Met),
		"those of a system": observed(t, "http", object{"url": secure.URL}, nil, mishap.Unmet),
	}
}

func prometheusUses(t *testing.T) map[string]usestest.Case {
	plain, secure, ca := web(t, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`)
	return map[string]usestest.Case{
		"plain":           observed(t, "prometheus", object{"url": plain.URL, "query": "up"}, object{"value": "= 1"}, mishap.Met),
		"own authorities": observed(t, "prometheus", object{"url": secure.URL, "query": "up", "caFile": ca, "headers": object{"A": object{"file": secretFile(t, "a")}}}, object{"value": "= 1"}, mishap.Met),
	}
}

func tcpUses(t *testing.T) map[string]usestest.Case {
	plain, _, _ := web(t, "fine")
	return map[string]usestest.Case{
		"connect": observed(t, "tcp", object{"address": plain.Listener.Addr().String()}, nil, mishap.Met),
		"ask":     observed(t, "tcp", object{"address": plain.Listener.Addr().String(), "send": object{"file": secretFile(t, "GET / HTTP/1.0\r\n\r\n\r\n")}}, object{"answer": "fine"}, mishap.Met),
	}
}

func execUses(t *testing.T) map[string]usestest.Case {
	t.Setenv("PROBE_TOKEN", "token")
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncat /etc/hostname\nexit 0\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return map[string]usestest.Case{
		"a name": observed(t, "exec", object{"argv": []string{"cat"}, "stdin": object{"file": secretFile(t, "text")},
			"env": object{"A": object{"env": "PROBE_TOKEN"}, "B": object{"file": secretFile(t, "b")}, "C": "c"}}, object{"stdout": "text"}, mishap.Met),
		"in a folder": observed(t, "exec", object{"argv": []string{"./script", "x"}, "dir": dir}, nil, mishap.Met),
	}
}

func callersUses(t *testing.T) map[string]usestest.Case {
	return map[string]usestest.Case{
		"all": observed(t, "callers", object{"proxy": "payments", "id": "header:X-Id", "arm": "control", "window": "60s"}, object{"attempts": "<= 3"}, mishap.Met),
	}
}
